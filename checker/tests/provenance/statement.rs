//! The rule, said again from the start: slowly, and with nothing of the checker's own.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Process};
use serde_json::Value;

/// What was found: each name with the operations that prove it.
pub(crate) type Found = Vec<(&'static str, Vec<u64>)>;

#[derive(Debug, Clone)]
struct Op {
    index: u64,
    key: String,
    f: String,
    argument: Value,
    call: usize,
    eventual: bool,
    answer: Option<(usize, Event)>,
}

impl Op {
    fn kind(&self) -> EventType {
        self.answer.as_ref().map_or(EventType::Info, |(_, event)| event.kind)
    }

    fn end(&self) -> usize {
        self.answer.as_ref().expect("it was answered").0
    }

    fn result(&self) -> Value {
        match &self.answer {
            Some((_, event)) if event.kind == EventType::Ok => event.value.clone(),
            _ => Value::Null,
        }
    }

    fn observed(&self) -> Value {
        match &self.answer {
            Some((_, event)) if event.kind != EventType::Info => {
                event.observed.clone().unwrap_or(Value::Null)
            }
            _ => Value::Null,
        }
    }

    fn failed(&self) -> bool {
        self.kind() == EventType::Fail
    }

    /// The version names beside the answer, each as a text that tells its sort.
    fn versions(&self) -> Option<Vec<String>> {
        let (_, event) = self.answer.as_ref().filter(|(_, event)| event.kind == EventType::Ok)?;
        match event.extra().version.clone() {
            Some(Value::String(text)) if text.is_empty() => Some(vec![]),
            Some(Value::String(text)) if text.contains(':') => {
                Some(text.split('|').map(|dot| format!("dot {dot}")).collect())
            }
            Some(Value::Number(number)) => Some(vec![format!("number {number}")]),
            Some(_) => None,
            None => {
                let stamp = event.extra().timestamp.as_ref()?.parts()?;
                Some(vec![format!("stamp {} {}", stamp.0, stamp.1)])
            }
        }
    }

    fn made(&self) -> Option<String> {
        self.versions().filter(|versions| versions.len() == 1).map(|versions| versions[0].clone())
    }

    fn writes(&self) -> Option<Value> {
        match self.f.as_str() {
            "write" => Some(self.argument.clone()),
            "cas" => Some(self.argument[1].clone()),
            _ => None,
        }
    }

    /// What it would bring: the place in the object, and the value. Null is a token that nobody knows.
    fn brings(&self, model: &str) -> Vec<(String, Value)> {
        let whole = |value: Value| vec![(String::new(), value)];
        match (model, self.f.as_str()) {
            ("register" | "cas-register", "write" | "cas") => whole(self.writes().expect("a write"))
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect(),
            ("set" | "cart", "add") | ("queue", "enqueue") => whole(self.argument.clone()),
            ("multi-register", "txn") => steps(&self.argument, "w"),
            ("mutex", "acquire") => whole(self.result()),
            _ => vec![],
        }
    }

    fn shows(&self, model: &str) -> Vec<(String, Value)> {
        let ok = self.kind() == EventType::Ok;
        let mut shown = Vec::new();
        match (model, self.f.as_str()) {
            ("register" | "cas-register", "read" | "replica-read") | ("queue", "dequeue") => {
                shown.push(self.result());
            }
            ("register" | "cas-register", _) => {
                shown.push(self.observed());
                if ok && self.f == "cas" && self.argument[0] != self.observed() {
                    shown.push(self.argument[0].clone());
                }
            }
            ("set" | "cart", "read" | "replica-read") | ("queue", "replica-read") => {
                return elements(&self.result());
            }
            ("set" | "cart", _) => return elements(&self.observed()),
            ("multi-register", "txn") if ok => return steps(&self.result(), "r"),
            ("mutex", "release") if ok => {
                shown.push(if self.argument.is_null() { self.result() } else { self.argument.clone() });
            }
            _ => {}
        }
        shown.into_iter().filter(|value| !value.is_null()).map(|value| (String::new(), value)).collect()
    }
}

fn elements(list: &Value) -> Vec<(String, Value)> {
    list.as_array().into_iter().flatten().map(|element| (String::new(), element.clone())).collect()
}

fn steps(list: &Value, sort: &str) -> Vec<(String, Value)> {
    let steps = list.as_array().expect("a list").iter().filter(|step| step[0] == sort && !step[2].is_null());
    steps.map(|step| (step[1].to_string(), step[2].clone())).collect()
}

fn read(events: &[Event]) -> Vec<Op> {
    let mut ops: Vec<Op> = Vec::new();
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let Process::Client(process) = event.process else { continue };
        if event.kind == EventType::Invoke {
            open.insert(process, ops.len());
            ops.push(Op {
                index: event.index,
                key: event.key.as_ref().map(ToString::to_string).unwrap_or_default(),
                f: event.f.to_string(),
                argument: event.value.clone(),
                call: at,
                eventual: event.consistency.is_some(),
                answer: None,
            });
        } else if let Some(op) = open.remove(&process) {
            ops[op].answer = Some((at, event.clone()));
        }
    }
    ops
}

/// Everything that is wrong with where values come from.
pub(crate) fn provenance(events: &[Event], model: &str) -> Found {
    let all = read(events);
    let answered = |op: &&Op| matches!(op.kind(), EventType::Ok | EventType::Fail);
    let mut found = Vec::new();
    for op in all.iter().filter(answered) {
        let of_key: Vec<&Op> = all.iter().filter(|other| other.key == op.key).collect();
        match model {
            "counter" => found.extend(counted(&of_key, op)),
            "kv" => found.extend(spelled(&of_key, op)),
            "bank" => found.extend(banked(&of_key, op)),
            _ => found.extend(brought(&of_key, op, model)),
        }
    }
    if model == "register" || model == "cas-register" {
        found.extend(versions(&all));
    }
    found
}

fn named(attempted: bool, later: bool) -> &'static str {
    if attempted {
        "aborted-read"
    } else if later {
        "future-read"
    } else {
        "phantom-value"
    }
}

fn brought(of_key: &[&Op], op: &Op, model: &str) -> Found {
    let mut found = Vec::new();
    for shown in op.shows(model) {
        let brings = |other: &&&Op| other.brings(model).contains(&shown);
        let unknown = |other: &Op| model == "mutex" && other.brings(model) == [(String::new(), Value::Null)];
        let explains =
            |other: &&Op| !other.failed() && other.call < op.end() && (brings(&other) || unknown(other));
        if !of_key.iter().any(explains) {
            let attempted = of_key.iter().filter(brings).any(|other| other.failed() && other.call < op.end());
            // A lock gives its token only with the answer, so who failed brought none.
            let later = of_key.iter().filter(brings).any(|other| !other.failed());
            found.push((named(attempted && model != "mutex", later), vec![op.index]));
        }
    }
    found
}

fn counted(of_key: &[&Op], op: &Op) -> Found {
    let seen = if op.f == "add" { op.observed() } else { op.result() };
    let Some(seen) = seen.as_i64() else { return vec![] };
    let possible = |counts: &dyn Fn(&Op) -> bool| {
        let deltas: Vec<i64> = of_key
            .iter()
            .filter(|add| add.f == "add" && counts(add))
            .map(|add| add.argument.as_i64().expect("a number"))
            .collect();
        let least: i64 = deltas.iter().map(|&delta| delta.min(0)).sum();
        let most: i64 = deltas.iter().map(|&delta| delta.max(0)).sum();
        let steps = (1..=4).filter(|unit| deltas.iter().all(|delta| delta % unit == 0));
        seen == 0 || (seen >= least && seen <= most && steps.max().is_some_and(|unit| seen % unit == 0))
    };
    let in_time = |add: &Op| add.call < op.end();
    if possible(&|add| !add.failed() && in_time(add)) {
        return vec![];
    }
    vec![(named(possible(&in_time), possible(&|add| !add.failed())), vec![op.index])]
}

fn spelled(of_key: &[&Op], op: &Op) -> Found {
    let is_read = op.f == "get" || op.f == "replica-read";
    let Some(text) = op.result().as_str().filter(|_| is_read).map(str::to_owned) else { return vec![] };
    let possible = |counts: &dyn Fn(&Op) -> bool| {
        let pieces = |f: &str| -> Vec<String> {
            let of_f = of_key.iter().filter(|other| other.f == f && counts(other));
            of_f.map(|other| other.argument.as_str().expect("text").to_owned()).collect()
        };
        let appends = pieces("append");
        let mut begun: Vec<String> = pieces("put").into_iter().chain([String::new()]).collect();
        begun.retain(|begun| text.starts_with(begun));
        begun.iter().any(|begun| goes_on(&text[begun.len()..], &appends))
    };
    let in_time = |other: &Op| other.call < op.end();
    if possible(&|other| !other.failed() && in_time(other)) {
        return vec![];
    }
    vec![(named(possible(&in_time), possible(&|other| !other.failed())), vec![op.index])]
}

fn goes_on(text: &str, appends: &[String]) -> bool {
    text.is_empty()
        || appends
            .iter()
            .any(|append| text.strip_prefix(append.as_str()).is_some_and(|rest| goes_on(rest, appends)))
}

fn banked(ops: &[&Op], op: &Op) -> Found {
    let is_read = |op: &Op| op.f == "read" && op.kind() == EventType::Ok;
    let is_strong = |op: &&&Op| !op.eventual;
    let Some(snapshot) = ops.iter().filter(|op| is_read(op)).filter(is_strong).min_by_key(|op| op.end())
    else {
        return vec![];
    };
    let balances = |op: &Op| -> Vec<i64> {
        op.result()
            .as_object()
            .expect("balances")
            .values()
            .map(|value| value.as_i64().expect("a number"))
            .collect()
    };
    if !is_read(op) {
        return vec![];
    }
    let total: i64 = balances(snapshot).iter().sum();
    let mut proof = vec![snapshot.index, op.index];
    proof.sort_unstable();
    proof.dedup();
    balances(op)
        .iter()
        .filter(|&&balance| balance > total)
        .map(|_| ("phantom-value", proof.clone()))
        .collect()
}

/// Values beside versions that are not theirs.
#[expect(clippy::too_many_lines, reason = "one rule, said in one place")]
fn versions(all: &[Op]) -> Found {
    let mut found = Vec::new();
    let mut answers: Vec<&Op> = all
        .iter()
        .filter(|op| (op.f == "read" || op.f == "replica-read") && op.kind() == EventType::Ok)
        .filter(|op| op.versions().is_some())
        .collect();
    answers.sort_by_key(|op| op.end());
    // What earlier answers said: of a version its value, of a value its version.
    let mut values: BTreeMap<(String, String), (Value, u64)> = BTreeMap::new();
    let mut marks: BTreeMap<(String, String), (String, u64)> = BTreeMap::new();
    for op in answers {
        let writes: Vec<(&Op, Value)> = all
            .iter()
            .filter(|write| write.key == op.key && !write.failed())
            .filter_map(|write| Some((write, write.writes()?)))
            .collect();
        let value = op.result();
        let shown = op.versions().expect("versions");
        let in_time: Vec<&&Op> = writes
            .iter()
            .filter(|(write, written)| *written == value && write.call < op.end())
            .map(|(write, _)| write)
            .collect();
        // Nobody brought it: that has been told.
        if !value.is_null() && in_time.is_empty() {
            continue;
        }
        let deleted = writes.iter().any(|(_, written)| written.is_null());
        let names_one = |mark: &String| mark.starts_with("dot") || (mark.starts_with("number") && !deleted);
        let makers = |mark: &String| -> Vec<Value> {
            let made = writes.iter().filter(|(write, _)| write.made().as_ref() == Some(mark));
            made.map(|(_, written)| written.clone()).filter(|_| names_one(mark)).collect()
        };
        let sort = |mark: &String| mark.split(' ').next().expect("a sort").to_owned();
        let right = if value.is_null() {
            shown.is_empty()
                || shown.iter().any(|mark| makers(mark).is_empty() || makers(mark).contains(&Value::Null))
        } else {
            in_time.iter().any(|write| {
                shown.iter().any(|mark| match write.made() {
                    Some(made) if sort(&made) == sort(mark) => made == *mark,
                    _ => makers(mark).is_empty(),
                })
            })
        };
        if !right {
            found.push(("wrong-version", vec![op.index]));
            continue;
        }
        let alone = match shown.as_slice() {
            [mark] if names_one(mark) && makers(mark).is_empty() => Some(mark.clone()),
            _ => None,
        };
        let mut clash = None;
        if let Some(mark) = &alone {
            let known = values.entry((op.key.clone(), mark.clone())).or_insert((value.clone(), op.index));
            clash = (known.0 != value).then_some(known.1);
        }
        let writers: Vec<_> = writes.iter().filter(|(_, written)| *written == value).collect();
        if clash.is_none() && !value.is_null() && writers.len() == 1 {
            let first_sort = shown.first().map(&sort);
            let nameless = writers[0].0.made().map(|made| sort(&made)) != first_sort;
            if nameless && first_sort.as_deref() != Some("stamp") && !shown.is_empty() {
                let held = (op.key.clone(), value.to_string());
                match (marks.get(&held), &alone) {
                    (Some((mark, by)), _) => {
                        clash = (first_sort == Some(sort(mark)) && !shown.contains(mark)).then_some(*by);
                    }
                    (None, Some(mark)) => {
                        marks.insert(held, (mark.clone(), op.index));
                    }
                    (None, None) => {}
                }
            }
        }
        if let Some(other) = clash {
            let mut proof = vec![other, op.index];
            proof.sort_unstable();
            found.push(("wrong-version", proof));
        }
    }
    found
}
