//! A counterexample in words: who did what, when, through which node, and what was broken meanwhile.
//!
//! Every sentence is about one operation of the history and carries its index, so that nothing is claimed
//! that a reader cannot look up. Summary and report tell the same story.

use growler_checker::history::Event;
use growler_checker::verdict::Anomaly;
use serde_json::Value;

use crate::operations::{Operation, Outcome, error_name};
use crate::plan::{FaultEntry, PlanFile};
use crate::words::{duration, join_and, seconds};

/// Characters of a value that are told.
const VALUE_CHARS_MAX: usize = 48;

/// Operations of one anomaly that are told: a certificate is a dozen at most, context is not bounded.
pub(crate) const STEPS_MAX: usize = 60;

/// An anomaly told.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    /// The operations, in the order of their invocations.
    pub(crate) steps: Vec<Step<'a>>,
    /// Operations that are left out.
    pub(crate) untold: usize,
    /// The faults in force between the first invocation and the last completion.
    pub(crate) faults: Vec<&'a FaultEntry>,
    /// That interval, ns since the run began.
    pub(crate) span: (u64, u64),
}

/// One operation of a story.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// The operation.
    pub(crate) op: Operation<'a>,
    /// Whether it belongs to the certificate, or only helps to see it.
    pub(crate) proof: bool,
}

/// Tells an anomaly. `operations` are the history's, in order. `None` where it names no operation of it.
pub(crate) fn tell<'a>(
    anomaly: &Anomaly,
    operations: &[Operation<'a>],
    plan: Option<&'a PlanFile>,
    run_end_ns: u64,
) -> Option<Story<'a>> {
    let find = |index: &u64| {
        operations.binary_search_by_key(index, |op| op.invoke.index).ok().map(|at| operations[at])
    };
    let context = anomaly.context.iter().filter(|index| !anomaly.ops.contains(index));
    let all = anomaly.ops.iter().map(|i| (i, true)).chain(context.map(|i| (i, false)));
    let mut steps: Vec<_> = all.filter_map(|(i, proof)| Some(Step { op: find(i)?, proof })).collect();
    let untold = steps.len().saturating_sub(STEPS_MAX);
    steps.truncate(STEPS_MAX);
    steps.sort_by_key(|step| step.op.invoke.index);
    let from = steps.iter().map(|s| s.op.start_ns()).min()?;
    let to = steps.iter().map(|s| s.op.end_ns().unwrap_or(s.op.start_ns())).max()?;
    let faults = plan.into_iter().flat_map(|plan| &plan.faults);
    let faults = faults.filter(|fault| fault.overlaps(from, to, run_end_ns)).collect();
    Some(Story { steps, untold, faults, span: (from, to) })
}

impl Step<'_> {
    /// When it began.
    pub(crate) fn time(&self) -> String {
        seconds(self.op.start_ns())
    }

    /// `client 4 wrote 17 to k7 through n1: ok after 3.1 ms`.
    pub(crate) fn sentence(&self) -> String {
        let op = &self.op;
        let who = op.invoke.session().map_or_else(|| "someone".to_owned(), |s| format!("client {s}"));
        let through = op.node().map(|n| format!(" through {n}")).unwrap_or_default();
        format!("{who} {}{through}: {}", action(op), ending(op))
    }
}

/// `write 17`, `read → 12`, `cas 3 → 5`: what a bar in a picture says.
pub(crate) fn label(op: &Operation<'_>) -> String {
    let argument = &op.invoke.value;
    let pair = argument.as_array().filter(|pair| pair.len() == 2);
    match (op.invoke.f.as_str(), pair) {
        ("write", _) if argument.is_null() => "delete".to_owned(),
        ("cas", Some(pair)) => format!("cas {} → {}", present(&pair[0]), present(&pair[1])),
        ("read", _) => match read_value(op) {
            Some(value) => format!("read {}", present(value)),
            None => "read ?".to_owned(),
        },
        ("replica-read", _) => match read_value(op) {
            Some(value) => format!("holds {}", present(value)),
            None => "holds ?".to_owned(),
        },
        (f, _) => {
            let value = op.complete.filter(|_| op.outcome() == Outcome::Ok).map_or(argument, |e| &e.value);
            let value = if value.is_null() { String::new() } else { format!(" {}", shown(value)) };
            format!("{}{value}", clipped(f))
        }
    }
}

/// What it tried to do.
fn action(op: &Operation<'_>) -> String {
    let key = op.invoke.key.as_ref().map(|key| clipped(&key.to_string()));
    let on = |preposition: &str| key.as_ref().map(|k| format!(" {preposition} {k}")).unwrap_or_default();
    let argument = &op.invoke.value;
    match (op.invoke.f.as_str(), argument) {
        ("write", Value::Null) => format!("deleted{}", on("at").replacen(" at ", " ", 1)),
        ("write", value) => format!("wrote {}{}", shown(value), on("to")),
        ("read", _) => format!("read{}", on("from").replacen(" from ", " ", 1)),
        ("add", value) => format!("added {}{}", shown(value), on("to")),
        ("remove", value) => format!("removed {}{}", shown(value), on("from")),
        ("replica-read", _) => format!("asked for the replica{}", on("of")),
        ("cas", Value::Array(pair)) if pair.len() == 2 => {
            format!(
                "set{} from {} to {}",
                on("at").replacen(" at ", " ", 1),
                present(&pair[0]),
                present(&pair[1])
            )
        }
        (f, Value::Null) => format!("did {}{}", clipped(f), on("on")),
        (f, value) => format!("did {} {}{}", clipped(f), shown(value), on("on")),
    }
}

/// What came of it.
fn ending(op: &Operation<'_>) -> String {
    let Some(end) = op.complete else { return "no answer ever came, so it may have happened".to_owned() };
    let after = op.end_ns().map(|ns| format!(" after {}", duration(ns - op.start_ns()))).unwrap_or_default();
    let error = error_name(end).map(|name| format!(" ({})", clipped(name))).unwrap_or_default();
    match op.outcome() {
        Outcome::Ok => format!("{}{after}{}", result(op, end), replaced(end)),
        Outcome::Fail if op.condition_failed() => match &end.observed {
            Some(value) => format!("refused{after}, because the value was {}", present(value)),
            None => format!("refused{after}, because the condition did not hold"),
        },
        Outcome::Fail => format!("failed{error}{after}: it certainly did not happen"),
        Outcome::Info => format!("no answer{error}{after}: it may or may not have happened"),
    }
}

fn result(op: &Operation<'_>, end: &Event) -> String {
    match op.invoke.f.as_str() {
        "read" | "replica-read" => format!("found {}", present(&end.value)),
        "write" | "cas" | "add" | "remove" => "ok".to_owned(),
        _ if end.value != op.invoke.value => format!("ok, {},", shown(&end.value)),
        _ => "ok".to_owned(),
    }
}

fn replaced(end: &Event) -> String {
    end.observed.as_ref().map(|old| format!(", replacing {}", present(old))).unwrap_or_default()
}

fn read_value<'a>(op: &Operation<'a>) -> Option<&'a Value> {
    op.complete.filter(|_| op.outcome() == Outcome::Ok).map(|end| &end.value)
}

/// A value where null means absence.
fn present(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { shown(value) }
}

/// A value as JSON, clipped.
pub(crate) fn shown(value: &Value) -> String {
    clipped(&value.to_string())
}

/// A text, clipped.
pub(crate) fn clipped(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `partition of n1, from 11.400 s to 14.000 s`.
pub(crate) fn fault_sentence(fault: &FaultEntry, run_end_ns: u64) -> String {
    let of = if fault.targets.is_empty() {
        String::new()
    } else {
        format!(" of {}", join_and(&fault.targets, "and"))
    };
    let window = fault.window(run_end_ns);
    let when = window.map(|(from, to)| format!(", from {} to {}", seconds(from), seconds(to)));
    format!("{}{of}{}", fault.fault, when.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{EventType, Process};
    use serde_json::json;

    use super::*;

    fn told(f: &str, value: &Value, kind: EventType, change: impl Fn(&mut Event)) -> (String, String) {
        let mut invoke = Event::new(Process::Client(4), EventType::Invoke, f, value.clone());
        invoke.key = Some("k7".into());
        invoke.node = Some("n1".into());
        let mut complete = Event { kind, time: 3_100_000, ..invoke.clone() };
        change(&mut complete);
        let op = Operation { invoke: &invoke, complete: Some(&complete) };
        (Step { op, proof: true }.sentence(), label(&op))
    }

    #[test]
    fn operations_are_told_in_plain_words() {
        let plain = |_: &mut Event| ();
        let found = |value: Value| move |e: &mut Event| e.value = value.clone();
        let cases = [
            (
                told("write", &json!(17), EventType::Ok, |e| e.observed = Some(json!(9))),
                "client 4 wrote 17 to k7 through n1: ok after 3.10 ms, replacing 9",
                "write 17",
            ),
            (
                told("write", &Value::Null, EventType::Info, |e| {
                    e.error = Some(json!(["timeout", 1]).into());
                }),
                "client 4 deleted k7 through n1: no answer (timeout) after 3.10 ms: it may or may not have happened",
                "delete",
            ),
            (
                told("read", &Value::Null, EventType::Ok, found(json!("x"))),
                "client 4 read k7 through n1: found \"x\" after 3.10 ms",
                "read \"x\"",
            ),
            (
                told("read", &Value::Null, EventType::Ok, plain),
                "client 4 read k7 through n1: found nothing after 3.10 ms",
                "read nothing",
            ),
            (
                told("cas", &json!([1, null]), EventType::Fail, |e| e.observed = Some(json!(2))),
                "client 4 set k7 from 1 to nothing through n1: refused after 3.10 ms, because the value was 2",
                "cas 1 → nothing",
            ),
            (
                told("add", &json!(5), EventType::Ok, plain),
                "client 4 added 5 to k7 through n1: ok after 3.10 ms",
                "add 5",
            ),
            (
                told("replica-read", &Value::Null, EventType::Ok, plain),
                "client 4 asked for the replica of k7 through n1: found nothing after 3.10 ms",
                "holds nothing",
            ),
            (
                told("txn", &json!([["r", 1, null]]), EventType::Ok, found(json!([["r", 1, 5]]))),
                "client 4 did txn [[\"r\",1,null]] on k7 through n1: ok, [[\"r\",1,5]], after 3.10 ms",
                "txn [[\"r\",1,5]]",
            ),
        ];
        for ((sentence, label), expected_sentence, expected_label) in cases {
            assert_eq!((sentence.as_str(), label.as_str()), (expected_sentence, expected_label));
        }
    }

    #[test]
    fn a_long_value_is_clipped_between_letters() {
        assert_eq!(shown(&json!("é".repeat(100))).chars().count(), VALUE_CHARS_MAX + 1);
    }

    #[test]
    fn a_story_names_the_faults_of_its_time_only() {
        let plan: PlanFile = serde_json::from_value(json!({"faults": [
            {"fault": "kill", "targets": ["n1"], "actual": [0, 4], "outcome": "installed"},
            {"fault": "pause", "targets": ["n1", "n2"], "actual": [8, 1_500_000_000], "outcome": "installed"},
            {"fault": "clock", "planned": [5, 9], "outcome": "skipped"},
        ]}))
        .unwrap();
        let event = |index, kind, time| Event {
            index,
            time,
            ..Event::new(Process::Client(0), kind, "read", Value::Null)
        };
        let events = [event(3, EventType::Invoke, 5), event(4, EventType::Ok, 9)];
        let anomaly = |ops: &[u64]| Anomaly {
            kind: "stale-read".to_owned(),
            key: None,
            ops: ops.to_vec(),
            context: vec![3, 77],
            explanation: String::new(),
            cycle: Vec::new(),
        };
        let operations = crate::operations::pair(&events);
        let story = tell(&anomaly(&[3]), &operations, Some(&plan), 100).unwrap();
        assert_eq!((story.steps.len(), story.steps[0].proof, story.span), (1, true, (5, 9)));
        let faults: Vec<_> = story.faults.iter().map(|f| fault_sentence(f, 100)).collect();
        assert_eq!(faults, ["pause of n1 and n2, from 0.000 s to 1.500 s"]);
        let story = tell(&anomaly(&[]), &operations, None, 100).unwrap();
        assert!(!story.steps[0].proof);
    }
}
