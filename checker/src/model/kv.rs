//! One key of a store of strings, as Porcupine's: empty at first, `put` replaces, `append` adds at the end.

use super::Model;

/// A call on a string with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KvOp {
    /// It returned this string.
    Get(String),
    /// It replaced the string by this one.
    Put(String),
    /// It added this at the end.
    Append(String),
}

/// The model of one key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kv;

impl Model for Kv {
    type State = String;
    type Op = KvOp;

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, op: &KvOp) -> impl Iterator<Item = String> {
        let next = match op {
            KvOp::Get(value) => (value == state).then(|| state.clone()),
            KvOp::Put(value) => Some(value.clone()),
            KvOp::Append(more) => Some([state.as_str(), more].concat()),
        };
        next.into_iter()
    }

    fn is_read(&self, op: &KvOp) -> bool {
        matches!(op, KvOp::Get(_))
    }

    fn bytes(&self, state: &String) -> usize {
        size_of::<String>() + state.capacity()
    }
}
