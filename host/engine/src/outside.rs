//! What the engine needs of the outside: to know where it is, and to undo.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use runwrit_capabilities::gate::{UndoError, UndoRequest, Undone};
use runwrit_model::journal::World;

use crate::books::Books;

/// Why the worlds of a run could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldsError {
    /// It may pass: the endpoint does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// It will not pass by itself: no credential of that name, or one that is refused.
    #[error("{0}")]
    Refused(String),
}

/// Why this state directory may not work on a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// It may pass: the endpoint does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// It will not pass by itself.
    #[error("{0}")]
    Refused(String),
    /// Another installation works on it.
    #[error("{0}")]
    Others(String),
    /// A later copy of this state directory works on it, or another one that imported its run.
    #[error("{0}")]
    Later(String),
}

/// The capabilities of one run without its gate: they tell their worlds and undo by data alone.
pub trait Outside: Send + Sync {
    /// Reads where the capabilities act now; the same names as in `Created.worlds`.
    fn worlds(&self) -> BoxFuture<'_, Result<BTreeMap<String, World>, WorldsError>>;

    /// Makes sure that no other state directory works on the scope of the run, where it acts. A run
    /// that can change nothing there needs no claim.
    fn claim(&self) -> BoxFuture<'_, Result<(), ClaimsError>>;

    /// Gives the claim back where nothing of the scope stands any more.
    fn release(&self) -> BoxFuture<'_, Result<(), ClaimsError>>;

    /// Reverts one call, through the capability that `request.plan.operation` names.
    fn undo<'a>(
        &'a self,
        request: &'a UndoRequest,
        books: &'a Books,
    ) -> BoxFuture<'a, Result<Undone, UndoError>>;
}
