//! Can what this answer shows have come from nobody? Decided for one certificate at a time, from the history alone.
//!
//! The check of provenance walks over a history once and keeps what it needs; here everything is looked up again for
//! the one answer in question: all operations of its key, one after the other. What an operation brings and what an
//! answer shows is read from the contract's table (section 4) once more.
//!
//! The same question decides a certificate of `linearizable` that has one member ([`nobody_brought`]): if nobody ever
//! brought what it shows, no order explains it, however weak all others are; and if it is weakened too, nothing must
//! have happened at all.

use std::collections::HashSet;

use serde_json::Value;

use super::certificate::CertificateFault;
use crate::anomaly;
use crate::history::{Event, Operation, Outcome, by_key, pair};
use crate::verdict::Anomaly;

/// Why a bank's balances cannot be judged here.
const NO_TOTAL: CertificateFault =
    CertificateFault::Undecided { why: "the history does not say how much money there is" };

/// Verifies anomalies of the check `provenance` of one history of a model. The answers are in their order.
#[must_use]
pub fn verify_all(events: &[Event], model: &str, anomalies: &[Anomaly]) -> Vec<Result<(), CertificateFault>> {
    let operations = match pair(events) {
        Ok(operations) => operations,
        Err(error) => return anomalies.iter().map(|_| Err(error.clone().into())).collect(),
    };
    let objects = by_key(&operations);
    let is_register = matches!(model, "register" | "cas-register");
    let verify = |found: &Anomaly| {
        let object = objects.get(&found.key.as_ref()).map_or(&[][..], Vec::as_slice);
        let find = |&index: &u64| object.iter().find(|operation| operation.index == index);
        let mut members = Vec::with_capacity(found.ops.len());
        for index in &found.ops {
            members.push(find(index).ok_or(CertificateFault::Stranger { index: *index })?);
        }
        let proven = match (found.kind.as_str(), members.as_slice()) {
            (_, []) => return Err(CertificateFault::Empty),
            (anomaly::WRONG_VERSION, [answer]) if is_register => has_foreign_version(object, answer),
            (anomaly::WRONG_VERSION, [one, other]) if is_register => contradict(object, one, other),
            (anomaly::WRONG_VERSION, _) => false,
            (_, members) if model == "bank" => has_too_much(object, members)?,
            (_, [answer]) => is_unexplained(object, model, answer, false),
            _ => false,
        };
        proven.then_some(()).ok_or(CertificateFault::ProvesNothing)
    };
    anomalies.iter().map(verify).collect()
}

/// Whether no operation of the object, whenever it takes effect, can have brought what this strong answer shows. (Of a
/// counter: whether none that was invoked in time can.)
pub(super) fn nobody_brought(object: &[Operation<'_>], model: &str, answer: &Operation<'_>) -> bool {
    let says_something = !answer.is_eventual() && answer.f() != "replica-read";
    says_something && is_unexplained(object, model, answer, model != "counter")
}

/// Whether operations that did not fail, and were invoked before the answer came (or `ever`), do not explain it.
fn is_unexplained(object: &[Operation<'_>], model: &str, answer: &Operation<'_>, ever: bool) -> bool {
    let Some(end) = answer.ret.filter(|_| answer.outcome() != Outcome::Info) else { return false };
    let counts = |other: &&Operation<'_>| other.outcome() != Outcome::Fail && (ever || other.call < end);
    let others = || object.iter().filter(counts);
    match model {
        "counter" => {
            let deltas: Vec<i128> = others()
                .filter(|other| other.f() == "add")
                .filter_map(|add| number(add.argument()))
                .collect();
            let seen = if answer.f() == "add" { answer.observed() } else { ok_result(answer) };
            seen.and_then(number).is_some_and(|sum| !is_a_sum(sum, &deltas))
        }
        "kv" => {
            let pieces = |f: &'static str| {
                others().filter(move |other| other.f() == f).filter_map(|other| other.argument().as_str())
            };
            let (puts, appends): (Vec<_>, HashSet<_>) = (pieces("put").collect(), pieces("append").collect());
            ok_result(answer).and_then(Value::as_str).is_some_and(|text| !is_made_of(text, &puts, &appends))
        }
        _ => {
            let brought: HashSet<(Option<&Value>, &Value)> =
                others().flat_map(|other| brings(model, other)).collect();
            let any_token = model == "mutex" && brought.contains(&(None, &Value::Null));
            shows(model, answer).into_iter().any(|value| !any_token && !brought.contains(&value))
        }
    }
}

fn ok_result<'h>(operation: &Operation<'h>) -> Option<&'h Value> {
    operation.result().filter(|_| operation.outcome() == Outcome::Ok)
}

fn number(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// Whether a sum lies within what these can come to, and in their steps.
fn is_a_sum(sum: i128, deltas: &[i128]) -> bool {
    let least: i128 = deltas.iter().filter(|&&delta| delta < 0).sum();
    let greatest: i128 = deltas.iter().filter(|&&delta| delta > 0).sum();
    let step = deltas.iter().fold(0_i128, |step, &delta| {
        let (mut a, mut b) = (step.abs(), delta.abs());
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    });
    (least..=greatest).contains(&sum) && (sum == 0 || (step != 0 && sum % step == 0))
}

/// Whether a text is one that was put, or nothing, and then texts that were appended: from its end to its beginning.
fn is_made_of(text: &str, puts: &[&str], appends: &HashSet<&str>) -> bool {
    let longest = appends.iter().map(|append| append.len()).max().unwrap_or(0);
    let mut ends = vec![false; text.len() + 1];
    ends[text.len()] = true;
    for start in (0..text.len()).rev().filter(|&start| text.is_char_boundary(start)) {
        let stops = (start + 1..=text.len().min(start + longest)).filter(|&stop| text.is_char_boundary(stop));
        ends[start] = stops.into_iter().any(|stop| ends[stop] && appends.contains(&text[start..stop]));
    }
    ends[0] || puts.iter().any(|put| text.starts_with(put) && ends[put.len()])
}

/// What an operation brings: into which part, and what. Null of a lock: a token that nobody knows.
fn brings<'h>(model: &str, operation: &Operation<'h>) -> Vec<(Option<&'h Value>, &'h Value)> {
    let argument = operation.argument();
    match (model, operation.f()) {
        ("register" | "cas-register", _) => {
            written(operation).map(|value| (None, value)).into_iter().collect()
        }
        ("set" | "cart", "add") | ("queue", "enqueue") => vec![(None, argument)],
        ("multi-register", "txn") => steps(argument, "w"),
        ("mutex", "acquire") => vec![(None, ok_result(operation).unwrap_or(&Value::Null))],
        _ => Vec::new(),
    }
}

/// What an answer shows that somebody must have brought.
fn shows<'h>(model: &str, answer: &Operation<'h>) -> Vec<(Option<&'h Value>, &'h Value)> {
    let result = ok_result(answer);
    let is_there = |value: &&'h Value| !value.is_null();
    let list = |value: Option<&'h Value>| -> Vec<(Option<&'h Value>, &'h Value)> {
        value.and_then(Value::as_array).into_iter().flatten().map(|element| (None, element)).collect()
    };
    let one = |value: Option<&'h Value>| value.filter(is_there).map(|value| (None, value));
    match (model, answer.f()) {
        ("register" | "cas-register", "read" | "replica-read") => one(result).into_iter().collect(),
        ("register" | "cas-register", f) => {
            let held = (f == "cas" && result.is_some()).then(|| answer.argument().get(0)).flatten();
            one(answer.observed()).into_iter().chain(one(held)).collect()
        }
        ("set" | "cart", "read" | "replica-read") | ("queue", "replica-read") => list(result),
        ("set" | "cart", _) => list(answer.observed()),
        ("queue", "dequeue") => one(result).into_iter().collect(),
        ("multi-register", "txn") => result.map_or_else(Vec::new, |result| steps(result, "r")),
        ("mutex", "release") => {
            let token = Some(answer.argument()).filter(is_there).or(result);
            one(token.filter(|_| result.is_some())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What the steps of one sort say of which register, but for absence.
fn steps<'h>(list: &'h Value, sort: &str) -> Vec<(Option<&'h Value>, &'h Value)> {
    let step = |step: &'h Value| match step.as_array()?.as_slice() {
        [f, register, value] if f == sort && !value.is_null() => Some((Some(register), value)),
        _ => None,
    };
    list.as_array().into_iter().flatten().filter_map(step).collect()
}

fn written<'h>(operation: &Operation<'h>) -> Option<&'h Value> {
    match operation.f() {
        "write" => Some(operation.argument()),
        "cas" => operation.argument().get(1),
        _ => None,
    }
}

/// Whether one of the reads shows more in one account than another, of one moment, shows in all.
fn has_too_much(object: &[Operation<'_>], members: &[&Operation<'_>]) -> Result<bool, CertificateFault> {
    let balances = |read: &Operation<'_>| -> Option<Vec<i128>> {
        ok_result(read)?.as_object()?.values().map(number).collect()
    };
    let is_whole = |read: &&Operation<'_>| {
        read.f() == "read" && read.via().is_none_or(|via| via == "txn") && !read.is_eventual()
    };
    let total = |read: &Operation<'_>| balances(read).map(|balances| balances.iter().sum::<i128>());
    // The snapshot is one of two members; where there is only one member, any that the history has.
    let all: Vec<&Operation<'_>> = object.iter().collect();
    let sources = if members.len() > 1 { members } else { &all };
    let totals: Vec<i128> = sources.iter().copied().filter(is_whole).filter_map(total).collect();
    let most = |read: &&Operation<'_>| ok_result(read)?.as_object()?.values().filter_map(number).max();
    let most = members.iter().filter_map(most).max();
    match totals.iter().min() {
        Some(&least) if most.is_some_and(|most| most > least) => Ok(true),
        _ if members.len() > 1 => Ok(false),
        _ => Err(NO_TOTAL),
    }
}

/// The name of a version.
#[derive(PartialEq, Eq, Hash, Clone)]
enum Version {
    Dot(String),
    Number(i64),
    Stamp(i64, String),
}

/// Whether two versions are named in the same way. One that is named otherwise says nothing of the other.
fn same_sort(one: &Version, other: &Version) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// The versions that an answer carries; none where it says nothing of them.
fn versions(answer: &Operation<'_>) -> Option<Vec<Version>> {
    let extra = answer.completion.filter(|_| answer.outcome() == Outcome::Ok)?.extra();
    match (&extra.version, &extra.timestamp) {
        (Some(Value::String(text)), _) if text.is_empty() => Some(Vec::new()),
        (Some(Value::String(text)), _) => {
            let is_dot =
                |dot: &&str| dot.rfind(':').is_some_and(|colon| dot[colon + 1..].parse::<u64>().is_ok());
            let dots: Vec<&str> = text.split('|').collect();
            dots.iter().all(is_dot).then(|| dots.iter().map(|&dot| Version::Dot(dot.to_owned())).collect())
        }
        (Some(other), _) => Some(vec![Version::Number(other.as_i64()?)]),
        (None, stamp) => {
            let (ns, node) = stamp.as_ref()?.parts()?;
            Some(vec![Version::Stamp(ns, node.to_owned())])
        }
    }
}

/// What a read returned, of a client or of a replica.
fn read<'h>(answer: &Operation<'h>) -> Option<&'h Value> {
    ok_result(answer).filter(|_| matches!(answer.f(), "read" | "replica-read"))
}

/// The version that an acknowledged write made, if it says so.
fn version_of(write: &Operation<'_>) -> Option<Version> {
    versions(write).filter(|versions| versions.len() == 1).and_then(|mut versions| versions.pop())
}

/// Writes of the object that did not fail, with what they write.
fn writes<'o, 'h>(object: &'o [Operation<'h>]) -> impl Iterator<Item = (&'o Operation<'h>, &'h Value)> {
    let happened = object.iter().filter(|operation| operation.outcome() != Outcome::Fail);
    happened.filter_map(|operation| Some((operation, written(operation)?)))
}

/// Whether a version has a name that no other version of the object can have.
fn is_unique(object: &[Operation<'_>], version: &Version) -> bool {
    match version {
        Version::Dot(_) => true,
        Version::Number(_) => !writes(object).any(|(_, value)| value.is_null()),
        Version::Stamp(..) => false,
    }
}

/// Whether an acknowledged write of something like this made a version.
fn is_made(object: &[Operation<'_>], version: &Version, like: impl Fn(&Value) -> bool) -> bool {
    is_unique(object, version)
        && writes(object).any(|(write, value)| like(value) && version_of(write).as_ref() == Some(version))
}

/// Whether no write of what an answer shows can have made a version beside it.
fn has_foreign_version(object: &[Operation<'_>], answer: &Operation<'_>) -> bool {
    let (Some(shown), Some(value), Some(end)) = (versions(answer), read(answer), answer.ret) else {
        return false;
    };
    if value.is_null() {
        let of_value = |version: &Version| {
            is_made(object, version, |value| !value.is_null()) && !is_made(object, version, Value::is_null)
        };
        return !shown.is_empty() && shown.iter().all(of_value);
    }
    let mut in_time = writes(object).filter(|(write, other)| *other == value && write.call < end);
    !in_time.any(|(write, _)| {
        let own = version_of(write);
        shown.iter().any(|version| match &own {
            Some(own) if same_sort(own, version) => own == version,
            _ => !is_made(object, version, |_| true),
        })
    })
}

/// Whether two answers show one version with two values, or one write with two versions, none of which any acknowledged
/// write made.
fn contradict(object: &[Operation<'_>], one: &Operation<'_>, other: &Operation<'_>) -> bool {
    let (Some(ones), Some(others)) = (versions(one), versions(other)) else { return false };
    let (Some(value), Some(other_value)) = (read(one), read(other)) else { return false };
    let alone = |versions: &[Version]| match versions {
        [version] if is_unique(object, version) && !is_made(object, version, |_| true) => {
            Some(version.clone())
        }
        _ => None,
    };
    if value != other_value {
        return alone(&ones).is_some() && alone(&ones) == alone(&others);
    }
    let mut writers = writes(object).filter(|(_, written)| *written == value);
    let (Some((writer, _)), None) = (writers.next(), writers.next()) else { return false };
    let apart = !ones.iter().any(|version| others.contains(version));
    let is_named = |own: Version| ones.iter().chain(&others).any(|version| same_sort(&own, version));
    !value.is_null()
        && apart
        && !version_of(writer).is_some_and(is_named)
        && (alone(&ones).is_some() || alone(&others).is_some())
}
