//! Rehearsals: a run in a throw-away store, against stand-ins for the outside, to learn what a real
//! one would do.

mod books;
mod clock;

use std::sync::{Arc, Mutex, PoisonError};

use runwrit_model::event::{Event, RunOutcome};
use runwrit_model::journal::{Created, OnFailure};
use runwrit_model::plan::{End, Noted};

pub use clock::RehearsalClock;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::guest::Guest;
use crate::outside::Outside;
use crate::report::Reporter;
use crate::store::Store;

/// What a rehearsal showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// What the run did, in order.
    pub noted: Vec<Noted>,
    /// How it ended.
    pub end: End,
}

/// Takes the events of a rehearsal, which nobody needs: none of it happened.
#[derive(Debug, Clone, Copy)]
pub struct Silence;

impl Reporter for Silence {
    fn report(&self, _: Event) {}
}

impl Engine {
    /// Rehearses a run. This engine's store is thrown away; `real` is only read, for the books.
    pub async fn rehearse<G: Guest>(
        &self,
        created: Created,
        guest: G,
        outside: &dyn Outside,
        real: Arc<dyn Store>,
    ) -> Result<Rehearsed, EngineError> {
        // What failed is to be told, not undone.
        let created = Created { on_failure: OnFailure::Hold, plan: None, ..created };
        let run = created.run.clone();
        let notebook = Arc::new(Mutex::new(Vec::new()));
        let work = self.create(created).await?;
        let work = work.rehearsing(Arc::clone(&notebook), books::overlay(real));
        let outcome = work.drive(Some(guest), outside).await?;
        let finished = self.history(&run).await?.finished;
        let message = finished.map(|end| end.message).unwrap_or_default();
        let end = match outcome {
            RunOutcome::Succeeded => End::Succeeds,
            RunOutcome::FailedClean | RunOutcome::Differs | RunOutcome::Held => End::Fails(message),
            outcome => return Err(EngineError::NotRehearsed { outcome }),
        };
        let mut noted = notebook.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Rehearsed { noted: std::mem::take(&mut *noted), end })
    }
}
