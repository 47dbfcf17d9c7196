//! Text that many events share: functions, keys, nodes, partitions, errors.
//!
//! A history of a million operations says "write", "k7" and "n1" a million times. A [`Name`] is such a text
//! kept once: eight bytes in the event, cheap to clone, compared and ordered as the text that it is. A reader
//! keeps a [`Names`] beside it, which gives out one `Name` for all equal texts that it meets; a [`Reason`]
//! is the same for the JSON of an error. Two names of equal text are equal wherever they come from, so
//! sharing saves memory and time and can never change an answer.
//!
//! What is different in every event (an idempotency token, say) does not belong here: [`Names`] keeps what
//! it has seen for as long as it lives.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::hash::Fast;

/// A short text that many events share. It behaves like the text, and as JSON it is a string.
#[derive(Clone)]
pub struct Name(Arc<Text>);

/// The text behind a thin pointer: an `Arc<str>` would be twice as wide in every event.
struct Text(Box<str>);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.0
    }
}

impl Name {
    /// Where the text is: equal addresses mean equal texts, as long as both names live. Different addresses
    /// mean nothing.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(Arc::new(Text(text.into())))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Arc::new(Text(text.into())))
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::from)
    }
}

/// Why a completion is not `ok`, as the recorder wrote it: a JSON value that many events share.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reason(Arc<Value>);

impl<T: Into<Value>> From<T> for Reason {
    fn from(value: T) -> Self {
        Self(Arc::new(value.into()))
    }
}

impl Deref for Reason {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Borrow<Value> for Reason {
    fn borrow(&self) -> &Value {
        self
    }
}

impl PartialEq<Value> for Reason {
    fn eq(&self, other: &Value) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Value::deserialize(d).map(Self::from)
    }
}

/// Reasons that are kept to be shared. Most systems have a dozen; one that writes a time or an address into
/// each has no use for sharing, and must not fill the memory with what will not come again.
const REASONS_MAX: usize = 1 << 12;

/// A text of up to fifteen bytes: the bytes from the lowest up, and the length on top.
pub(crate) type Letters = (u64, u64);

/// The letters of a text, if it is short enough.
pub(crate) fn letters(text: &str) -> Option<Letters> {
    let bytes = text.as_bytes();
    let mut letters = [0; 16];
    letters[..15].get_mut(..bytes.len())?.copy_from_slice(bytes);
    letters[15] = u8::try_from(bytes.len()).ok()?;
    let (halves, _) = letters.as_chunks::<8>();
    Some((u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])))
}

/// Gives out one [`Name`] for all equal texts, and one [`Reason`] for all equal errors.
#[derive(Debug, Default)]
pub struct Names {
    /// Short texts, which nearly all are, by their letters: to find one of ten thousand keys again, the
    /// table is all that has to be looked at, and not the text behind a pointer.
    short: HashMap<Letters, Name, Fast>,
    long: HashSet<Name, Fast>,
    words: HashMap<Name, Reason, Fast>,
    reasons: HashSet<Reason, Fast>,
}

impl Names {
    /// The name of this text.
    pub fn name(&mut self, text: &str) -> Name {
        if let Some(letters) = letters(text) {
            return self.short.entry(letters).or_insert_with(|| text.into()).clone();
        }
        if let Some(known) = self.long.get(text) {
            return known.clone();
        }
        let name = Name::from(text);
        self.long.insert(name.clone());
        name
    }

    /// The reason that is this one word, the most frequent shape.
    pub(super) fn word(&mut self, text: &str) -> Reason {
        if let Some(known) = self.words.get(text) {
            return known.clone();
        }
        let reason = Reason::from(text);
        if self.words.len() < REASONS_MAX {
            self.words.insert(text.into(), reason.clone());
        }
        reason
    }

    /// The reason that is this value.
    pub(super) fn reason(&mut self, value: Value) -> Reason {
        if let Value::String(text) = &value {
            return self.word(text);
        }
        if let Some(known) = self.reasons.get(&value) {
            return known.clone();
        }
        let reason = Reason::from(value);
        if self.reasons.len() < REASONS_MAX {
            self.reasons.insert(reason.clone());
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_its_text() {
        let (a, b) = (Name::from("k1"), Name::from("k1".to_owned()));
        assert_eq!(a, b);
        assert_eq!(a, "k1");
        let sorted = BTreeSet::from(["k2", "k10", "k1"].map(Name::from));
        assert!(sorted.iter().map(Name::as_str).eq(["k1", "k10", "k2"]));
        assert_eq!(format!("{a}|{a:>4}|{a:?}"), "k1|  k1|\"k1\"");
        assert_eq!(serde_json::to_value(&a).unwrap(), json!("k1"));
        assert_eq!(serde_json::from_value::<Name>(json!("k1")).unwrap(), a);
        assert!(serde_json::from_value::<Name>(json!(1)).is_err());
    }

    #[test]
    fn equal_texts_and_errors_are_kept_once() {
        let mut names = Names::default();
        assert!(Arc::ptr_eq(&names.name("k1").0, &names.name("k1").0));
        for text in ["", "k", "k\0", "k2", "fifteen letters", "sixteen letters!", "k1 and then some more"] {
            assert_eq!(names.name(text), text);
            assert!(Arc::ptr_eq(&names.name(text).0, &names.name(text).0), "{text:?}");
            assert!(!Arc::ptr_eq(&names.name("k1").0, &names.name(text).0), "{text:?}");
        }
        assert_eq!((names.short.len(), names.long.len()), (6, 2));
        let timeout = json!(["timeout", "1 s"]);
        assert!(Arc::ptr_eq(&names.reason(timeout.clone()).0, &names.reason(timeout.clone()).0));
        assert!(Arc::ptr_eq(&names.word("throttled").0, &names.reason(json!("throttled")).0));
        assert_eq!(names.reason(timeout.clone()), timeout);
    }

    #[test]
    fn what_never_comes_again_does_not_fill_the_memory() {
        let mut names = Names::default();
        for n in 0..2 * REASONS_MAX {
            assert_eq!(names.word(&format!("after {n} ms")), json!(format!("after {n} ms")));
            assert_eq!(names.reason(json!(["timeout", n])), json!(["timeout", n]));
        }
        assert_eq!((names.words.len(), names.reasons.len()), (REASONS_MAX, REASONS_MAX));
    }
}
