//! Values by number, so that states compare numbers.

use std::collections::HashMap;

use serde_json::Value;

use crate::model::register::Symbol;

static NULL: Value = Value::Null;

/// The values of one object, and the parts that it has, each numbered in the order in which they turn up.
/// JSON null is value 0.
#[derive(Debug)]
pub struct Names<'h> {
    values: HashMap<&'h Value, Symbol>,
    parts: HashMap<&'h Value, Symbol>,
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self { values: HashMap::from([(&NULL, 0)]), parts: HashMap::new() }
    }
}

impl<'h> Names<'h> {
    /// The number of a value.
    pub fn value(&mut self, value: &'h Value) -> Symbol {
        number(&mut self.values, value)
    }

    /// The number of a part (a register, a slot) that goes by this name, from 0.
    pub fn part(&mut self, name: &'h Value) -> Symbol {
        number(&mut self.parts, name)
    }
}

fn number<'h>(numbers: &mut HashMap<&'h Value, Symbol>, value: &'h Value) -> Symbol {
    let fresh = Symbol::try_from(numbers.len()).unwrap_or(Symbol::MAX);
    *numbers.entry(value).or_insert(fresh)
}
