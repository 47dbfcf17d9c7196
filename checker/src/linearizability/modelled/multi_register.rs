//! What a history says of several registers behind one object.
//!
//! `txn` with a list of `["w", k, v]` and `["r", k, v]`. `ok`: all of it happened at one moment, and the
//! reads are those of the completion. `info`: its writes may happen together, and its reads say nothing.
//! `fail`: nothing.
//!
//! Registers that no transaction names together are objects of their own: linearizability is local, and a
//! transaction belongs to one of them only.
//!
//! An optional transaction none of whose values is read can be left out (`tighten`): what was in the
//! registers before lasts longer, and nobody looks. And values of a register that nobody reads are all alike.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Unexplained, Vocabulary, VocabularyError, Weak, find_unexplained};
use crate::history::{Operation, Outcome};
use crate::model::multi_register::{MultiRegister, Txn, TxnStep};
use crate::model::register::{ABSENT, Symbol};

const STEPS: &str = "a list of [\"r\", register, value] and [\"w\", register, value]";

impl Vocabulary for MultiRegister {
    fn name(&self) -> &'static str {
        "multi-register"
    }

    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        names: &mut Names<'h>,
    ) -> Result<Option<Said<Txn>>, VocabularyError> {
        if operation.f() != "txn" {
            return Err(self.unknown(operation));
        }
        let argument = operation.argument();
        let asked = steps(argument).ok_or_else(|| self.shape(operation, STEPS, argument))?;
        let answered = match (operation.outcome(), operation.result()) {
            (Outcome::Fail, _) => return Ok(None),
            (Outcome::Ok, Some(result)) => {
                let answered = steps(result).ok_or_else(|| self.shape(operation, STEPS, result))?;
                let same = |(one, other): (&Step<'_>, &Step<'_>)| one.0 == other.0 && one.1 == other.1;
                if answered.len() != asked.len() || !asked.iter().zip(&answered).all(same) {
                    return Err(self.shape(operation, "an answer to the steps that were invoked", result));
                }
                Some(answered)
            }
            _ => None,
        };
        let writes = asked.iter().filter(|step| step.0 == "w");
        let weak: Vec<TxnStep> = writes.map(|step| named(*step, names)).collect();
        let is_eventual = operation.is_eventual();
        let op = match answered {
            Some(steps) if !is_eventual => steps.into_iter().map(|step| named(step, names)).collect(),
            _ => weak.clone(),
        };
        let deletes = weak.iter().any(|step| matches!(step, TxnStep::Write(_, ABSENT)));
        let weak = match Txn(weak) {
            writes if writes.0.is_empty() => Weak::Nothing,
            writes if deletes => Weak::InTime(writes),
            writes => Weak::Anytime(writes),
        };
        Ok(Some(Said { op: Txn(op), weak }).filter(|said| !said.op.0.is_empty()))
    }

    fn split<'h>(&self, operations: Vec<Operation<'h>>) -> Vec<Vec<Operation<'h>>> {
        let mut components = Components::default();
        let first_of = |operation: &Operation<'h>| {
            steps(operation.argument()).and_then(|steps| steps.first().map(|step| step.1))
        };
        for operation in &operations {
            let steps = steps(operation.argument()).unwrap_or_default();
            for pair in steps.windows(2) {
                components.join(pair[0].1, pair[1].1);
            }
        }
        let mut groups: BTreeMap<Option<usize>, Vec<Operation<'h>>> = BTreeMap::new();
        for operation in operations {
            let component = first_of(&operation).map(|register| {
                let number = components.number(register);
                components.root(number)
            });
            groups.entry(component).or_default().push(operation);
        }
        groups.into_values().collect()
    }

    fn unexplained(&self, jobs: &[Job<Txn>]) -> Option<Unexplained> {
        let written = |txn: &Txn, each: &mut dyn FnMut((Symbol, Symbol))| {
            for step in &txn.0 {
                if let TxnStep::Write(register, value) = *step {
                    each((register, value));
                }
            }
        };
        let read = |txn: &Txn, each: &mut dyn FnMut((Symbol, Symbol))| {
            for step in &txn.0 {
                if let TxnStep::Read(register, value) = *step
                    && value != ABSENT
                {
                    each((register, value));
                }
            }
        };
        find_unexplained(jobs, written, read)
    }

    fn tighten(&self, jobs: &mut [Job<Txn>]) {
        let steps = jobs.iter().flat_map(|job| &job.op.0);
        let read: HashSet<_> = steps
            .filter_map(|step| match *step {
                TxnStep::Read(register, value) => Some((register, value)),
                TxnStep::Write(..) => None,
            })
            .collect();
        let is_read = |step: &TxnStep| match *step {
            TxnStep::Write(register, value) => read.contains(&(register, value)),
            TxnStep::Read(..) => true,
        };
        for job in jobs {
            if !job.must && !job.op.0.iter().any(is_read) {
                (job.call, job.ret) = (1, 0);
            }
            for step in &mut job.op.0 {
                if let TxnStep::Write(register, value) = *step
                    && !read.contains(&(register, value))
                {
                    *step = TxnStep::Write(register, UNREAD);
                }
            }
        }
    }
}

/// The value that stands for all that nobody reads.
const UNREAD: Symbol = Symbol::MAX;

/// A step as it is written: `r` or `w`, the register, the value.
type Step<'h> = (&'h str, &'h Value, &'h Value);

/// The steps of a transaction, if it consists of such.
fn steps(value: &Value) -> Option<Vec<Step<'_>>> {
    value.as_array()?.iter().map(step).collect()
}

fn step(step: &Value) -> Option<Step<'_>> {
    match step.as_array()?.as_slice() {
        [Value::String(kind), register, value] if kind == "r" || kind == "w" => Some((kind, register, value)),
        _ => None,
    }
}

fn named<'h>((kind, register, value): Step<'h>, names: &mut Names<'h>) -> TxnStep {
    let (register, value) = (names.part(register), names.value(value));
    if kind == "w" { TxnStep::Write(register, value) } else { TxnStep::Read(register, value) }
}

/// Registers that are named together, directly or by way of others.
#[derive(Default)]
struct Components<'h> {
    numbers: HashMap<&'h Value, usize>,
    /// A register of the same component with a number that is no greater.
    parents: Vec<usize>,
}

impl<'h> Components<'h> {
    fn number(&mut self, register: &'h Value) -> usize {
        let fresh = self.parents.len();
        let number = *self.numbers.entry(register).or_insert(fresh);
        if number == fresh {
            self.parents.push(fresh);
        }
        number
    }

    fn root(&mut self, mut number: usize) -> usize {
        while self.parents[number] != number {
            self.parents[number] = self.parents[self.parents[number]];
            number = self.parents[number];
        }
        number
    }

    fn join(&mut self, one: &'h Value, other: &'h Value) {
        let (one, other) = (self.number(one), self.number(other));
        let (one, other) = (self.root(one), self.root(other));
        self.parents[one.max(other)] = one.min(other);
    }
}
