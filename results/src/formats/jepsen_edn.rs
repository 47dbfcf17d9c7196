//! Jepsen's histories: one EDN map an event.
//!
//! ```text
//! {:type :invoke, :process 0, :f :read, :value nil, :time 3291485317, :index 0}
//! {:type :ok,     :process 0, :f :read, :value 3,   :time 3302143283, :index 1}
//! {:type :info,   :process :nemesis, :f :start, :value nil}
//! ```
//!
//! One map a line, or all of them in a vector or list; plain maps or records (`#jepsen.history.Op{…}`). Real
//! time is the order in the file, as in Jepsen. What differs from growler's own histories:
//!
//! - `:nemesis` is no client, and its events are only shown. Other clients may have names instead of numbers.
//! - Jepsen's `:fail` says that the operation did not happen, and nothing else: not what the condition met,
//!   not even that it was evaluated. So nothing that such a history says becomes `observed`, and an error
//!   that is spelled like the contract's `condition-failed` is put into an array, where it means nothing.
//! - Keys may be inside the values ([`super::independent`]).
//! - Transactions may leave out their `:f`, as in Elle's examples; events may leave out the `:process`.
//!
//! Porcupine's key-value histories are the same with `:key`, and only `get`, `put` and `append`.

use std::io::Read;

use growler_checker::history::{Consistency, Event, EventType, Key, Process};
use serde_json::Value;

use super::collect::{Collector, Said, Who};
use super::edn::{Flaw, Form, Node, Position, Reader};
use super::values::{Words, plain};
use crate::history::History;

/// Which dialect is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Jepsen,
    /// Porcupine's key-value files.
    KeyValue,
}

/// Reads a history to its end.
pub(super) fn read(input: impl Read, dialect: Dialect) -> Result<History, Flaw> {
    let mut forms = Reader::new(input);
    let mut collector = Collector::default();
    let mut words = Words::default();
    loop {
        let form = match forms.next() {
            Ok(Some(form)) => form,
            Ok(None) => break,
            // Where nothing is whole there is nothing to judge.
            Err(flaw) if !collector.is_empty() && forms.only_the_last_line_is_cut(&flaw) => {
                let line = forms.position().line;
                collector.warn(format!(
                    "the history is cut short at line {line} ({}): what is whole is read",
                    flaw.reason
                ));
                break;
            }
            Err(flaw) => return Err(flaw),
        };
        let at = form.at;
        let (event, said) = event_of(form, &mut words)?;
        if dialect == Dialect::KeyValue {
            refuse_other_objects(&event, &said, at)?;
        }
        collector.push(event, said, at)?;
    }
    collector.finish()
}

/// What a map says, field by field.
#[derive(Default)]
struct Fields {
    process: Option<Form>,
    kind: Option<Form>,
    f: Option<Form>,
    key: Option<Form>,
    value: Option<Form>,
    error: Option<Form>,
    time: Option<Form>,
    index: Option<Form>,
    client: Option<Form>,
    node: Option<Form>,
    consistency: Option<Form>,
}

impl Fields {
    fn of(form: Form) -> Result<Self, Flaw> {
        let at = form.at;
        let entries = match form.node {
            Node::Map(entries) => entries,
            Node::Tagged(_, inner) if matches!(inner.node, Node::Map(_)) => return Self::of(*inner),
            node => {
                let found = node.describe();
                return Err(Flaw::new(
                    at,
                    format!(
                        "an operation should be here, a map such as {{:process 0, :type :invoke, :f :read}}, not {found}"
                    ),
                ));
            }
        };
        let mut fields = Self::default();
        for (name, value) in entries {
            let Node::Keyword(name) = name.node else { continue };
            let place = match name.as_str() {
                "process" => &mut fields.process,
                "type" => &mut fields.kind,
                "f" => &mut fields.f,
                "key" => &mut fields.key,
                "value" => &mut fields.value,
                "error" => &mut fields.error,
                "time" => &mut fields.time,
                "index" => &mut fields.index,
                "client" => &mut fields.client,
                "node" => &mut fields.node,
                "consistency" => &mut fields.consistency,
                _ => continue,
            };
            *place = Some(value).filter(|value| value.node != Node::Nil || name == "value");
        }
        Ok(fields)
    }
}

/// One operation's event, and what it left out.
fn event_of(form: Form, words: &mut Words) -> Result<(Event, Said), Flaw> {
    let at = form.at;
    let fields = Fields::of(form)?;
    let who = fields.process.as_ref().map(who_of).transpose()?;
    let kind = kind_of(fields.kind.as_ref(), at)?;
    // What is only told by a process with a name may be a nemesis' as well.
    let is_client = match &who {
        Some(Who::Named(_)) => kind != EventType::Info,
        who => *who != Some(Who::Nemesis),
    };
    let f = match &fields.f {
        Some(form) => function_of(form, is_client)?,
        None if fields.value.as_ref().is_some_and(is_transaction) => "txn".to_owned(),
        None if is_client => return Err(Flaw::new(at, "this operation has no :f")),
        None => "nil".to_owned(),
    };
    let value = match fields.value {
        Some(value) if is_client => argument(&f, words.value(value)?),
        Some(value) => plain(value)?,
        None => Value::Null,
    };
    let f = words.names.name(&f);
    // The collector says whose it is.
    let mut event = Event::new(Process::Nemesis, kind, f, value);
    if is_client {
        event.key = fields.key.map(|key| key_of(key, words)).transpose()?;
    }
    event.error = fields.error.map(error_of).transpose()?.map(Into::into);
    event.client = fields.client.as_ref().and_then(whole).and_then(|n| u64::try_from(n).ok());
    event.node = fields.node.as_ref().and_then(name_of).map(|name| words.names.name(name));
    let eventual = fields.consistency.as_ref().and_then(name_of) == Some("eventual");
    event.consistency = eventual.then_some(Consistency::Eventual);
    let said = Said {
        index: match &fields.index {
            // Old versions of Jepsen write -1 before indexes are given.
            Some(form) => match whole(form) {
                Some(n) => u64::try_from(n).ok(),
                None => return Err(Flaw::new(form.at, "an :index should be an integer")),
            },
            None => None,
        },
        time: match &fields.time {
            Some(form) => Some(time_of(form)?),
            None => None,
        },
        process: who,
    };
    Ok((event, said))
}

/// Whose an event is.
pub(super) fn who_of(form: &Form) -> Result<Who, Flaw> {
    match (&form.node, whole(form)) {
        (_, Some(n)) if n >= 0 => Ok(Who::Numbered(n.unsigned_abs())),
        _ if name_of(form) == Some("nemesis") => Ok(Who::Nemesis),
        (Node::Keyword(_) | Node::Text(_) | Node::Symbol(_), None) => Ok(Who::Named(form.node.describe())),
        (node, _) => {
            let found = node.describe();
            Err(Flaw::new(
                form.at,
                format!("a :process should be a number from 0 or a name such as :nemesis, not {found}"),
            ))
        }
    }
}

/// `:invoke`, `:ok`, `:fail` or `:info`.
pub(super) fn kind_of(form: Option<&Form>, operation: Position) -> Result<EventType, Flaw> {
    let Some(form) = form else { return Err(Flaw::new(operation, "this operation has no :type")) };
    match name_of(form) {
        Some("invoke") => Ok(EventType::Invoke),
        Some("ok") => Ok(EventType::Ok),
        Some("fail") => Ok(EventType::Fail),
        Some("info") => Ok(EventType::Info),
        _ => {
            let found = form.node.describe();
            Err(Flaw::new(form.at, format!("a :type should be :invoke, :ok, :fail or :info, not {found}")))
        }
    }
}

/// The name of a function. A nemesis' may be anything, since it is only shown.
pub(super) fn function_of(form: &Form, is_client: bool) -> Result<String, Flaw> {
    match name_of(form) {
        Some(name) => Ok(name.to_owned()),
        None if is_client => {
            let found = form.node.describe();
            Err(Flaw::new(form.at, format!("an :f should be a name such as :read, not {found}")))
        }
        None => plain(form.clone()).map(|value| value.to_string()),
    }
}

/// Why an operation is not `ok`, in a spelling that says nothing to a checker.
pub(super) fn error_of(form: Form) -> Result<Value, Flaw> {
    Ok(match plain(form)? {
        Value::String(text) if text != "condition-failed" => Value::String(text),
        Value::Array(parts) => Value::Array(parts),
        other => Value::Array(vec![other]),
    })
}

/// The accounts of a transfer are texts, like the keys of the balances that a read returns.
fn argument(f: &str, mut value: Value) -> Value {
    if f == "transfer" {
        for end in ["from", "to"] {
            if let Some(account) = value.get_mut(end).filter(|account| account.is_number()) {
                *account = Value::String(account.to_string());
            }
        }
    }
    value
}

fn key_of(form: Form, words: &mut Words) -> Result<Key, Flaw> {
    let (at, found) = (form.at, form.node.describe());
    match words.value(form)? {
        Value::String(text) => Ok(Key::Text(words.names.name(&text))),
        Value::Number(number) if number.is_i64() => Ok(Key::from(number.as_i64().unwrap_or_default())),
        _ => Err(Flaw::new(at, format!("a :key should be a name or an integer, not {found}"))),
    }
}

/// Whether a value is a list of steps such as `[:append 1 2]`.
fn is_transaction(form: &Form) -> bool {
    let items = |form: &Form| match &form.node {
        Node::Vector(items) | Node::List(items) => items.first().cloned(),
        _ => None,
    };
    items(form).and_then(|step| items(&step)).is_some_and(|head| matches!(head.node, Node::Keyword(_)))
}

fn time_of(form: &Form) -> Result<u64, Flaw> {
    match &form.node {
        Node::Int(n) => Ok(u64::try_from(*n).unwrap_or(0)),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        Node::Float(n) => Ok(*n as u64),
        Node::Number(_) => Ok(0),
        node => Err(Flaw::new(form.at, format!("a :time should be a number, not {}", node.describe()))),
    }
}

fn whole(form: &Form) -> Option<i64> {
    if let Node::Int(n) = form.node { Some(n) } else { None }
}

fn name_of(form: &Form) -> Option<&str> {
    match &form.node {
        Node::Keyword(name) | Node::Text(name) | Node::Symbol(name) => Some(name),
        _ => None,
    }
}

fn refuse_other_objects(event: &Event, said: &Said, at: Position) -> Result<(), Flaw> {
    if said.process == Some(Who::Nemesis)
        || ["get", "put", "append"].contains(&&*event.f) && event.key.is_some()
    {
        return Ok(());
    }
    Err(Flaw::new(
        at,
        format!(
            "`{}` is no operation of Porcupine's key-value files, which have :get, :put and :append with a :key; try --format jepsen-edn",
            event.f
        ),
    ))
}
