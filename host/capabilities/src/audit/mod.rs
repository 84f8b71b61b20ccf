//! The audit log of the installation.
//!
//! Events are keyed by run and call, so an append that is sent twice is one event. Its outside is
//! the book of the installation.

mod effects;
mod host;
mod undo;

use std::sync::Arc;

use crate::authority::Authority;
use crate::books::Audit;
use crate::gate::{CallError, Permit};

pub use undo::Undoer;

/// What ends the kind of the event that tells of a rollback.
pub const ROLLED_BACK: &str = "_ROLLED_BACK";

/// The audit log, as far as one run may write it.
pub struct Events {
    book: Arc<dyn Audit>,
    authority: Authority,
}

impl Events {
    /// Holds the book, for one run under its grant.
    pub fn new(book: Arc<dyn Audit>, authority: Authority) -> Self {
        Self { book, authority }
    }

    fn permit(&self, kind: &str, subject: &str) -> Result<Permit, CallError> {
        let Authority { grant, now, .. } = &self.authority;
        Ok(grant.append_event(kind, subject, now())?)
    }
}
