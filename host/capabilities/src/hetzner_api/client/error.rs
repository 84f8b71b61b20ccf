//! What the API says instead of an answer, and what that proves.

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::text::truncate;
use serde::Deserialize;
use serde_json::Value;

use crate::gate::{SendError, UndoError};

/// Messages of the API are a sentence; what is longer is a page of HTML.
const MESSAGE_BYTES_MAX: usize = 500;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API refused it: proven to have had no effect.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No connection was made: proven to have had no effect.
    #[error("no connection to the API: {0}")]
    Unreachable(String),
    /// It may have had its effect: a lost answer, a timeout, an error of the server.
    #[error("the outcome is unknown: {0}")]
    Unclear(String),
}

/// The error envelope of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (HTTP {status}, `{code}`)")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code of the API, or `http-<status>` where an answer has no envelope.
    pub code: String,
    /// For people.
    pub message: String,
    /// The field at fault.
    pub field: Option<String>,
    /// Whether the answer had no envelope: something before the API may have written it.
    pub is_bare: bool,
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Value,
}

impl Refusal {
    /// Reads an answer with a status that is no success. A body without the envelope, such as the
    /// HTML of a load balancer, is told by its status alone.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let Ok(Envelope { error }) = serde_json::from_slice::<Envelope>(body) else {
            return Self::bare(status);
        };
        let field = error.details.pointer("/fields/0/name").and_then(Value::as_str);
        let text = error.details.pointer("/fields/0/messages/0").and_then(Value::as_str);
        let message = match text {
            Some(text) if !error.message.contains(text) => format!("{}: {text}", error.message),
            _ => error.message,
        };
        Self {
            status,
            code: error.code,
            message: truncate(&message, MESSAGE_BYTES_MAX),
            field: field.map(|field| truncate(field, MESSAGE_BYTES_MAX)),
            is_bare: false,
        }
    }

    fn bare(status: u16) -> Self {
        let code = match status {
            502 => "bad_gateway".to_owned(),
            504 => "timeout".to_owned(),
            300..=399 => "redirect".to_owned(),
            _ => format!("http-{status}"),
        };
        let message = match status {
            300..=399 => "the API answered with a redirect, which is never followed".to_owned(),
            _ => "the API answered without its error envelope".to_owned(),
        };
        Self { status, code, message, field: None, is_bare: true }
    }

    /// Returns whether the code is one of `codes`.
    pub fn is_one_of(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// Says it in the words of all capabilities, on `subject`.
    pub fn failure(&self, subject: &str) -> Failure {
        let problem = Problem {
            code: self.code.clone(),
            message: format!("{subject}: {}", self.message),
            field: self.field.clone(),
        };
        match self.code.as_str() {
            "not_found" | "firewall_resource_not_found" => Failure::NotFound(problem),
            "uniqueness_error" => Failure::Conflict(problem),
            "resource_unavailable"
            | "resource_limit_exceeded"
            | "placement_error"
            | "no_space_left_in_location"
            | "no_subnet_available"
            | "ip_not_available" => Failure::Unavailable(problem),
            "invalid_input"
            | "json_error"
            | "unsupported_error"
            | "invalid_server_type"
            | "incompatible_network_type"
            | "private_net_only_server"
            | "networks_overlap" => Failure::Invalid(problem),
            _ => Failure::Failed(problem),
        }
    }
}

impl ApiError {
    /// Returns the refusal, where it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns whether it is a refusal with one of `codes`.
    pub fn is_one_of(&self, codes: &[&str]) -> bool {
        self.refusal().is_some_and(|refusal| refusal.is_one_of(codes))
    }

    /// Says it in the words of all capabilities, for a read of `subject`.
    pub fn failure(&self, subject: &str) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure(subject),
            Self::Unreachable(cause) => {
                Failure::Failed(Problem::new("unreachable", format!("{subject}: {cause}")))
            }
            Self::Unclear(cause) => {
                Failure::Failed(Problem::new("no-answer", format!("{subject}: {cause}")))
            }
        }
    }

    /// Says what it proves about a send.
    pub fn into_send_error(self, subject: &str) -> SendError {
        match self {
            Self::Unclear(cause) => SendError::Unknown(format!("{subject}: {cause}")),
            proven => SendError::Refused(proven.failure(subject)),
        }
    }

    /// Says what it means to an undo: what time can heal, and what needs a person.
    pub fn into_undo_error(self, subject: &str) -> UndoError {
        let text = format!("{subject}: {self}");
        match &self {
            Self::Refused(refusal) if refusal.code == "locked" => UndoError::Later(text),
            Self::Refused(refusal) if matches!(refusal.status, 401 | 403 | 405 | 410) => {
                UndoError::Never(text)
            }
            Self::Refused(refusal) if refusal.is_one_of(&["protected", "invalid_input"]) => {
                UndoError::Never(text)
            }
            _ => UndoError::Later(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_the_envelope_are_told_by_their_status() {
        let rows: [(u16, &[u8], &str); 6] = [
            (502, b"<html>bad gateway</html>", "bad_gateway"),
            (504, b"", "timeout"),
            (302, b"", "redirect"),
            (500, b"[]", "http-500"),
            (400, br#"{"error":"text"}"#, "http-400"),
            (423, br#"{"error":{"code":"locked","message":"m","details":null}}"#, "locked"),
        ];
        for (status, body, code) in rows {
            assert_eq!(Refusal::read(status, body).code, code, "HTTP {status}");
        }
    }

    #[test]
    fn fields_and_their_texts_are_told() {
        let body = br#"{"error":{"code":"invalid_input","message":"invalid input in field 'name'",
            "details":{"fields":[{"name":"name","messages":["Name must be a valid hostname."]}]}
            }}"#;
        let refusal = Refusal::read(422, body);
        assert_eq!(refusal.field.as_deref(), Some("name"));
        assert!(refusal.message.ends_with("Name must be a valid hostname."), "{refusal}");
        assert!(matches!(refusal.failure("server `x`"), Failure::Invalid(_)));
    }

    #[test]
    fn undo_waits_for_what_passes_and_asks_a_person_about_the_rest() {
        let refused = |status, code: &str| {
            let message = String::new();
            let code = code.into();
            ApiError::Refused(Refusal { status, code, message, field: None, is_bare: false })
        };
        let rows = [
            (refused(423, "locked"), true),
            (refused(409, "conflict"), true),
            (refused(422, "resource_in_use"), true),
            (refused(422, "service_error"), true),
            (refused(429, "rate_limit_exceeded"), true),
            (ApiError::Unclear("timeout".into()), true),
            (ApiError::Unreachable("refused".into()), true),
            (refused(423, "protected"), false),
            (refused(401, "unauthorized"), false),
            (refused(403, "forbidden"), false),
        ];
        for (error, passes) in rows {
            let name = error.to_string();
            let is_later = matches!(error.into_undo_error("x"), UndoError::Later(_));
            assert_eq!(is_later, passes, "{name}");
        }
    }
}
