//! The ledger: what was asked, what came into being, what went. It never holds a token.

use serde::Serialize;

use super::labels::Labels;

/// One request as it was answered.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub seq: u64,
    /// Simulated time.
    pub at: String,
    pub project: Option<String>,
    pub method: String,
    pub path: String,
    /// The status decided on; a dropped reply never told it to the client.
    pub status: u16,
    pub correlation_id: String,
    /// SHA-256 of method, path, query and body.
    pub request_digest: String,
    /// The fault that hit this request, if any.
    pub fault: Option<String>,
    /// When a late commit took effect, and how it ended.
    pub landed: Option<Landing>,
    /// For how long the actions run that this request began, in simulated milliseconds.
    pub actions_ms: u64,
    /// What this request brought into being before it was answered.
    pub created: Vec<Touched>,
    pub deleted: Vec<Touched>,
}

/// How a late commit ended.
#[derive(Debug, Clone, Serialize)]
pub struct Landing {
    pub at: String,
    pub status: u16,
}

/// A thing that a request created or deleted.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Touched {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    pub labels: Labels,
}

/// A birth or a death, attributed to the request that caused it.
#[derive(Debug, Clone, Serialize)]
pub struct ResourceEvent {
    pub event: Change,
    pub at: String,
    /// Sequence number of the causing request.
    pub seq: u64,
    pub project: String,
    #[serde(rename = "resource")]
    pub touched: Touched,
}

/// Which way a thing went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Created,
    Deleted,
}
