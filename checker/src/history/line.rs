//! An event as JSON: one line of a history file, as the contract's section 4 defines it.
//!
//! Written by hand, because a history has millions of lines: text that repeats is shared through a
//! [`Names`], a field that is not known is passed over without being built, and what an event rarely has
//! costs nothing when it is absent. The order of the fields in what is written is part of the format:
//! recorded histories are compared byte for byte.

mod numbers;
mod parts;

use std::fmt;

use parts::{Json, Maybe, Text};
use serde::de::{Error, IgnoredAny, MapAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    CausalContext, Consistency, Event, EventType, Extra, Key, Name, Names, Process, Reason, Timestamp, key,
};

/// An event's fields in the order in which they are written.
#[derive(Serialize)]
struct Line<'e> {
    index: u64,
    time: u64,
    process: Process,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<u64>,
    #[serde(rename = "type")]
    kind: EventType,
    f: &'e Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'e Key>,
    value: &'e Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<Consistency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'e Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'e Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<&'e Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'e CausalContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<&'e CausalContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'e Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    siblings: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'e Name>,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let extra = self.extra();
        Line {
            index: self.index,
            time: self.time,
            process: self.process,
            client: self.client,
            kind: self.kind,
            f: &self.f,
            key: self.key.as_ref(),
            value: &self.value,
            observed: self.observed.as_ref(),
            error: self.error.as_ref(),
            consistency: self.consistency,
            via: self.via.as_ref(),
            node: self.node.as_ref(),
            partition: self.partition.as_ref(),
            intended: self.intended,
            token: extra.token.as_deref(),
            attempt: extra.attempt,
            version: extra.version.as_ref(),
            context: extra.context.as_ref(),
            sent: extra.sent.as_ref(),
            timestamp: extra.timestamp.as_ref(),
            siblings: extra.siblings,
            region: extra.region.as_ref(),
        }
        .serialize(s)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(EventVisitor(&mut Names::default()))
    }
}

impl Names {
    /// Reads an event from one line of JSON; its text is shared with that of the events before. Of an integer
    /// that 64 bits cannot hold it keeps every digit, as a text that ends in `N`.
    ///
    /// # Errors
    ///
    /// When the line is not JSON, or not an event.
    pub fn event(&mut self, line: &[u8]) -> Result<Event, serde_json::Error> {
        let exact = numbers::exact(line);
        let line = exact.as_deref().unwrap_or(line);
        // To look at the whole line once is cheaper than to look at every string in it.
        match str::from_utf8(line) {
            Ok(text) => self.whole(serde_json::Deserializer::from_str(text)),
            Err(_) => self.whole(serde_json::Deserializer::from_slice(line)),
        }
    }

    fn whole<'de, R: serde_json::de::Read<'de>>(
        &mut self,
        mut json: serde_json::Deserializer<R>,
    ) -> Result<Event, serde_json::Error> {
        let event = json.deserialize_map(EventVisitor(self))?;
        json.end()?;
        Ok(event)
    }
}

/// The fields that an event may have.
#[derive(Clone, Copy)]
enum Field {
    Index,
    Time,
    Process,
    Client,
    Kind,
    F,
    Key,
    Value,
    Observed,
    Error,
    Consistency,
    Via,
    Node,
    Partition,
    Intended,
    Token,
    Attempt,
    Version,
    Context,
    Sent,
    Timestamp,
    Siblings,
    Region,
    /// Any other: passed over.
    Other,
}

/// The fields' names, in the order of [`Field`].
const FIELDS: [&str; 23] = [
    "index",
    "time",
    "process",
    "client",
    "type",
    "f",
    "key",
    "value",
    "observed",
    "error",
    "consistency",
    "via",
    "node",
    "partition",
    "intended",
    "token",
    "attempt",
    "version",
    "context",
    "sent",
    "timestamp",
    "siblings",
    "region",
];

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
                Ok(match name {
                    "index" => Field::Index,
                    "time" => Field::Time,
                    "process" => Field::Process,
                    "client" => Field::Client,
                    "type" => Field::Kind,
                    "f" => Field::F,
                    "key" => Field::Key,
                    "value" => Field::Value,
                    "observed" => Field::Observed,
                    "error" => Field::Error,
                    "consistency" => Field::Consistency,
                    "via" => Field::Via,
                    "node" => Field::Node,
                    "partition" => Field::Partition,
                    "intended" => Field::Intended,
                    "token" => Field::Token,
                    "attempt" => Field::Attempt,
                    "version" => Field::Version,
                    "context" => Field::Context,
                    "sent" => Field::Sent,
                    "timestamp" => Field::Timestamp,
                    "siblings" => Field::Siblings,
                    "region" => Field::Region,
                    _ => Field::Other,
                })
            }
        }
        d.deserialize_identifier(Visitor)
    }
}

/// An event of which some fields have been read.
#[derive(Default)]
struct Draft {
    /// A bit for each [`Field`] that was there.
    seen: u32,
    index: u64,
    time: u64,
    process: Option<Process>,
    client: Option<u64>,
    kind: Option<EventType>,
    f: Option<Name>,
    key: Option<Key>,
    value: Value,
    observed: Option<Value>,
    error: Option<Reason>,
    consistency: Option<Consistency>,
    via: Option<Name>,
    node: Option<Name>,
    partition: Option<Name>,
    intended: Option<u64>,
    extra: Option<Box<Extra>>,
}

impl Draft {
    /// Reads the value of a field.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        field: Field,
        map: &mut A,
        names: &mut Names,
    ) -> Result<(), A::Error> {
        if let Some(name) = FIELDS.get(field as usize) {
            let bit = 1 << (field as u32);
            if self.seen & bit != 0 {
                return Err(A::Error::duplicate_field(name));
            }
            self.seen |= bit;
        }
        match field {
            Field::Index => self.index = map.next_value()?,
            Field::Time => self.time = map.next_value()?,
            Field::Process => self.process = Some(map.next_value()?),
            Field::Client => self.client = map.next_value()?,
            Field::Kind => self.kind = Some(map.next_value()?),
            Field::F => self.f = Some(map.next_value_seed(Text(names))?),
            Field::Key => self.key = map.next_value_seed(Maybe(key::Visitor(names)))?,
            Field::Value => self.value = map.next_value_seed(Json)?,
            Field::Observed => self.observed = Some(map.next_value_seed(Json)?),
            Field::Error => {
                self.error = map.next_value_seed(Maybe(Json))?.map(|value| names.reason(value));
            }
            Field::Consistency => self.consistency = map.next_value()?,
            Field::Via => self.via = map.next_value_seed(Maybe(Text(names)))?,
            Field::Node => self.node = map.next_value_seed(Maybe(Text(names)))?,
            Field::Partition => self.partition = map.next_value_seed(Maybe(Text(names)))?,
            Field::Intended => self.intended = map.next_value()?,
            Field::Token => self.extra().token = map.next_value()?,
            Field::Attempt => self.extra().attempt = map.next_value()?,
            Field::Version => self.extra().version = map.next_value()?,
            Field::Context => {
                self.extra().context = map.next_value_seed(Maybe(Json))?.map(|value| names.context(value));
            }
            Field::Sent => {
                self.extra().sent = map.next_value_seed(Maybe(Json))?.map(|value| names.context(value));
            }
            Field::Timestamp => {
                self.extra().timestamp =
                    map.next_value_seed(Maybe(Json))?.map(|value| names.timestamp(value));
            }
            Field::Siblings => self.extra().siblings = map.next_value()?,
            Field::Region => self.extra().region = map.next_value_seed(Maybe(Text(names)))?,
            Field::Other => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The event, if nothing is missing that it must have.
    fn finish<E: Error>(self) -> Result<Event, E> {
        Ok(Event {
            index: self.index,
            time: self.time,
            process: self.process.ok_or_else(|| E::missing_field("process"))?,
            client: self.client,
            kind: self.kind.ok_or_else(|| E::missing_field("type"))?,
            f: self.f.ok_or_else(|| E::missing_field("f"))?,
            key: self.key,
            value: self.value,
            observed: self.observed,
            error: self.error,
            consistency: self.consistency,
            via: self.via,
            node: self.node,
            partition: self.partition,
            intended: self.intended,
            extra: self.extra.filter(|extra| **extra != Extra::NOTHING),
        })
    }
}

struct EventVisitor<'n>(&'n mut Names);

impl<'de> serde::de::Visitor<'de> for EventVisitor<'_> {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut draft = Draft::default();
        while let Some(field) = map.next_key()? {
            draft.take(field, &mut map, self.0)?;
        }
        draft.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Event, String> {
        let event = Names::default().event(line.as_bytes()).map_err(|e| e.to_string());
        assert_eq!(event, serde_json::from_str(line).map_err(|e| e.to_string()), "one reader, two doors");
        event
    }

    #[test]
    fn every_field_comes_back_and_in_the_same_place() {
        let whole = concat!(
            r#"{"index":7,"time":9,"process":3,"client":1,"type":"fail","f":"cas","key":"k7","value":[1,null],"#,
            r#""observed":null,"error":["condition-failed",1.5],"consistency":"eventual","via":"get","#,
            r#""node":"n1","partition":"p2","intended":8,"token":"t-1","attempt":2,"version":[1,2,3],"#,
            r#""context":{"a":[]},"sent":{"a":3},"timestamp":-4,"siblings":2,"region":"eu"}"#
        );
        let least = r#"{"index":0,"time":0,"process":"nemesis","type":"info","f":"kill","value":null}"#;
        for line in [whole, least] {
            assert_eq!(serde_json::to_string(&read(line).unwrap()).unwrap(), line);
        }
        assert!(FIELDS.iter().all(|field| whole.contains(&format!("\"{field}\":"))));
    }

    #[test]
    fn an_absent_observed_is_not_a_null_one() {
        let observed = |field: &str| {
            read(&format!(r#"{{"process":1,"type":"ok","f":"write"{field}}}"#)).unwrap().observed
        };
        assert_eq!(observed(""), None);
        assert_eq!(observed(r#","observed":null"#), Some(Value::Null));
        assert_eq!(observed(r#","observed":"9""#), Some("9".into()));
    }

    #[test]
    fn null_is_as_good_as_absent_where_a_field_is_optional() {
        let plain = r#"{"process":1,"type":"ok","f":"write""#;
        let optional = "client key error consistency via node partition intended token attempt version sent siblings region";
        for field in optional.split(' ') {
            assert_eq!(read(&format!("{plain},\"{field}\":null}}")), read(&format!("{plain}}}")), "{field}");
        }
    }

    #[test]
    fn the_order_of_the_fields_and_unknown_ones_do_not_matter() {
        let event =
            read(r#"{"\u0066":"re\u0061d","x":{"f":[1,{}]},"key":1,"type":"invoke","y":null,"process":4}"#);
        let mut expected = Event::new(Process::Client(4), EventType::Invoke, "read", Value::Null);
        expected.key = Some(1.into());
        assert_eq!(event, Ok(expected));
    }

    #[test]
    fn values_of_every_shape_come_back() {
        for value in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1.5",
            "\"ä\\n\"",
            "[]",
            "[1]",
            "[[1],[2,[3]]]",
            "[1,2,3,4,5]",
            r#"{"a":1,"b":[{}]}"#,
        ] {
            let line = format!(r#"{{"process":1,"type":"ok","f":"f","value":{value},"version":{value}}}"#);
            let expected: Value = serde_json::from_str(value).unwrap();
            let event = read(&line).unwrap();
            assert_eq!(
                (&event.value, event.extra().version.clone().unwrap_or_default()),
                (&expected, expected.clone())
            );
        }
    }

    #[test]
    fn integers_beyond_64_bits_stay_different() {
        let value = |value: &str| {
            let line = format!(r#"{{"process":1,"type":"ok","f":"read","key":{value},"value":[{value}]}}"#);
            let event = Names::default().event(line.as_bytes()).unwrap();
            (event.key, event.value)
        };
        let (one, other) = ("18446744073709551617", "18446744073709551618");
        assert_ne!(value(one), value(other));
        assert_ne!(value(one), value(&format!("\"{one}\"")));
        assert_eq!(value(one).1, serde_json::json!(["18446744073709551617N"]));
    }

    #[test]
    fn what_is_no_event_is_refused_with_the_reason() {
        let refused = [
            (r#"{"type":"ok","f":"read"}"#, "missing field `process`"),
            (r#"{"process":1,"f":"read"}"#, "missing field `type`"),
            (r#"{"process":1,"type":"ok"}"#, "missing field `f`"),
            (r#"{"process":1,"type":"ok","f":null}"#, "invalid type: null, expected a string"),
            (r#"{"process":1,"process":1,"type":"ok","f":"f"}"#, "duplicate field `process`"),
            (r#"{"process":1,"type":"ok","f":"f","observed":1,"observed":1}"#, "duplicate field `observed`"),
            (r#"{"process":"n1","type":"ok","f":"f"}"#, "a process number or \"nemesis\""),
            (r#"{"process":1,"type":"maybe","f":"f"}"#, "unknown variant `maybe`"),
            (r#"{"process":1,"type":"ok","f":"f","key":1.5}"#, "expected a key"),
            (r#"{"process":1,"type":"ok","f":"f","node":7}"#, "invalid type: integer `7`, expected a string"),
            (r#"{"process":1,"type":"ok","f":"f","consistency":"strong"}"#, "unknown variant `strong`"),
            ("[1]", "expected an object with the fields of an event"),
            (r#"{"process":1,"type":"ok","f":"f"} x"#, "trailing characters"),
            (r#"{"process":1,"type":"ok","f":"f""#, "EOF while parsing"),
        ];
        for (line, reason) in refused {
            let error = read(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn an_event_stays_small() {
        assert!(size_of::<Event>() <= 200, "{} bytes", size_of::<Event>());
    }
}
