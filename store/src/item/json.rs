//! DynamoDB's JSON for attribute values: `{"S": "text"}`, `{"N": "1.5"}`, `{"M": {…}}`.
//!
//! Writing is [`Wire`], a view that serialises a value or an item in that form. Reading happens in
//! two steps, because DynamoDB tells two kinds of mistake apart: [`RawValue`] accepts what has the
//! right JSON types (else it is a SerializationException), and [`RawValue::check`] turns it into an
//! [`AttributeValue`] or says in DynamoDB's words what is wrong (a ValidationException).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::number::{Number, NumberError};
use super::value::{AttributeValue, Item, MAX_DEPTH};

/// A view of a value, an item or a list of items that serialises as DynamoDB's JSON.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a, T: ?Sized>(pub &'a T);

impl Serialize for Wire<'_, AttributeValue> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            AttributeValue::S(text) => map.serialize_entry("S", text)?,
            AttributeValue::N(number) => map.serialize_entry("N", &Shown(number))?,
            AttributeValue::B(bytes) => map.serialize_entry("B", &STANDARD.encode(bytes))?,
            AttributeValue::Bool(value) => map.serialize_entry("BOOL", value)?,
            AttributeValue::Null => map.serialize_entry("NULL", &true)?,
            AttributeValue::L(list) => map.serialize_entry("L", &Wire(list.as_slice()))?,
            AttributeValue::M(members) => map.serialize_entry("M", &Wire(members))?,
            AttributeValue::Ss(set) => map.serialize_entry("SS", set)?,
            AttributeValue::Ns(set) => map.serialize_entry("NS", &Each(set.iter().map(Shown)))?,
            AttributeValue::Bs(set) => {
                map.serialize_entry("BS", &Each(set.iter().map(|bytes| STANDARD.encode(bytes))))?;
            }
        }
        map.end()
    }
}

impl Serialize for Wire<'_, Item> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Wire(value))))
    }
}

impl Serialize for Wire<'_, [AttributeValue]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Wire))
    }
}

impl Serialize for Wire<'_, [Item]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Wire))
    }
}

/// Serialises as the text that `Display` gives.
struct Shown<'a>(&'a Number);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// Serialises an iterator as a sequence.
struct Each<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for element in self.0.clone() {
            seq.serialize_element(&element)?;
        }
        seq.end()
    }
}

/// A value as it came: members of the right JSON types, not yet known to make sense.
#[derive(Clone, Debug, Default)]
pub struct RawValue {
    s: Option<String>,
    n: Option<String>,
    b: Option<RawBytes>,
    bool: Option<bool>,
    null: Option<bool>,
    l: Option<Vec<RawValue>>,
    m: Option<RawItem>,
    ss: Option<Vec<String>>,
    ns: Option<Vec<String>>,
    bs: Option<Vec<RawBytes>>,
}

/// The members that a value may have; others are ignored, as DynamoDB does.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Member {
    S,
    N,
    B,
    Bool,
    Null,
    L,
    M,
    Ss,
    Ns,
    Bs,
    #[serde(other)]
    Other,
}

/// By hand, since a derived one would take a JSON array for the members in their order.
impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
                let mut raw = RawValue::default();
                while let Some(member) = map.next_key()? {
                    match member {
                        Member::S => raw.s = map.next_value()?,
                        Member::N => raw.n = map.next_value()?,
                        Member::B => raw.b = map.next_value()?,
                        Member::Bool => raw.bool = map.next_value()?,
                        Member::Null => raw.null = map.next_value()?,
                        Member::L => raw.l = map.next_value()?,
                        Member::M => raw.m = map.next_value()?,
                        Member::Ss => raw.ss = map.next_value()?,
                        Member::Ns => raw.ns = map.next_value()?,
                        Member::Bs => raw.bs = map.next_value()?,
                        Member::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// An item, key or map of placeholders as it came.
pub type RawItem = BTreeMap<String, RawValue>;

/// What is wrong with a value as it came. The texts are DynamoDB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No member of a known type.
    #[error("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")]
    Empty,
    /// More than one member.
    #[error(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
    )]
    SeveralTypes,
    /// A text that is no number, or one out of range.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// `NULL` with another value than true.
    #[error(
        "One or more parameter values were invalid: Null attribute value types must have the value of true"
    )]
    NullNotTrue,
    /// A set without members.
    #[error("One or more parameter values were invalid: {0} not be empty")]
    EmptySet(&'static str),
    /// A set with a member twice.
    #[error("One or more parameter values were invalid: Input collection {0} contains duplicates.")]
    Duplicates(String),
    /// A set of numbers with a number twice.
    #[error("Input collection contains duplicates")]
    DuplicateNumbers,
    /// Lists and maps nest deeper than 32 levels.
    #[error(
        "Nesting Levels have exceeded supported limits: Attributes have nested levels beyond supported limit"
    )]
    TooDeep,
}

impl RawValue {
    /// The value, when it makes sense.
    ///
    /// # Errors
    /// What DynamoDB would say of it.
    pub fn check(self) -> Result<AttributeValue, ValueError> {
        self.check_at(0)
    }

    fn check_at(self, depth: usize) -> Result<AttributeValue, ValueError> {
        match self.members() {
            0 => return Err(ValueError::Empty),
            1 => {}
            _ => return Err(ValueError::SeveralTypes),
        }
        if let Some(text) = self.s {
            return Ok(AttributeValue::S(text));
        }
        if let Some(text) = self.n {
            return Ok(AttributeValue::N(text.parse()?));
        }
        if let Some(bytes) = self.b {
            return Ok(AttributeValue::B(bytes.0));
        }
        if let Some(value) = self.bool {
            return Ok(AttributeValue::Bool(value));
        }
        if let Some(value) = self.null {
            return if value { Ok(AttributeValue::Null) } else { Err(ValueError::NullNotTrue) };
        }
        if let Some(texts) = self.ss {
            return string_set(&texts);
        }
        if let Some(texts) = self.ns {
            return number_set(&texts);
        }
        if let Some(members) = self.bs {
            return binary_set(members);
        }
        if depth == MAX_DEPTH {
            return Err(ValueError::TooDeep);
        }
        if let Some(members) = self.m {
            let checked = members.into_iter().map(|(name, value)| Ok((name, value.check_at(depth + 1)?)));
            return Ok(AttributeValue::M(checked.collect::<Result<_, ValueError>>()?));
        }
        let list = self.l.unwrap_or_default().into_iter().map(|value| value.check_at(depth + 1));
        Ok(AttributeValue::L(list.collect::<Result<_, _>>()?))
    }

    fn members(&self) -> usize {
        [
            self.s.is_some(),
            self.n.is_some(),
            self.b.is_some(),
            self.bool.is_some(),
            self.null.is_some(),
            self.l.is_some(),
            self.m.is_some(),
            self.ss.is_some(),
            self.ns.is_some(),
            self.bs.is_some(),
        ]
        .into_iter()
        .map(usize::from)
        .sum()
    }
}

/// Checks every value of an item, key or map of placeholders.
///
/// # Errors
/// What DynamoDB would say of the first wrong one.
pub fn check_item(raw: RawItem) -> Result<Item, ValueError> {
    raw.into_iter().map(|(name, value)| Ok((name, value.check()?))).collect()
}

fn string_set(texts: &[String]) -> Result<AttributeValue, ValueError> {
    let count = texts.len();
    if count == 0 {
        return Err(ValueError::EmptySet("An string set  may"));
    }
    let shown = || format!("[{}]", texts.join(", "));
    let set: BTreeSet<String> = texts.iter().cloned().collect();
    if set.len() < count { Err(ValueError::Duplicates(shown())) } else { Ok(AttributeValue::Ss(set)) }
}

fn number_set(texts: &[String]) -> Result<AttributeValue, ValueError> {
    if texts.is_empty() {
        return Err(ValueError::EmptySet("An number set  may"));
    }
    let set = texts.iter().map(|text| text.parse()).collect::<Result<BTreeSet<Number>, _>>()?;
    if set.len() < texts.len() { Err(ValueError::DuplicateNumbers) } else { Ok(AttributeValue::Ns(set)) }
}

fn binary_set(members: Vec<RawBytes>) -> Result<AttributeValue, ValueError> {
    let count = members.len();
    if count == 0 {
        return Err(ValueError::EmptySet("Binary sets should"));
    }
    let shown: Vec<String> = members.iter().map(|bytes| STANDARD.encode(&bytes.0)).collect();
    let set: BTreeSet<Bytes> = members.into_iter().map(|bytes| bytes.0).collect();
    if set.len() < count {
        return Err(ValueError::Duplicates(format!("[{}]", shown.join(", "))));
    }
    Ok(AttributeValue::Bs(set))
}

/// Binary data that came as base64.
#[derive(Clone, Debug)]
struct RawBytes(Bytes);

impl<'de> Deserialize<'de> for RawBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;
        impl Visitor<'_> for Base64 {
            type Value = RawBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawBytes, E> {
                let bytes =
                    STANDARD.decode(text).map_err(|error| E::custom(format!("invalid base64: {error}")))?;
                Ok(RawBytes(bytes.into()))
            }
        }
        deserializer.deserialize_str(Base64)
    }
}
