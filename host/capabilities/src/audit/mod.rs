//! The audit log of the installation.
//!
//! Events are keyed by run and call, so an append that is sent twice is one event. Its outside is
//! the book of the installation.

mod effects;
mod host;
mod undo;

use std::sync::Arc;

use runwrit_model::failure::Denial;
use runwrit_model::id::RunId;

use crate::books::{Audit, Writer};
use crate::gate::{CallError, Permit};

/// What ends the kind of the event that tells of a rollback.
pub const ROLLED_BACK: &str = "_ROLLED_BACK";

/// The audit log, as far as one run may write it.
pub struct Events {
    book: Arc<dyn Audit>,
    run: RunId,
}

impl Events {
    /// Holds the book, for one run under its grant.
    pub fn new(book: Arc<dyn Audit>, run: RunId) -> Self {
        Self { book, run }
    }

    fn permit(&self, kind: &str) -> Result<Permit, CallError> {
        Err(Denial {
            operation: "audit.events.append".to_owned(),
            resource: kind.to_owned(),
            rule: "absent".to_owned(),
            reason: "no grant covers it".to_owned(),
            hint: String::new(),
        }
        .into())
    }

    fn writer(&self, call: runwrit_model::call::CallId) -> Writer {
        Writer { run: self.run.clone(), call }
    }
}
