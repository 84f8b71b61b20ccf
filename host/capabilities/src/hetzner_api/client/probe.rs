//! A look at an endpoint that changes nothing: does it answer, what time is it there, may we write.

use serde_json::json;

use super::{ApiError, Client, Request};

/// What a look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The clock of the endpoint, to the second.
    pub date_unix_ms: Option<u64>,
    /// Whether the token may change anything.
    pub may_write: bool,
}

impl Client {
    /// Asks once, for something small, what time it is at the endpoint, to the second. A refusal
    /// tells that as well. Nothing is repeated.
    pub async fn date_unix_ms(&self) -> Result<u64, ApiError> {
        let reply = self.transport.exchange(&something_small()).await;
        let undated = || ApiError::Unclear("the answer tells no date".to_owned());
        reply.date_unix_ms.ok_or_else(|| reply.answer.err().unwrap_or_else(undated))
    }

    /// Asks once for something small, then for something impossible: an SSH key without name and
    /// key is refused as invalid, and by a token that only reads as forbidden. Nothing is repeated.
    pub async fn probe(&self) -> Result<Probe, ApiError> {
        let reply = self.transport.exchange(&something_small()).await;
        reply.answer?;
        let nothing = Request::post("ssh_keys", json!({}));
        let refused = self.transport.exchange(&nothing).await.answer;
        let is_forbidden =
            refused.is_err_and(|error| error.is_one_of(&["token_readonly", "forbidden"]));
        Ok(Probe { date_unix_ms: reply.date_unix_ms, may_write: !is_forbidden })
    }
}

fn something_small() -> Request {
    Request::get("locations").with("per_page", "1")
}
