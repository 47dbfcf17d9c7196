//! Which outcome an answer means: the table on which every verdict stands.
//!
//! A write is *fail* only when it certainly had no effect, now or later; whatever is not certain is *info*.
//! [`TABLE`] holds one row for each thing that can be seen, with DynamoDB's documented meaning, and nothing
//! decides an outcome beside it. A read has no effect whatever happens to it, so each of its failures is
//! *fail*. An error that is not in the table is *info*: an unknown name promises nothing.

use serde::Deserialize;
use serde_json::Value;

use super::extension::Versioning;
use super::value::Item;

/// How sure a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Certainly not applied.
    Fail,
    /// Applied or not, now or later.
    Info,
}

/// What was seen instead of a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A cap was reached: the request was not sent.
    CapReached,
    /// The request could not be built or signed: it was not sent.
    Unsendable,
    /// The connection was refused.
    Refused,
    /// No connection within the connection's deadline, TLS included.
    ConnectTimeout,
    /// No connection, because the server's certificate does not prove who it is.
    Untrusted,
    /// No connection for another reason: name resolution, an unreachable network.
    NotConnected,
    /// The connection was closed before a byte of the request was written.
    ClosedBefore,
    /// The connection went away before an answer began.
    ConnectionLost,
    /// The deadline of the whole call passed.
    Timeout,
    /// The body ended early.
    Truncated,
    /// The body does not have the checksum that the server sent with it.
    Checksum,
    /// The body is not the JSON that the operation is answered with.
    Garbage,
    /// A 4xx status with this error name.
    Service(&'static str),
    /// A 4xx status with an error name that is not in the table.
    UnknownService,
    /// Status 500, whatever the body says.
    InternalError,
    /// Status 503, whatever the body says.
    Unavailable,
    /// Any other status, whatever the body says.
    OtherStatus,
}

/// One row: what was seen, what it means for a write, and the name that the history records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What was seen.
    pub seen: Seen,
    /// What it means for a write.
    pub class: Class,
    /// The error's name in the history. Empty: the name that the server sent.
    pub error: &'static str,
}

/// What the history records when a condition did not hold.
pub const CONDITION_FAILED: &str = "condition-failed";

/// What the history records when a cap refused the request.
pub const CAP_REACHED: &str = "cap-reached";

const fn row(seen: Seen, class: Class, error: &'static str) -> Row {
    Row { seen, class, error }
}

const fn rejected(name: &'static str) -> Row {
    row(Seen::Service(name), Class::Fail, name)
}

/// Every outcome but a good answer. The first row that matches decides.
pub const TABLE: &[Row] = &[
    // Never sent.
    row(Seen::CapReached, Class::Fail, CAP_REACHED),
    row(Seen::Unsendable, Class::Fail, "unsendable"),
    row(Seen::Refused, Class::Fail, "connection-refused"),
    row(Seen::ConnectTimeout, Class::Fail, "connect-timeout"),
    row(Seen::Untrusted, Class::Fail, "untrusted-certificate"),
    row(Seen::NotConnected, Class::Fail, "not-connected"),
    row(Seen::ClosedBefore, Class::Fail, "connection-closed"),
    // Sent, and no answer that can be trusted.
    row(Seen::ConnectionLost, Class::Info, "connection-lost"),
    row(Seen::Timeout, Class::Info, "timeout"),
    row(Seen::Truncated, Class::Info, "truncated-answer"),
    row(Seen::Checksum, Class::Info, "wrong-checksum"),
    row(Seen::Garbage, Class::Info, "garbled-answer"),
    // Refused before anything was applied.
    row(Seen::Service("ConditionalCheckFailedException"), Class::Fail, CONDITION_FAILED),
    rejected("ValidationException"),
    rejected("SerializationException"),
    rejected("UnknownOperationException"),
    rejected("ResourceNotFoundException"),
    rejected("ResourceInUseException"),
    rejected("LimitExceededException"),
    rejected("ItemCollectionSizeLimitExceededException"),
    rejected("AccessDeniedException"),
    rejected("UnrecognizedClientException"),
    rejected("InvalidSignatureException"),
    rejected("IncompleteSignatureException"),
    rejected("MissingAuthenticationTokenException"),
    rejected("ExpiredTokenException"),
    rejected("ProvisionedThroughputExceededException"),
    rejected("ThrottlingException"),
    rejected("RequestLimitExceeded"),
    rejected("TransactionCanceledException"),
    rejected("TransactionConflictException"),
    rejected("ReplicatedWriteConflictException"),
    // Not applied by this request; the token's first request did something else.
    rejected("IdempotentParameterMismatchException"),
    // The same token is still running.
    row(Seen::Service("TransactionInProgressException"), Class::Info, "TransactionInProgressException"),
    row(Seen::UnknownService, Class::Info, ""),
    // The server itself does not know.
    row(Seen::InternalError, Class::Info, "http-500"),
    row(Seen::Unavailable, Class::Info, "http-503"),
    row(Seen::OtherStatus, Class::Info, ""),
];

impl Seen {
    /// What a status says by itself, or with the error name in its body.
    #[must_use]
    pub fn from_status(status: u16, error: &str) -> Self {
        match status {
            500 => Self::InternalError,
            503 => Self::Unavailable,
            400..500 => TABLE
                .iter()
                .map(|row| row.seen)
                .find(|seen| matches!(seen, Self::Service(name) if *name == error))
                .unwrap_or(Self::UnknownService),
            _ => Self::OtherStatus,
        }
    }

    /// The row that decides.
    #[must_use]
    pub fn row(self) -> &'static Row {
        const UNKNOWN: Row = row(Seen::OtherStatus, Class::Info, "");
        TABLE.iter().find(|row| row.seen == self).unwrap_or(&UNKNOWN)
    }
}

/// Why an operation is not *ok*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error's name, as the history records it.
    pub error: String,
    /// More for people: the server's message, or the operating system's. May be empty.
    pub message: String,
    /// The item that a condition met, where the server returned it.
    pub item: Option<Item>,
    /// Why a transaction was cancelled: one code for each of its items, in their order.
    pub reasons: Vec<String>,
}

impl Failure {
    /// A failure without item and reasons.
    pub(crate) fn new(error: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error: error.into(), message: message.into(), item: None, reasons: Vec::new() }
    }

    /// What the history's `error` field says: the name alone, or an array of the name and what came with it.
    #[must_use]
    pub fn recorded(&self) -> Value {
        let name = self.error.as_str();
        if !self.reasons.is_empty() {
            return std::iter::once(name).chain(self.reasons.iter().map(String::as_str)).collect();
        }
        if self.message.is_empty() || name == CONDITION_FAILED {
            return Value::from(name);
        }
        Value::from(vec![name, self.message.as_str()])
    }
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// A good answer.
    Ok(T),
    /// Certainly not applied, or a read.
    Fail(Failure),
    /// Applied or not.
    Info(Failure),
}

impl<T> Outcome<T> {
    /// What `seen` means for an operation that writes, or that `only_reads`.
    pub(super) fn failed(seen: Seen, only_reads: bool, mut failure: Failure) -> Self {
        let row = seen.row();
        if !row.error.is_empty() {
            row.error.clone_into(&mut failure.error);
        }
        match row.class {
            Class::Info if !only_reads => Self::Info(failure),
            Class::Info | Class::Fail => Self::Fail(failure),
        }
    }

    /// The failure, where it is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Ok(_) => None,
            Self::Fail(failure) | Self::Info(failure) => Some(failure),
        }
    }

    /// The good answer changed by `f`.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Ok(answer) => Outcome::Ok(f(answer)),
            Self::Fail(failure) => Outcome::Fail(failure),
            Self::Info(failure) => Outcome::Info(failure),
        }
    }
}

/// A sorted answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// How the request ended.
    pub outcome: Outcome<T>,
    /// The partition that answered, where the server says so (`x-growler-partition`, an extension of the
    /// bundled store).
    pub partition: Option<String>,
    /// What a server that keeps versions says of them.
    pub versioning: Option<Box<Versioning>>,
}

impl<T> Answer<T> {
    /// The same answer, the good one changed by `f`.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { outcome, partition, versioning } = self;
        Answer { outcome: outcome.map(f), partition, versioning }
    }
}

/// The body of an error, in the spellings of both of DynamoDB's layers. Some servers send both.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    #[serde(rename = "__type")]
    kind: Option<String>,
    message: Option<String>,
    #[serde(rename = "Message")]
    capital_message: Option<String>,
    #[serde(rename = "Item")]
    item: Option<Item>,
    #[serde(rename = "CancellationReasons")]
    reasons: Option<Vec<Reason>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason {
    #[serde(rename = "Code")]
    code: Option<String>,
}

impl ErrorBody {
    /// The error's name without its namespace: what follows the `#`.
    pub(super) fn name(&self) -> &str {
        self.kind.as_deref().and_then(|kind| kind.rsplit('#').next()).unwrap_or_default()
    }

    pub(super) fn into_failure(self) -> Failure {
        let code = |reason: Reason| reason.code.unwrap_or_else(|| "None".to_owned());
        Failure {
            error: self.name().to_owned(),
            message: self.message.or(self.capital_message).unwrap_or_default(),
            item: self.item,
            reasons: self.reasons.unwrap_or_default().into_iter().map(code).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_row_can_be_reached() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.seen.row(), row, "row {i} is hidden by an earlier one");
            if let Seen::Service(name) = row.seen {
                assert_eq!(Seen::from_status(400, name), row.seen);
                assert_eq!(Seen::from_status(500, name), Seen::InternalError);
            }
        }
    }

    #[test]
    fn an_error_nobody_knows_is_never_certain() {
        assert_eq!(Seen::from_status(400, "BrandNewException").row().class, Class::Info);
        assert_eq!(Seen::from_status(404, "").row().class, Class::Info);
        assert_eq!(Seen::from_status(302, "ValidationException").row().class, Class::Info);
        assert_eq!(Seen::from_status(502, "ValidationException").row().class, Class::Info);
    }

    #[test]
    fn no_failure_of_a_read_is_indeterminate() {
        for row in TABLE {
            let outcome = Outcome::<()>::failed(row.seen, true, Failure::new("x", ""));
            assert!(matches!(outcome, Outcome::Fail(_)), "{row:?}");
        }
    }

    #[test]
    fn a_failed_condition_is_recorded_by_its_name_alone() {
        let failure = Failure::new(CONDITION_FAILED, "The conditional request failed");
        assert_eq!(failure.recorded(), json!("condition-failed"));
        assert_eq!(Failure::new("http-500", "oops").recorded(), json!(["http-500", "oops"]));
        assert_eq!(Failure::new("timeout", "").recorded(), json!("timeout"));
    }
}
