//! A successful answer before it becomes HTTP: its JSON and the partition that gave it.

use serde::Serialize;

use super::error::{ApiError, Exception};

/// The body of a 200, and where it came from.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    pub(super) partition: Option<String>,
}

/// Serialises an answer.
pub(super) fn reply<T: Serialize>(answer: &T, partition: Option<String>) -> Result<Reply, ApiError> {
    match serde_json::to_vec(answer) {
        Ok(body) => Ok(Reply { body, partition }),
        // The operation took place; only its answer is lost. That is a 500 and nothing milder.
        Err(error) => Err(ApiError::new(Exception::InternalServerError, error.to_string()).at(partition)),
    }
}
