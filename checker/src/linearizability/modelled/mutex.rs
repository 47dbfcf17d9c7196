//! What a history says of a lock.
//!
//! | call | `ok` | `info` | `fail` |
//! |---|---|---|---|
//! | `acquire` | the lock was free, and is held under the value, its fencing token, if there is one | it may become held, under a token that nobody knows | nothing |
//! | `release` t | it was held under t (by whomever, where no token is named), and is free | it may become free | nothing |
//!
//! The token of a release is its argument, or else its result.

use serde_json::Value;

use super::{Names, Said, Vocabulary, VocabularyError, Weak};
use crate::history::{Operation, Outcome};
use crate::model::mutex::{Mutex, MutexOp, Token};

impl Vocabulary for Mutex {
    fn name(&self) -> &'static str {
        "mutex"
    }

    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        names: &mut Names<'h>,
    ) -> Result<Option<Said<MutexOp>>, VocabularyError> {
        let answer = operation.result().filter(|_| operation.outcome() == Outcome::Ok);
        let mut token = |value: Option<&'h Value>| {
            value.filter(|value| !value.is_null()).map(|value| {
                let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                Token { name: names.value(value), number }
            })
        };
        let said = match operation.f() {
            "acquire" => {
                Said { op: MutexOp::Acquire(token(answer)), weak: Weak::InTime(MutexOp::Acquire(None)) }
            }
            "release" => {
                let token = token(Some(operation.argument())).or_else(|| token(answer));
                Said::change_in_time(MutexOp::Release(token))
            }
            _ => return Err(self.unknown(operation)),
        };
        Ok(Some(said).filter(|_| operation.outcome() != Outcome::Fail))
    }
}
