//! Requests that may change something.

use std::sync::Arc;

use runwrit_model::call::{Call, CallClass, UndoPlan};
use serde_json::{Value, json};

use super::client::Broken;
use super::rules::Request;
use super::{Requests, Response};
use crate::gate::{Acceptance, CallError, Effect, Permit, Provenance, SendError, Ticket};

/// Sends with a method that may change something.
pub(super) struct Send {
    pub(super) requests: Arc<Requests>,
    pub(super) request: Request,
}

impl Effect for Send {
    type Output = Response;

    fn call(&self) -> Call {
        call("http.requests.send", CallClass::Opaque, &self.request)
    }

    fn request(&self) -> Value {
        let mut request = self.request.record();
        // Text can be read by whoever approves a plan, and what a remote assigned be found in it.
        if let Ok(body) = std::str::from_utf8(&self.request.body) {
            request["body"] = json!(body);
            request["body-sha256"] = Value::Null;
            request["body-bytes"] = Value::Null;
        }
        request
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.requests.permit("http.requests.send", &self.request)
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        None
    }

    fn is_over_when_accepted(&self) -> bool {
        true
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        let answer = self.requests.client.change(&self.request).await;
        let response = answer.map_err(|broken| match broken {
            Broken::Unsent(failure) => SendError::Refused(failure),
            Broken::Unclear(failure) => SendError::Unknown(failure.to_string()),
            Broken::Answered(failure) => SendError::FailedAfterEffect(failure),
        })?;
        Ok(Acceptance { note: json!(response), ..Acceptance::default() })
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<Response, SendError> {
        if acceptance.note.is_null() {
            return Ok(Response::told_by_a_person());
        }
        serde_json::from_value(acceptance.note.clone())
            .map_err(|error| SendError::Unknown(format!("the answer is unreadable: {error}")))
    }
}

/// Describes a request.
pub(super) fn call(operation: &str, class: CallClass, request: &Request) -> Call {
    Call {
        operation: operation.to_owned(),
        class,
        request: request.record(),
        kind: None,
        key: None,
        references: Vec::new(),
        subject: format!("{} {}", request.method, request.url),
    }
}
