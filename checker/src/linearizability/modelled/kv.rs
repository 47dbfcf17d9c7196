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
//!
//! And all strings that no string that was read begins with are alike (`narrowed`): no `get` can return one
//! of them, or anything that comes of it by appending. So of the many orders in which appends can happen only
//! those count apart that somebody may have seen.

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Unexplained, Vocabulary, VocabularyError};
use crate::history::{Operation, Outcome};
use crate::model::Model;
use crate::model::kv::{Kv, KvOp};
use crate::provenance::texts::Texts;

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

    fn narrowed<'a>(&'a self, jobs: &[Job<KvOp>]) -> impl Model<Op = KvOp> + 'a {
        Readable { gets: gets(jobs) }
    }

    fn unexplained(&self, jobs: &[Job<KvOp>]) -> Option<Unexplained> {
        let mut texts = Texts::default();
        for job in jobs {
            match &job.op {
                KvOp::Put(text) => texts.add(true, text, job.call, false),
                KvOp::Append(text) => texts.add(false, text, job.call, false),
                KvOp::Get(_) => {}
            }
        }
        let gets = jobs.iter().enumerate().filter(|(_, job)| job.must);
        let odd = gets.filter(|(_, job)| match &job.op {
            KvOp::Get(text) => !texts.explain(text, job.ret),
            KvOp::Put(_) | KvOp::Append(_) => false,
        });
        let (job, get) = odd.min_by_key(|(_, job)| job.ret)?;
        let late = |(place, job): (usize, &Job<KvOp>)| {
            (!matches!(job.op, KvOp::Get(_)) && job.call > get.ret).then_some(place)
        };
        Some(Unexplained { job, late: jobs.iter().enumerate().filter_map(late).collect() })
    }

    fn tighten(&self, jobs: &mut [Job<KvOp>]) {
        if jobs.iter().all(|job| job.must) {
            return;
        }
        let gets = gets(jobs);
        for job in jobs.iter_mut().filter(|job| !job.must) {
            let seen = match &job.op {
                KvOp::Put(value) => is_beginning(&gets, value),
                KvOp::Append(more) => gets.iter().any(|get| get.contains(more)),
                KvOp::Get(_) => true,
            };
            if !seen {
                (job.call, job.ret) = (1, 0);
            }
        }
    }
}

/// The strings that were read, in order.
fn gets(jobs: &[Job<KvOp>]) -> Vec<String> {
    let read = |job: &Job<KvOp>| match &job.op {
        KvOp::Get(value) => Some(value.clone()),
        KvOp::Put(_) | KvOp::Append(_) => None,
    };
    let mut gets: Vec<String> = jobs.iter().filter_map(read).collect();
    gets.sort_unstable();
    gets.dedup();
    gets
}

/// Whether one of these strings, which are in order, begins with this.
fn is_beginning(gets: &[String], value: &str) -> bool {
    // What begins with it comes at it or right after.
    let at = gets.partition_point(|get| get.as_str() < value);
    gets.get(at).is_some_and(|get| get.starts_with(value))
}

/// A string that tells apart only what may yet be read.
struct Readable {
    gets: Vec<String>,
}

impl Model for Readable {
    /// None is any string that no string that was read begins with.
    type State = Option<String>;
    type Op = KvOp;

    fn initial(&self) -> Option<String> {
        Some(String::new())
    }

    fn step(&self, state: &Option<String>, op: &KvOp) -> impl Iterator<Item = Option<String>> {
        let next: Option<Option<String>> = match (op, state) {
            (KvOp::Put(value), _) => Some(Some(value.clone())),
            (_, Some(value)) => Kv.step(value, op).next().map(Some),
            (KvOp::Append(_), None) => Some(None),
            (KvOp::Get(_), None) => None,
        };
        let seen = |value: &String| is_beginning(&self.gets, value);
        next.map(|value| value.filter(seen)).into_iter()
    }

    fn is_read(&self, op: &KvOp) -> bool {
        Kv.is_read(op)
    }

    fn bytes(&self, state: &Option<String>) -> usize {
        size_of::<Option<String>>() + state.as_ref().map_or(0, String::capacity)
    }
}
