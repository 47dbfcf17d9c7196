//! Jepsen's logs of etcd, as Porcupine's tests have them, read into operations.
//!
//! A conditional write that failed is a look at the register: its old value was not in force, as in
//! Porcupine's own model. What timed out may have happened or not. `nil` is the value at first. This is a
//! reader for benchmarks: it trusts its input.

use std::collections::HashMap;

use growler_checker::linearizability::{END, Job};
use growler_checker::model::register::{ABSENT, Need, RegisterOp, Symbol};

use crate::operations::Operations;

/// The operations of a log; nothing if a line is not of its kind.
#[must_use]
pub fn operations(log: &str) -> Option<Operations> {
    let mut symbols: HashMap<&str, Symbol> = HashMap::from([("nil", ABSENT)]);
    let mut intern = |word| {
        let next = symbols.len() as Symbol;
        *symbols.entry(word).or_insert(next)
    };
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut jobs: Vec<Job<RegisterOp>> = Vec::new();
    for (position, line) in log.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let moment = position as u32 + 1;
        let words: Vec<&str> = line.split(['\t', ' ', '[', ']']).filter(|word| !word.is_empty()).collect();
        let &[_, _, _, process, outcome, f, ref values @ ..] = words.as_slice() else { return None };
        if outcome == ":invoke" {
            let op = match (f, values) {
                (":read", _) => RegisterOp { need: Need::Any, set: None },
                (":write", [new]) => RegisterOp { need: Need::Any, set: Some(intern(new)) },
                (":cas", [old, new]) => RegisterOp { need: Need::Is(intern(old)), set: Some(intern(new)) },
                _ => return None,
            };
            open.insert(process, jobs.len());
            jobs.push(Job { op, call: moment, ret: END, must: false });
            continue;
        }
        let job = &mut jobs[open.remove(process)?];
        match (outcome, f, values) {
            (_, _, [":timed-out"]) => continue,
            (":ok", ":read", [value]) => job.op.need = Need::Is(intern(value)),
            (":ok", _, _) => {}
            (":fail", ":cas", [old, _]) => job.op = RegisterOp { need: Need::Not(intern(old)), set: None },
            _ => return None,
        }
        job.must = true;
        job.ret = moment;
    }
    // A read without an answer says nothing.
    jobs.retain(|job| job.must || job.op.set.is_some());
    Some(Operations { jobs, keys: Vec::new(), values: vec![symbols.len() as u32] })
}
