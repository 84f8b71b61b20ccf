//! What the engine needs of a runbook: that it runs against a gate, and how it ended.

use std::future::Future;

use runwrit_capabilities::gate::Stop;
use runwrit_model::failure::Failure;

use crate::books::Books;
use crate::gate::RunGate;

/// A runbook, ready to run once: a Wasm component, or a closure in tests.
pub trait Guest: Send {
    /// Runs it to its end. A replay runs a fresh one from the start.
    fn run(self, gate: RunGate, books: Books) -> impl Future<Output = GuestEnd> + Send;
}

/// The guest of a rollback: there is none.
pub(crate) enum NoGuest {}

impl Guest for NoGuest {
    async fn run(self, _: RunGate, _: Books) -> GuestEnd {
        match self {}
    }
}

/// How a runbook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestEnd {
    /// It returned without an error.
    Returned,
    /// It returned an error.
    Failed(Failure),
    /// It trapped, or passed a limit of the sandbox; the text says which.
    Trapped(String),
    /// It computed for too long, or its cell broke down. In a replay that says nothing about it: a
    /// slower or a fuller machine is reason enough.
    Starved(String),
    /// A call stopped it; the gate says why, so this only has to be true.
    Stopped(Stop),
}
