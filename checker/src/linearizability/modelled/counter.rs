//! What a history says of a counter.
//!
//! | call | `ok` | `info` | `fail` |
//! |---|---|---|---|
//! | `add` d | d was added, to `observed` if that is there | d may be added | nothing |
//! | `read` | the sum was the value; null is 0 | nothing | nothing |
//!
//! # Tightening
//!
//! Nobody looks before the first read (or addition with an `observed`) is called, and nobody after the last
//! one has returned. So optional additions that are called after the last return can be left out; and of
//! those that end before the first call, only their number counts, so equal ones become one addition of some.
//! All others may as well wait for the first call.

use std::collections::HashMap;

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Vocabulary, VocabularyError, Weak};
use crate::history::{Operation, Outcome};
use crate::model::counter::{Counter, CounterOp};

const WHOLE: &str = "a whole number";

impl Vocabulary for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        _: &mut Names<'h>,
    ) -> Result<Option<Said<CounterOp>>, VocabularyError> {
        let sum = |value: &Value| {
            let found = if value.is_null() { Some(0) } else { whole(value) };
            found.ok_or_else(|| self.shape(operation, WHOLE, value))
        };
        Ok(match (operation.f(), operation.outcome()) {
            ("add", outcome) => {
                let argument = operation.argument();
                let delta = whole(argument).ok_or_else(|| self.shape(operation, WHOLE, argument))?;
                let observed =
                    operation.observed().filter(|_| outcome == Outcome::Ok).map(sum).transpose()?;
                let weak = Weak::InTime(CounterOp::Add { delta, observed: None });
                (outcome != Outcome::Fail).then_some(Said { op: CounterOp::Add { delta, observed }, weak })
            }
            ("read", Outcome::Ok) if !operation.is_eventual() => {
                let read = operation.result().map(sum).transpose()?;
                read.map(|sum| Said::look(CounterOp::Read(sum)))
            }
            ("read", _) => None,
            _ => return Err(self.unknown(operation)),
        })
    }

    fn tighten(&self, jobs: &mut [Job<CounterOp>]) {
        let looks = |job: &&Job<CounterOp>| !matches!(job.op, CounterOp::Add { observed: None, .. });
        let first = jobs.iter().filter(looks).map(|job| job.call).min().unwrap_or(0);
        let last = jobs.iter().filter(looks).map(|job| job.ret).max().unwrap_or(0);
        // The place of the first early addition of each delta, and how many there are.
        let mut early: HashMap<i128, (usize, u32)> = HashMap::new();
        for (at, job) in jobs.iter_mut().enumerate() {
            let CounterOp::Add { delta, observed: None } = job.op else { continue };
            if job.ret >= first {
                job.call = job.call.max(first);
            }
            if job.must {
                continue;
            }
            if job.ret < first {
                early.entry(delta).or_insert((at, 0)).1 += 1;
                (job.call, job.ret) = (1, 0);
            } else if job.call > last {
                (job.call, job.ret) = (1, 0);
            }
        }
        for (delta, (at, times)) in early {
            let op = CounterOp::AddSome { delta, times };
            jobs[at] = Job { op, call: 0, ret: first - 1, must: true };
        }
    }
}

fn whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}
