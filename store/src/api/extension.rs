//! The protocol's extension: headers beside DynamoDB's API, for stores that keep versions of an item.
//!
//! A request may ask for other numbers of replicas than the settings say, give the context that it writes
//! in, ask for all versions, or read one node's own row. An answer tells what was seen or written. Headers
//! rather than parameters, so that any DynamoDB client can use them with a hook that adds a header, and none
//! stumbles over an unknown parameter.
//!
//! What a header means is up to the backend, and one without versions passes over them; that a header is
//! well-formed, and belongs to the operation, is checked here, whatever the backend: to pass over a
//! misspelt quorum would be worse than to refuse it. `docs/quorum.md` is the page for users.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::backend::{Ask, Extension};
use super::error::ApiError;

/// Asks for other numbers of replicas: `r=2`, `w=1`, or both with a comma.
pub const QUORUM_HEADER: HeaderName = HeaderName::from_static("x-growler-quorum");
/// The context: of a write in a request, of what is now seen in an answer.
pub const CONTEXT_HEADER: HeaderName = HeaderName::from_static("x-growler-context");
/// `all` in a request of GetItem; in an answer, how many versions there are.
pub const SIBLINGS_HEADER: HeaderName = HeaderName::from_static("x-growler-siblings");
/// `local` in a request of GetItem: this node's own row.
pub const REPLICA_HEADER: HeaderName = HeaderName::from_static("x-growler-replica");
/// In an answer: the context, to be read by people and checkers.
pub const CLOCK_HEADER: HeaderName = HeaderName::from_static("x-growler-clock");
/// In an answer: the versions read, or the one written.
pub const VERSION_HEADER: HeaderName = HeaderName::from_static("x-growler-version");
/// In an answer: the time of what is shown or written, `nanoseconds,node`.
pub const TIMESTAMP_HEADER: HeaderName = HeaderName::from_static("x-growler-timestamp");

/// The extension's headers of one request, each well-formed.
#[derive(Debug, Default)]
pub(super) struct Asked {
    r: Option<u32>,
    w: Option<u32>,
    context: Option<String>,
    siblings: bool,
    local: bool,
}

impl Asked {
    /// Reads the headers of a request.
    ///
    /// # Errors
    /// A ValidationException that names the header which is not as it must be.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        if let Some(quorum) = text(headers, &QUORUM_HEADER)? {
            asked.read_quorum(quorum)?;
        }
        if let Some(context) = text(headers, &CONTEXT_HEADER)? {
            let possible = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
            if context.is_empty() || !context.bytes().all(possible) {
                return Err(malformed(&CONTEXT_HEADER, context, "send back one that an answer carried"));
            }
            asked.context = Some(context.to_owned());
        }
        asked.siblings = flag(headers, &SIBLINGS_HEADER, "all")?;
        asked.local = flag(headers, &REPLICA_HEADER, "local")?;
        Ok(asked)
    }

    fn read_quorum(&mut self, quorum: &str) -> Result<(), ApiError> {
        let wrong =
            || malformed(&QUORUM_HEADER, quorum, "write r=N, w=N or both with a comma, each N at least 1");
        for part in quorum.split(',') {
            let (name, number) = part.trim().split_once('=').ok_or_else(wrong)?;
            let number: u32 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
            let place = match name {
                "r" => &mut self.r,
                "w" => &mut self.w,
                _ => return Err(wrong()),
            };
            if place.replace(number).is_some() {
                return Err(wrong());
            }
        }
        Ok(())
    }

    /// What a GetItem asks for.
    pub(super) fn of_read(self) -> Result<Ask, ApiError> {
        if self.context.is_some() {
            return Err(misplaced(&CONTEXT_HEADER, "PutItem, DeleteItem and UpdateItem"));
        }
        let siblings = self.siblings || self.local;
        Ok(Ask { r: self.r, w: self.w, siblings, local: self.local, ..Ask::default() })
    }

    /// What a write asks for; `old_image`: its answer shows the item as it was.
    pub(super) fn of_write(self, old_image: bool) -> Result<Ask, ApiError> {
        self.refuse_flags()?;
        Ok(Ask { r: self.r, w: self.w, context: self.context, old_image, ..Ask::default() })
    }

    /// Query and Scan take none.
    pub(super) fn of_page(self) -> Result<(), ApiError> {
        if self.r.is_some() || self.w.is_some() {
            return Err(misplaced(&QUORUM_HEADER, "GetItem, PutItem, DeleteItem and UpdateItem"));
        }
        if self.context.is_some() {
            return Err(misplaced(&CONTEXT_HEADER, "PutItem, DeleteItem and UpdateItem"));
        }
        self.refuse_flags()
    }

    fn refuse_flags(&self) -> Result<(), ApiError> {
        match self {
            Self { siblings: true, .. } => Err(misplaced(&SIBLINGS_HEADER, "GetItem")),
            Self { local: true, .. } => Err(misplaced(&REPLICA_HEADER, "GetItem")),
            _ => Ok(()),
        }
    }
}

/// The one value of a header, where there is one.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::validation(format!("The header {name} can be sent only once")));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(ApiError::validation(format!("The header {name} is not ASCII text"))),
    }
}

/// Whether a header is there, which has but one value.
fn flag(headers: &HeaderMap, name: &HeaderName, only: &str) -> Result<bool, ApiError> {
    match text(headers, name)? {
        None => Ok(false),
        Some(value) if value == only => Ok(true),
        Some(value) => Err(malformed(name, value, &format!("it can only be `{only}`"))),
    }
}

fn malformed(name: &HeaderName, value: &str, hint: &str) -> ApiError {
    ApiError::validation(format!("The header {name} cannot be `{value}`: {hint}"))
}

fn misplaced(name: &HeaderName, operations: &str) -> ApiError {
    ApiError::validation(format!("The header {name} belongs to {operations}, not to this operation"))
}

/// Puts what an answer says into its headers.
pub(super) fn write(extension: &Extension, headers: &mut HeaderMap) {
    // a map of strings and numbers always has a JSON form
    let clock = serde_json::to_string(&extension.clock).unwrap_or_default();
    let timestamp = extension.timestamp.as_ref().map(|at| format!("{},{}", at.ns, at.node));
    let all = [
        (CONTEXT_HEADER, Some(extension.context.clone())),
        (CLOCK_HEADER, Some(clock)),
        (VERSION_HEADER, Some(extension.version.clone())),
        (TIMESTAMP_HEADER, timestamp),
        (SIBLINGS_HEADER, Some(extension.siblings.to_string())),
    ];
    for (name, value) in all {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
}
