//! A refusal: the error envelope of the API, with its status.

use std::fmt::Display;

use serde_json::{Value, json};

/// What the API answers instead of doing something.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub details: Value,
}

impl Refusal {
    /// Refuses with any status and code.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), details: Value::Null }
    }

    /// Adds the details object that the code documents.
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Refuses one field of the input.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let details = json!({"fields": [{"name": field, "messages": [message]}]});
        let text = format!("invalid input in field '{field}': {message}");
        Self::new(422, "invalid_input", text).with_details(details)
    }

    /// Refuses with 422 and an operation's own code.
    pub fn unprocessable(code: &str, message: impl Into<String>) -> Self {
        Self::new(422, code, message)
    }

    /// Tells that no such thing exists in the project.
    pub fn not_found(kind: &str, id: impl Display) -> Self {
        Self::new(404, "not_found", format!("{kind} with ID '{id}' not found"))
    }

    /// Tells that a name or another unique field is taken.
    pub fn taken(field: &str, message: impl Into<String>) -> Self {
        Self::new(409, "uniqueness_error", message)
            .with_details(json!({"fields": [{"name": field}]}))
    }

    /// Tells that an action holds the thing.
    pub fn locked(kind: &str) -> Self {
        Self::new(423, "locked", format!("cannot perform operation because {kind} is locked"))
    }

    /// Tells that a protection flag forbids the operation.
    pub fn protected(message: impl Into<String>) -> Self {
        Self::new(423, "protected", message)
    }

    /// Tells that the account may hold no more of a kind.
    pub fn limit(kind: &str) -> Self {
        Self::new(403, "resource_limit_exceeded", format!("{kind} limit exceeded"))
            .with_details(json!({"limits": [{"name": format!("{kind}_limit")}]}))
    }

    /// Tells that the order cannot be filled now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(412, "resource_unavailable", message).with_details(json!({}))
    }

    /// Returns the JSON envelope.
    pub fn envelope(&self) -> Value {
        json!({"error": {
            "code": self.code,
            "message": self.message,
            "details": self.details,
        }})
    }
}
