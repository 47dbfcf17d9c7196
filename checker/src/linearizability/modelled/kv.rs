//! What a history says of one key of a store of strings.
//!
//! | call | `ok` | `info` | `fail` |
//! |---|---|---|---|
//! | `get` | the string was the value; null is the empty one | nothing | nothing |
//! | `put` s | s is the string | s may become the string | nothing |
//! | `append` s | s was added at the end | s may be added | nothing |
//!
//! An optional append that is not found in any string that was read can be left out (`tighten`): nobody can
//! have read the string between it and the put that ended it, if any. The same goes for an optional put that
//! no string that was read begins with.

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Vocabulary, VocabularyError};
use crate::history::{Operation, Outcome};
use crate::model::kv::{Kv, KvOp};

impl Vocabulary for Kv {
    fn name(&self) -> &'static str {
        "kv"
    }

    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        _: &mut Names<'h>,
    ) -> Result<Option<Said<KvOp>>, VocabularyError> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(self.shape(operation, "a string", other)),
        };
        let happened = operation.outcome() != Outcome::Fail;
        Ok(match (operation.f(), operation.outcome()) {
            ("put", _) => Some(Said::change(KvOp::Put(text(operation.argument())?))).filter(|_| happened),
            ("append", _) => {
                Some(Said::change(KvOp::Append(text(operation.argument())?))).filter(|_| happened)
            }
            ("get", Outcome::Ok) if !operation.is_eventual() => match operation.result() {
                None => None,
                Some(Value::Null) => Some(Said::look(KvOp::Get(String::new()))),
                Some(value) => Some(Said::look(KvOp::Get(text(value)?))),
            },
            ("get", _) => None,
            _ => return Err(self.unknown(operation)),
        })
    }

    fn tighten(&self, jobs: &mut [Job<KvOp>]) {
        let read = |job: &Job<KvOp>| match &job.op {
            KvOp::Get(value) => Some(value.clone()),
            KvOp::Put(_) | KvOp::Append(_) => None,
        };
        if jobs.iter().all(|job| job.must) {
            return;
        }
        let mut gets: Vec<String> = jobs.iter().filter_map(read).collect();
        gets.sort_unstable();
        gets.dedup();
        for job in jobs.iter_mut().filter(|job| !job.must) {
            let seen = match &job.op {
                KvOp::Put(value) => gets.iter().any(|get| get.starts_with(value)),
                KvOp::Append(more) => gets.iter().any(|get| get.contains(more)),
                KvOp::Get(_) => true,
            };
            if !seen {
                (job.call, job.ret) = (1, 0);
            }
        }
    }
}
