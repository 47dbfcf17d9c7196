//! Causal contexts, kept small: a history may have one in each of its million events.
//!
//! A store tells which versions an answer has taken in as an object of counters, `{"n1/3": 5, "n2/1": 2}`:
//! every event of an actor up to the counter. As JSON in memory that is a tree of over 600 bytes. Here it is a
//! sorted list of shared names and numbers, 16 bytes for each actor. Anything else that a foreign store may
//! call a context is kept as the JSON that it is, and says nothing.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Name, Names};

/// What a store calls the context of an answer or a request. As JSON it is what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct CausalContext(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// In the order of the actors' names, each once.
    Clock(Box<[(Name, u64)]>),
    Other(Box<Value>),
}

impl CausalContext {
    /// The actors in the order of their names, each with the counter up to which its events are covered; none
    /// if the context is anything but an object of counters.
    #[must_use]
    pub fn clock(&self) -> Option<&[(Name, u64)]> {
        match &self.0 {
            Kind::Clock(entries) => Some(entries),
            Kind::Other(_) => None,
        }
    }

    fn read(value: Value, mut name: impl FnMut(&str) -> Name) -> Self {
        let entries = value.as_object().and_then(|object| {
            // Its entries are in the order of their names.
            object.iter().map(|(actor, counter)| Some((name(actor), counter.as_u64()?))).collect()
        });
        Self(entries.map_or_else(|| Kind::Other(Box::new(value)), Kind::Clock))
    }
}

impl From<Value> for CausalContext {
    fn from(value: Value) -> Self {
        Self::read(value, |actor| actor.into())
    }
}

impl<N: Into<Name>> FromIterator<(N, u64)> for CausalContext {
    /// Of several counters of one actor the greatest counts.
    fn from_iter<I: IntoIterator<Item = (N, u64)>>(entries: I) -> Self {
        let mut entries: Vec<(Name, u64)> =
            entries.into_iter().map(|(actor, counter)| (actor.into(), counter)).collect();
        entries.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        entries.dedup_by(|later, earlier| later.0 == earlier.0);
        Self(Kind::Clock(entries.into()))
    }
}

impl Serialize for CausalContext {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Clock(entries) => s.collect_map(entries.iter().map(|(actor, counter)| (actor, counter))),
            Kind::Other(value) => value.serialize(s),
        }
    }
}

impl Names {
    /// A context whose actors' names are shared.
    pub fn context(&mut self, value: Value) -> CausalContext {
        CausalContext::read(value, |actor| self.name(actor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_clock_is_told_in_the_order_of_its_actors_and_anything_else_as_it_is() {
        for value in
            [json!({}), json!({"n1/1": 3, "n2/1": u64::MAX}), json!({"a": -1}), json!("AgRu"), json!([])]
        {
            let context = CausalContext::from(value.clone());
            assert_eq!(serde_json::to_value(&context).unwrap(), value);
            assert_eq!(Names::default().context(value.clone()), context);
            let counters = value.as_object().is_some_and(|object| object.values().all(Value::is_u64));
            assert_eq!(context.clock().is_some(), counters, "{value}");
        }
        let collected: CausalContext = [("n2/1", 4), ("n1/1", 2), ("n2/1", 3)].into_iter().collect();
        assert_eq!(collected, CausalContext::from(json!({"n1/1": 2, "n2/1": 4})));
        assert_eq!(serde_json::to_string(&collected).unwrap(), r#"{"n1/1":2,"n2/1":4}"#);
    }

    #[test]
    fn it_stays_small() {
        assert!(size_of::<Option<CausalContext>>() <= 24, "{} bytes", size_of::<Option<CausalContext>>());
    }
}
