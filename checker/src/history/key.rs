//! The key of a per-key workload: which object an operation concerns.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Name, Names};

/// A key of a per-key workload. Text and numbers are different keys: `1` is not `"1"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A numeric key.
    Int(i64),
    /// A textual key.
    Text(Name),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Text(s) => f.write_str(s),
        }
    }
}

impl From<&str> for Key {
    fn from(s: &str) -> Self {
        Self::Text(s.into())
    }
}

impl From<String> for Key {
    fn from(s: String) -> Self {
        Self::Text(s.into())
    }
}

impl From<Name> for Key {
    fn from(name: Name) -> Self {
        Self::Text(name)
    }
}

impl From<i64> for Key {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(n) => s.serialize_i64(*n),
            Self::Text(name) => name.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Visitor(&mut Names::default()))
    }
}

/// Reads a key, and shares its text.
pub(super) struct Visitor<'n>(pub(super) &'n mut Names);

impl serde::de::Visitor<'_> for Visitor<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key: text, or an integer of at most 64 bits")
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Key, E> {
        Ok(Key::Int(n))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Key, E> {
        let too_great = |_| E::invalid_value(serde::de::Unexpected::Unsigned(n), &self);
        i64::try_from(n).map(Key::Int).map_err(too_great)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        Ok(Key::Text(self.0.name(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_its_text() {
        let [number, text]: [Key; 2] = serde_json::from_str(r#"[1, "1"]"#).unwrap();
        assert_eq!((&number, &text), (&Key::from(1), &Key::from("1")));
        assert_ne!(number, text);
        assert!(number < text && number.to_string() == text.to_string());
        assert_eq!(serde_json::to_string(&[number, text]).unwrap(), r#"[1,"1"]"#);
    }

    #[test]
    fn a_key_is_text_or_a_signed_integer_of_64_bits() {
        let read = |json| serde_json::from_str::<Key>(json);
        assert_eq!(read("-9223372036854775808").unwrap(), Key::Int(i64::MIN));
        assert_eq!(read("\"\\u00e4\"").unwrap(), Key::from("ä"));
        for bad in ["9223372036854775808", "1.0", "true", "null", "[1]", "{}"] {
            assert!(read(bad).unwrap_err().to_string().contains("a key: text, or an integer"), "{bad}");
        }
    }
}
