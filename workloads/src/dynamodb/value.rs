//! Attribute values, as much of them as the workloads write and read.
//!
//! Requests borrow what they send and are serialised straight into the body; answers are read into a small
//! [`Item`]. Numbers travel as strings, as DynamoDB's wire format wants it.

use std::collections::BTreeMap;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// A string attribute to be sent: `{"S": "…"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub &'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = serializer.serialize_struct("Text", 1)?;
        value.serialize_field("S", self.0)?;
        value.end()
    }
}

/// A number attribute to be sent: `{"N": "…"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub i64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Digits(i64);
        impl Serialize for Digits {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        let mut value = serializer.serialize_struct("Number", 1)?;
        value.serialize_field("N", &Digits(self.0))?;
        value.end()
    }
}

/// A list of numbers to be sent: `{"L": [{"N": "…"}, …]}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers<'a>(pub &'a [i64]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct List<'a>(&'a [i64]);
        impl Serialize for List<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().map(|number| Number(*number)))
            }
        }
        let mut value = serializer.serialize_struct("Numbers", 1)?;
        value.serialize_field("L", &List(self.0))?;
        value.end()
    }
}

/// Pairs that are sent as a JSON object, without a map being built for them.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a, V>(pub &'a [(&'a str, V)]);

impl<V: Serialize> Serialize for Pairs<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// An attribute value as a server returned it. Types that no workload writes leave all fields empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeValue {
    /// A string.
    #[serde(rename = "S", default, skip_serializing_if = "Option::is_none")]
    pub s: Option<String>,
    /// A number, in the digits that the server sent.
    #[serde(rename = "N", default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// A list.
    #[serde(rename = "L", default, skip_serializing_if = "Option::is_none")]
    pub l: Option<Vec<AttributeValue>>,
}

impl AttributeValue {
    /// The value as a history records it: an integer where it is one, a list as an array, else the text that
    /// came.
    ///
    /// Something that no workload wrote comes out as a string that no workload writes, so that a checker
    /// sees a value out of nowhere rather than none.
    #[must_use]
    pub fn recorded(&self) -> Value {
        match (&self.n, &self.s, &self.l) {
            (Some(n), ..) => n.parse::<i64>().map_or_else(|_| Value::from(n.as_str()), Value::from),
            (None, Some(s), _) => Value::from(s.as_str()),
            (None, None, Some(list)) => list.iter().map(Self::recorded).collect(),
            (None, None, None) => Value::from("not a number, a string or a list"),
        }
    }
}

/// An item as a server returned it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Item(pub BTreeMap<String, AttributeValue>);

impl Item {
    /// What the attribute `name` holds, as a history records it; a text that says so where it has none.
    #[must_use]
    pub fn recorded(&self, name: &str) -> Value {
        self.0.get(name).map_or_else(|| Value::from(format!("no attribute {name}")), AttributeValue::recorded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_travel_as_strings() {
        let sent = serde_json::to_value(Pairs(&[("a", Number(-7)), ("b", Number(3))])).unwrap();
        assert_eq!(sent, json!({"a": {"N": "-7"}, "b": {"N": "3"}}));
        assert_eq!(serde_json::to_value(Text("x")).unwrap(), json!({"S": "x"}));
        let list = serde_json::to_value(Numbers(&[-7, 3])).unwrap();
        assert_eq!(list, json!({"L": [{"N": "-7"}, {"N": "3"}]}));
        let back: AttributeValue = serde_json::from_value(list).unwrap();
        assert_eq!(back.recorded(), json!([-7, 3]));
    }

    #[test]
    fn what_nobody_wrote_is_recorded_as_a_value_and_never_as_absent() {
        let item: Item = serde_json::from_value(json!({"v": {"BOOL": true}, "n": {"N": "12"}})).unwrap();
        assert_eq!(item.recorded("n"), json!(12));
        assert!(item.recorded("v").is_string());
        assert!(item.recorded("missing").is_string());
    }
}
