//! Error answers: DynamoDB's exceptions, their HTTP status and their shape on the wire.
//!
//! Which exception an outcome becomes is decided here alone. What matters most: a write whose fate is
//! unknown must be a 500, and nothing that may have happened may look like a refusal.

use http::StatusCode;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::backend::{BackendError, Extension};
use crate::expression::{ExpressionError, KeyConditionError, PlaceholderError};
use crate::item::json::{ValueError, Wire};
use crate::item::{Item, MutationRefused, SchemaMismatch};

/// The exceptions that the store answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// The request makes no sense.
    Validation,
    /// The request is not the JSON that the operation takes.
    Serialization,
    /// No such operation, or none that this store has.
    UnknownOperation,
    /// The request is not signed.
    MissingAuthenticationToken,
    /// The condition does not hold.
    ConditionalCheckFailed,
    /// No such table.
    ResourceNotFound,
    /// There is such a table already.
    ResourceInUse,
    /// The outcome is unknown.
    InternalServerError,
    /// The store cannot serve this now.
    ServiceUnavailable,
}

impl Exception {
    /// The `__type` on the wire.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Validation => "com.amazon.coral.validate#ValidationException",
            Self::Serialization => "com.amazon.coral.service#SerializationException",
            Self::UnknownOperation => "com.amazon.coral.service#UnknownOperationException",
            Self::MissingAuthenticationToken => {
                "com.amazon.coral.service#MissingAuthenticationTokenException"
            }
            Self::ConditionalCheckFailed => {
                "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            }
            Self::ResourceNotFound => "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            Self::ResourceInUse => "com.amazonaws.dynamodb.v20120810#ResourceInUseException",
            Self::InternalServerError => "com.amazonaws.dynamodb.v20120810#InternalServerError",
            Self::ServiceUnavailable => "com.amazon.coral.service#ServiceUnavailableException",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// An error answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{exception:?}: {message}")]
pub struct ApiError {
    /// Which exception.
    pub exception: Exception,
    /// What the client is told.
    pub message: String,
    /// The item that a failed condition met, when the client asked for it.
    pub item: Option<Item>,
    /// The partition that answered, for the response header.
    pub partition: Option<String>,
    /// What a store with versions says besides: a condition that failed has seen the item.
    pub extension: Option<Box<Extension>>,
}

impl ApiError {
    /// An error with a message.
    pub fn new(exception: Exception, message: impl Into<String>) -> Self {
        Self { exception, message: message.into(), item: None, partition: None, extension: None }
    }

    /// A ValidationException.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(Exception::Validation, message)
    }

    /// What a refused mutation becomes. The item goes along when it was asked for.
    #[must_use]
    pub fn refused(refused: MutationRefused, partition: String, with_item: bool) -> Self {
        let message = refused.to_string();
        let (exception, item) = match refused {
            MutationRefused::ConditionalCheckFailed { item } => {
                (Exception::ConditionalCheckFailed, item.filter(|_| with_item))
            }
            MutationRefused::Validation(_) | MutationRefused::ItemTooLarge { .. } => {
                (Exception::Validation, None)
            }
        };
        Self { exception, message, item, partition: Some(partition), extension: None }
    }

    /// The same error, with what the store says besides.
    #[must_use]
    pub fn with(self, extension: Option<Box<Extension>>) -> Self {
        Self { extension, ..self }
    }

    /// The partition that the request was for.
    #[must_use]
    pub fn at(mut self, partition: Option<String>) -> Self {
        self.partition = self.partition.or(partition);
        self
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        let exception = match &error {
            BackendError::TableNotFound(_) => Exception::ResourceNotFound,
            BackendError::TableInUse(_) => Exception::ResourceInUse,
            BackendError::Unavailable(_) => Exception::ServiceUnavailable,
            BackendError::Unknown(_) => Exception::InternalServerError,
            BackendError::Validation(_) => Exception::Validation,
        };
        Self::new(exception, error.to_string())
    }
}

/// All of these are ValidationExceptions whose text is the message.
macro_rules! validation_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::validation(error.to_string())
            }
        }
    )*};
}
validation_errors!(ExpressionError, KeyConditionError, PlaceholderError, SchemaMismatch, ValueError);

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("__type", self.exception.type_name())?;
        let key = if self.exception == Exception::Serialization { "Message" } else { "message" };
        map.serialize_entry(key, &self.message)?;
        if let Some(item) = &self.item {
            map.serialize_entry("Item", &Wire(item))?;
        }
        map.end()
    }
}
