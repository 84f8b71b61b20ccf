//! How a call that did not succeed is told: the same words as `runwrit:types/failures`.

use serde::{Deserialize, Serialize};

/// Why the grant does not cover a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[error("`{operation}` on `{resource}` was refused: {reason}")]
pub struct Denial {
    /// For example `hetzner.servers.create`.
    pub operation: String,
    /// The resource addressed, by name where one is known, else by id.
    pub resource: String,
    /// Which rule refused it: a stable, kebab-case code for tests and tools.
    pub rule: String,
    /// Which rule refused it, for people.
    pub reason: String,
    /// The line of a grant that would allow it.
    pub hint: String,
}

/// What went wrong outside the grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[error("{}{message} (`{code}`)", place(field.as_deref()))]
pub struct Problem {
    /// The outside system's own code where it has one, else ours in kebab-case.
    pub code: String,
    /// One sentence; never a secret.
    pub message: String,
    /// The field at fault.
    pub field: Option<String>,
}

/// Names the field at fault before the message.
fn place(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!("`{field}`: "))
}

impl Problem {
    /// Builds a problem without a field.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None }
    }

    /// Names the field at fault.
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// The ordinary error of a call, as a guest sees it and a journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The grant does not cover the call; nothing was sent.
    #[error(transparent)]
    Denied(Denial),
    /// The resource does not exist, or lies outside the scope.
    #[error("not found: {0}")]
    NotFound(Problem),
    /// The name, address or number is taken by something foreign.
    #[error("conflict: {0}")]
    Conflict(Problem),
    /// No stock, quota or placement.
    #[error("unavailable: {0}")]
    Unavailable(Problem),
    /// The request itself is wrong.
    #[error("invalid: {0}")]
    Invalid(Problem),
    /// The call did not end in time.
    #[error("timed out: {0}")]
    TimedOut(Problem),
    /// The outside system failed.
    #[error("failed: {0}")]
    Failed(Problem),
}
