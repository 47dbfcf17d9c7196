//! What EDN's values become in a history, whose values are JSON.
//!
//! Two values must be equal here exactly if they were equal there, or a verdict would be about another
//! history. Keywords, symbols and characters become their bare text, because that is how the contract spells
//! functions, accounts and micro-operations; so `:x` and `"x"` would become one. [`Words`] remembers what each
//! word was and refuses a history in which a word is two things. Integers beyond 64 bits, ratios and exact
//! decimals become their text, tagged values an object with the tag as its only key, sets their elements in
//! a fixed order.

use std::collections::HashMap;

use growler_checker::history::Names;
use serde_json::{Map, Number, Value};

use super::edn::{Flaw, Form, Node, Position};

/// What a word was where it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Char,
    Keyword,
    Symbol,
    Number,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Char => "a character",
            Self::Keyword => "a keyword",
            Self::Symbol => "a symbol",
            Self::Number => "a number",
        }
    }
}

/// Turns forms into JSON values, and remembers what each word was.
#[derive(Debug, Default)]
pub(super) struct Words {
    seen: HashMap<Box<str>, Sort>,
    /// Functions, keys and nodes, which come again and again.
    pub(super) names: Names,
}

impl Words {
    /// A value that checks compare: refused where it would be mistaken for another one.
    pub(super) fn value(&mut self, form: Form) -> Result<Value, Flaw> {
        self.convert(form, 0)
    }

    fn convert(&mut self, form: Form, depth: usize) -> Result<Value, Flaw> {
        let at = form.at;
        Ok(match form.node {
            Node::List(items) | Node::Vector(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (place, item) in items.into_iter().enumerate() {
                    // The head of a vector within a vector is the name of a micro-operation, not a value.
                    let is_head = depth > 0 && place == 0 && matches!(item.node, Node::Keyword(_));
                    values.push(if is_head { plain(item)? } else { self.convert(item, depth + 1)? });
                }
                Value::Array(values)
            }
            Node::Set(items) => {
                let values = items.into_iter().map(|item| self.convert(item, depth + 1));
                sorted(values.collect::<Result<_, _>>()?)
            }
            Node::Map(entries) => {
                let mut object = Map::new();
                for (key, value) in entries {
                    let (key_at, key) = (key.at, key_text(key)?);
                    let value = self.convert(value, depth + 1)?;
                    insert(&mut object, key, value, key_at)?;
                }
                Value::Object(object)
            }
            Node::Tagged(tag, inner) => tagged(&tag, self.convert(*inner, depth + 1)?),
            Node::Text(word) => self.word(word, Sort::Text, at)?,
            Node::Keyword(word) => self.word(word, Sort::Keyword, at)?,
            Node::Symbol(word) => self.word(word, Sort::Symbol, at)?,
            Node::Number(word) => self.word(word, Sort::Number, at)?,
            Node::Char(letter) => self.word(letter.to_string(), Sort::Char, at)?,
            node => scalar(&node),
        })
    }

    fn word(&mut self, word: String, sort: Sort, at: Position) -> Result<Value, Flaw> {
        match self.seen.get(word.as_str()) {
            Some(&before) if before != sort => {
                let (before, now) = (before.name(), sort.name());
                return Err(Flaw::new(
                    at,
                    format!(
                        "`{word}` is {now} here and was {before} before; the two would be taken for one value, so rename one"
                    ),
                ));
            }
            Some(_) => {}
            None => {
                self.seen.insert(word.clone().into_boxed_str(), sort);
            }
        }
        Ok(Value::String(word))
    }
}

/// A value that is only shown.
pub(super) fn plain(form: Form) -> Result<Value, Flaw> {
    Ok(match form.node {
        Node::List(items) | Node::Vector(items) => {
            Value::Array(items.into_iter().map(plain).collect::<Result<_, _>>()?)
        }
        Node::Set(items) => sorted(items.into_iter().map(plain).collect::<Result<_, _>>()?),
        Node::Map(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let at = key.at;
                insert(&mut object, key_text(key)?, plain(value)?, at)?;
            }
            Value::Object(object)
        }
        Node::Tagged(tag, inner) => tagged(&tag, plain(*inner)?),
        Node::Text(word) | Node::Keyword(word) | Node::Symbol(word) | Node::Number(word) => {
            Value::String(word)
        }
        Node::Char(letter) => Value::String(letter.to_string()),
        node => scalar(&node),
    })
}

fn scalar(node: &Node) -> Value {
    match *node {
        Node::Bool(b) => Value::Bool(b),
        Node::Int(n) => Value::Number(n.into()),
        // The reader keeps infinities as words, so every float is a number of JSON.
        Node::Float(n) => Number::from_f64(n).map_or(Value::Null, Value::Number),
        _ => Value::Null,
    }
}

fn tagged(tag: &str, inner: Value) -> Value {
    Value::Object(Map::from_iter([(format!("#{tag}"), inner)]))
}

/// A set has no order, so equal sets get the same one: numbers by size, then the others by their text.
fn sorted(mut values: Vec<Value>) -> Value {
    values.sort_by_cached_key(|value| (value.as_i64().is_none(), value.as_i64(), value.to_string()));
    Value::Array(values)
}

fn insert(object: &mut Map<String, Value>, key: String, value: Value, at: Position) -> Result<(), Flaw> {
    if object.contains_key(&key) {
        return Err(Flaw::new(at, format!("the key `{key}` comes twice in this map")));
    }
    object.insert(key, value);
    Ok(())
}

/// JSON's keys are texts.
fn key_text(key: Form) -> Result<String, Flaw> {
    Ok(match plain(key)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}
