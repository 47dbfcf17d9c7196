//! The models that the contract names, and how to tell from a history which one it is.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::history::{Event, EventType, Process};

/// One model, as `growler list models` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Its name after `--model`.
    pub name: &'static str,
    /// The object and its functions, in one line.
    pub about: &'static str,
    /// Whether this version has a check for it.
    pub checked: bool,
}

const fn model(name: &'static str, checked: bool, about: &'static str) -> Info {
    Info { name, about, checked }
}

/// Every model of the contract.
#[must_use]
pub fn catalogue() -> &'static [Info] {
    CATALOGUE
}

const CATALOGUE: &[Info] = &[
    model("register", true, "one item per key: `write` v (null deletes), `read`"),
    model("cas-register", true, "a register with conditional writes: `cas` [old, new]"),
    model(
        "multi-register",
        true,
        "several registers behind one object: `txn` of `[\"r\", k, v]` and `[\"w\", k, v]`",
    ),
    model("counter", true, "`add` d, `read` n"),
    model("set", true, "`add` e, `remove` e, `read` [e, …]"),
    model("cart", true, "`add` e, `remove` e, `read` [e, …] after merging siblings"),
    model("queue", true, "first in, first out: `enqueue` e, `dequeue` (null: it was empty)"),
    model("kv", true, "one string per key, empty at first: `get`, `put`, `append`"),
    model("bank", true, "accounts: `transfer` {from, to, amount}, `read` {account: balance}"),
    model("mutex", true, "`acquire`, `release`, with the holder's fencing token"),
    model("list-append", false, "transactions of appends to lists and reads of them: `txn`, as Elle's"),
    model("rw-register", false, "transactions of writes to registers and reads of them: `txn`, as Elle's"),
];

/// The catalogue's entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Info> {
    CATALOGUE.iter().find(|model| model.name == name)
}

/// Why the model cannot be told from a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// There is no operation.
    #[error("the history has no operation of a client, so its model cannot be told; name it with --model")]
    Empty,
    /// The functions fit no model, or several.
    #[error("the functions {functions} do not tell the model: {fitting}; name it with --model")]
    Ambiguous {
        /// The functions in the history.
        functions: String,
        /// The models that have all of them.
        fitting: String,
    },
}

/// The functions that each model has, for those that can be told by them alone.
const FUNCTIONS: &[(&str, &[&str])] = &[
    ("register", &["read", "write"]),
    ("cas-register", &["read", "write", "cas"]),
    ("counter", &["add", "read"]),
    ("set", &["add", "remove", "read"]),
    ("cart", &["add", "remove", "read"]),
    ("queue", &["enqueue", "dequeue"]),
    ("kv", &["get", "put", "append"]),
    ("bank", &["transfer", "read"]),
    ("mutex", &["acquire", "release"]),
];

/// The model of a history, told from its functions (and, for transactions, from what they consist of).
///
/// # Errors
///
/// An [`InferError`] where they fit no model, or more than one.
pub fn infer_model(events: &[Event]) -> Result<&'static str, InferError> {
    let is_call = |event: &&Event| event.kind == EventType::Invoke && event.process != Process::Nemesis;
    let calls = || events.iter().filter(is_call).filter(|event| event.f != "replica-read");
    let functions: BTreeSet<&str> = calls().map(|event| event.f.as_str()).collect();
    if functions.is_empty() {
        return Err(InferError::Empty);
    }
    let mut fitting: Vec<&'static str> = if functions.iter().eq(["txn"].iter()) {
        transactional(calls())
    } else {
        let fits = |known: &[&str]| functions.iter().all(|f| known.contains(f));
        FUNCTIONS.iter().filter(|(_, known)| fits(known)).map(|&(name, _)| name).collect()
    };
    // Where a register will do, a cas-register says the same.
    if fitting.starts_with(&["register", "cas-register"]) && functions.contains("write") {
        fitting.truncate(1);
    }
    // Sums are no lists of elements.
    if functions.iter().eq(["add", "read"].iter()) {
        let is_read = |event: &&Event| event.kind == EventType::Ok && event.f == "read";
        let mut sums = events.iter().filter(is_read).map(|event| &event.value);
        match sums.find(|value| !value.is_null()) {
            Some(Value::Number(_)) => fitting.retain(|&name| name == "counter"),
            Some(Value::Array(_)) => fitting.retain(|&name| name != "counter"),
            _ => {}
        }
    }
    // Reads alone: only a bank's are objects.
    if functions.iter().eq(["read"].iter()) {
        let is_read = |event: &&Event| event.kind == EventType::Ok && event.process != Process::Nemesis;
        let mut read = events.iter().filter(is_read).map(|event| &event.value);
        fitting = match read.find(|value| !value.is_null()) {
            Some(Value::Object(_)) => vec!["bank"],
            Some(Value::Array(_)) => vec!["set", "cart"],
            Some(_) | None => vec!["register"],
        };
    }
    match fitting.as_slice() {
        &[name] => Ok(name),
        fitting => Err(InferError::Ambiguous {
            functions: quoted(functions.iter().copied()),
            fitting: if fitting.is_empty() {
                "no model has them all".to_owned()
            } else {
                format!("{} have them", quoted(fitting.iter().copied()))
            },
        }),
    }
}

fn quoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Appends tell list-append, writes tell rw-register; reads alone tell nothing.
fn transactional<'e>(calls: impl Iterator<Item = &'e Event>) -> Vec<&'static str> {
    let steps: BTreeSet<&str> = calls
        .filter_map(|event| event.value.as_array())
        .flatten()
        .filter_map(|step| step.get(0).and_then(Value::as_str))
        .collect();
    match (steps.contains("append"), steps.contains("w")) {
        (true, false) => vec!["list-append"],
        (false, true) => vec!["rw-register"],
        _ => vec!["list-append", "rw-register"],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::HistoryBuilder;

    #[test]
    fn the_functions_tell_the_model() {
        let register = HistoryBuilder::new().write(0, 1).read(1, 1).events();
        assert_eq!(infer_model(&register), Ok("register"));
        let cas = HistoryBuilder::new().write(0, 1).cas(0, 1, 2).events();
        assert_eq!(infer_model(&cas), Ok("cas-register"));
        let bank = HistoryBuilder::new().invoke(0, "transfer", json!({})).read(1, json!({"a": 1})).events();
        assert_eq!(infer_model(&bank), Ok("bank"));
        let txn = HistoryBuilder::new().invoke(0, "txn", json!([["r", 1, null], ["append", 1, 2]])).events();
        assert_eq!(infer_model(&txn), Ok("list-append"));
        assert_eq!(infer_model(&HistoryBuilder::new().read(0, 4).events()), Ok("register"));
        assert_eq!(infer_model(&HistoryBuilder::new().read(0, json!({"a": 4})).events()), Ok("bank"));
    }

    #[test]
    fn what_is_read_tells_a_counter_from_a_set() {
        let adds = || HistoryBuilder::new().invoke(0, "add", 1).ok(0, 1);
        assert_eq!(infer_model(&adds().read(1, 1).events()), Ok("counter"));
        let message = infer_model(&adds().read(1, json!([1])).events()).unwrap_err().to_string();
        assert!(message.contains("`set`, `cart`") && !message.contains("counter"), "{message}");
    }

    #[test]
    fn what_cannot_be_told_is_asked_for() {
        assert_eq!(infer_model(&[]), Err(InferError::Empty));
        let adds = HistoryBuilder::new().invoke(0, "add", 1).invoke(1, "read", ()).events();
        let message = infer_model(&adds).unwrap_err().to_string();
        assert!(message.contains("`counter`, `set`, `cart`") && message.contains("--model"), "{message}");
        let odd = HistoryBuilder::new().invoke(0, "dance", 1).events();
        assert!(infer_model(&odd).unwrap_err().to_string().contains("no model"));
    }

    #[test]
    fn every_model_with_functions_is_listed() {
        assert!(FUNCTIONS.iter().all(|(name, _)| find(name).is_some()));
    }
}
