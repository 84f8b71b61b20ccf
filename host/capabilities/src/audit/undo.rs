//! What a rollback adds to the audit log: events are never removed.

use std::collections::BTreeMap;

use super::{Events, ROLLED_BACK};
use crate::books::{AuditEvent, BookError};
use crate::gate::{Undo, UndoError, UndoRequest, Undone};

impl Undo for Events {
    async fn undo(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let later = |error: BookError| UndoError::Later(error.to_string());
        let writer = self.writer(request.call);
        let written = self.book.written_by(&writer).await.map_err(later)?;
        let Some(event) = written.first() else { return Ok(Undone::Absent) };
        let event = AuditEvent {
            writer,
            kind: format!("{}{ROLLED_BACK}", event.kind),
            subject: event.subject.clone(),
            details: BTreeMap::new(),
        };
        self.book.append(event).await.map(|_| Undone::Done).map_err(later)
    }
}
