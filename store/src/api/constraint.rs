//! The constraints on single fields of a request, which DynamoDB checks first and reports together:
//! "2 validation errors detected: Value … at … failed to satisfy constraint: …; Value …".

use super::error::ApiError;

/// The most breaches that are told at once.
const MAX_TOLD: usize = 10;

const TABLE_NAME_PATTERN: &str = "[a-zA-Z0-9_.-]+";

/// The constraints that a request has breached so far.
#[derive(Debug, Default)]
pub(super) struct Constraints(Vec<String>);

impl Constraints {
    /// Notes a breach; `value` as the message shows it, with its quotes.
    pub(super) fn breach(&mut self, value: &str, field: &str, constraint: &str) {
        self.0.push(format!("Value {value} at '{field}' failed to satisfy constraint: {constraint}"));
    }

    /// A table name that must be there.
    pub(super) fn table_name(&mut self, field: &str, name: Option<&str>, shortest: usize) {
        let Some(name) = name else { return self.breach("null", field, "Member must not be null") };
        let shown = format!("'{name}'");
        if name.len() < shortest {
            self.breach(
                &shown,
                field,
                &format!("Member must have length greater than or equal to {shortest}"),
            );
        }
        if name.len() > 255 {
            self.breach(&shown, field, "Member must have length less than or equal to 255");
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !name.is_empty() && !name.bytes().all(allowed) {
            let constraint = format!("Member must satisfy regular expression pattern: {TABLE_NAME_PATTERN}");
            self.breach(&shown, field, &constraint);
        }
    }

    /// A field that must be there.
    pub(super) fn required<T>(&mut self, field: &str, value: Option<&T>) {
        if value.is_none() {
            self.breach("null", field, "Member must not be null");
        }
    }

    /// A field that is one of a few words, if it is there.
    pub(super) fn one_of(&mut self, field: &str, value: Option<&str>, words: &[&str]) {
        if let Some(value) = value.filter(|value| !words.contains(value)) {
            let constraint = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            self.breach(&format!("'{value}'"), field, &constraint);
        }
    }

    /// A number within bounds, if it is there.
    pub(super) fn between(&mut self, field: &str, value: Option<i64>, least: i64, most: i64) {
        let Some(value) = value else { return };
        let shown = format!("'{value}'");
        if value < least {
            let constraint = format!("Member must have value greater than or equal to {least}");
            self.breach(&shown, field, &constraint);
        }
        if value > most {
            let constraint = format!("Member must have value less than or equal to {most}");
            self.breach(&shown, field, &constraint);
        }
    }

    /// `ReturnConsumedCapacity`.
    pub(super) fn consumed_capacity(&mut self, value: Option<&str>) {
        self.one_of("returnConsumedCapacity", value, &["INDEXES", "TOTAL", "NONE"]);
    }

    /// The error that tells all breaches, if there are any.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        let told = &self.0[..self.0.len().min(MAX_TOLD)];
        if told.is_empty() {
            return Ok(());
        }
        let plural = if told.len() == 1 { "" } else { "s" };
        let text = told.join("; ");
        Err(ApiError::validation(format!("{} validation error{plural} detected: {text}", told.len())))
    }
}
