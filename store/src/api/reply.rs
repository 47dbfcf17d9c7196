//! A successful answer before it becomes HTTP: its JSON, the partition that gave it, and what a store with
//! versions says besides.

use serde::Serialize;

use super::backend::Extension;
use super::error::{ApiError, Exception};

/// The body of a 200, and where it came from.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    pub(super) partition: Option<String>,
    pub(super) extension: Option<Box<Extension>>,
}

impl Reply {
    /// The same answer, with what the store says besides.
    pub(super) fn with(self, extension: Option<Box<Extension>>) -> Self {
        Self { extension, ..self }
    }
}

/// Serialises an answer.
pub(super) fn reply<T: Serialize>(answer: &T, partition: Option<String>) -> Result<Reply, ApiError> {
    match serde_json::to_vec(answer) {
        Ok(body) => Ok(Reply { body, partition, extension: None }),
        // The operation took place; only its answer is lost. That is a 500 and nothing milder.
        Err(error) => Err(ApiError::new(Exception::InternalServerError, error.to_string()).at(partition)),
    }
}
