//! A store's own timestamps, kept small.
//!
//! Last-writer-wins stores give each version a time and, to break ties, the node that gave it: `[ns, "node"]`. As
//! JSON in memory that is a list with a text in it, in each of a million events; here it is a number and a shared
//! name. Anything else that a foreign store may call a timestamp is kept as the JSON that it is, and says nothing.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Name, Names};

/// What a store calls the timestamp of a version. As JSON it is what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Timestamp(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Parts(i64, Name),
    Other(Box<Value>),
}

impl Timestamp {
    /// Nanoseconds of whatever clock the store uses, and the node.
    #[must_use]
    pub fn new(ns: i64, node: impl Into<Name>) -> Self {
        Self(Kind::Parts(ns, node.into()))
    }

    /// The nanoseconds and the node; none if it is anything but `[ns, "node"]`.
    #[must_use]
    pub fn parts(&self) -> Option<(i64, &str)> {
        match &self.0 {
            Kind::Parts(ns, node) => Some((*ns, node)),
            Kind::Other(_) => None,
        }
    }

    fn read(value: Value, name: impl FnOnce(&str) -> Name) -> Self {
        let parts = match value.as_array().map(Vec::as_slice) {
            Some([ns, node]) => ns.as_i64().zip(node.as_str()).map(|(ns, node)| (ns, name(node))),
            _ => None,
        };
        Self(parts.map_or_else(|| Kind::Other(Box::new(value)), |(ns, node)| Kind::Parts(ns, node)))
    }
}

impl From<Value> for Timestamp {
    fn from(value: Value) -> Self {
        Self::read(value, |node| node.into())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Parts(ns, node) => (ns, node).serialize(s),
            Kind::Other(value) => value.serialize(s),
        }
    }
}

impl Names {
    /// A timestamp whose node's name is shared.
    pub fn timestamp(&mut self, value: Value) -> Timestamp {
        Timestamp::read(value, |node| self.name(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_and_a_node_are_told_apart_and_anything_else_is_kept_as_it_is() {
        for value in [
            json!([70, "n1"]),
            json!([-7, ""]),
            json!(["n1", 70]),
            json!([70, "n1", 3]),
            json!(4.5),
            json!({}),
        ] {
            let timestamp = Timestamp::from(value.clone());
            assert_eq!(serde_json::to_value(&timestamp).unwrap(), value);
            assert_eq!(Names::default().timestamp(value.clone()), timestamp);
            let told = value.as_array().and_then(|parts| Some((parts[0].as_i64()?, parts[1].as_str()?)));
            assert_eq!(timestamp.parts(), told.filter(|_| value.as_array().map(Vec::len) == Some(2)));
        }
        assert_eq!(Timestamp::new(70, "n1"), Timestamp::from(json!([70, "n1"])));
    }

    #[test]
    fn it_stays_small() {
        assert!(size_of::<Option<Timestamp>>() <= 24, "{} bytes", size_of::<Option<Timestamp>>());
    }
}
