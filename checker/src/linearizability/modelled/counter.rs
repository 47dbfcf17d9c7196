//! What a history says of a counter.
//!
//! | call | `ok` | `info` | `fail` |
//! |---|---|---|---|
//! | `add` d | d was added, to `observed` if that is there | d may be added | nothing |
//! | `read` | the sum was the value; null is 0 | nothing | nothing |
//!
//! # Tightening
//!
//! Additions matter to those who look: reads, and additions with an `observed`. In a gap, while nobody looks,
//! the order of additions is of no concern, only what they come to: [`gaps`] makes one job of each gap.

mod gaps;

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Unexplained, Vocabulary, VocabularyError, Weak};
use crate::history::{Operation, Outcome};
use crate::model::counter::{Counter, CounterOp};
use crate::provenance::sums::Sums;

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

    fn unexplained(&self, jobs: &[Job<CounterOp>]) -> Option<Unexplained> {
        let mut additions: Vec<(u32, i128)> = Vec::new();
        for job in jobs {
            if let CounterOp::Add { delta, .. } = job.op {
                additions.push((job.call, delta));
            }
        }
        additions.sort_unstable();
        let (mut sums, none) = (Sums::default(), Sums::default());
        additions.into_iter().for_each(|(call, delta)| sums.add(call, delta));
        let odd = jobs.iter().enumerate().filter(|(_, job)| match job.op {
            CounterOp::Read(sum) | CounterOp::Add { observed: Some(sum), .. } if job.must => {
                !sums.explain(&none, job.ret, sum)
            }
            _ => false,
        });
        let (job, _) = odd.min_by_key(|(_, job)| job.ret)?;
        // Additions have their moments, however weak they are: none can come in time that did not.
        Some(Unexplained { job, late: Vec::new() })
    }

    fn tighten(&self, jobs: &mut [Job<CounterOp>]) {
        gaps::fold(jobs);
    }
}

fn whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}
