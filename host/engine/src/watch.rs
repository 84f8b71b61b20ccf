//! Who looks at what passes a gate: nobody, a rehearsal that notes it, or a plan that it follows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runwrit_capabilities::gate::Stop;
use runwrit_model::call::CallId;
use runwrit_model::departure::Departure;
use runwrit_model::plan::{Asked, Follower, Noted};

/// What a rehearsal noted, in order.
pub(crate) type Notebook = Arc<Mutex<Vec<Noted>>>;

/// Looks at one attempt of one run.
pub(crate) enum Watch {
    /// An ordinary run.
    Nobody,
    /// A rehearsal.
    Rehearsal(Notebook),
    /// A run that must follow a plan.
    Plan(Box<Mutex<Follower>>),
}

impl Watch {
    /// Returns whether nothing of this run is real.
    pub(crate) fn is_rehearsal(&self) -> bool {
        matches!(self, Self::Rehearsal(_))
    }

    /// Looks at effects that were permitted and are about to be promised. The first one that is not
    /// the next of the plan stops the run.
    pub(crate) fn ask(&self, asked: impl FnOnce() -> Vec<Asked>) -> Result<(), Stop> {
        match self {
            Self::Nobody => Ok(()),
            Self::Rehearsal(notebook) => {
                let asked = asked().into_iter().map(|asked| Noted::Asked(Box::new(asked)));
                lock(notebook).extend(asked);
                Ok(())
            }
            Self::Plan(follower) => {
                let mut follower = lock(follower);
                let checked = asked().iter().try_for_each(|asked| follower.check(asked));
                checked.map_err(|left| Stop::LeftPlan(Box::new(left)))
            }
        }
    }

    /// Goes on behind effects that were promised before.
    pub(crate) fn pass(&self, calls: &[CallId]) {
        if let Self::Plan(follower) = self {
            let mut follower = lock(follower);
            calls.iter().for_each(|call| follower.pass(*call));
        }
    }

    /// Takes in what happened, live or replayed.
    pub(crate) fn note(&self, noted: impl FnOnce() -> Noted) {
        match self {
            Self::Nobody => {}
            Self::Rehearsal(notebook) => lock(notebook).push(noted()),
            Self::Plan(follower) => lock(follower).note(&noted()),
        }
    }

    /// Tells whether the runbook may end so.
    pub(crate) fn end(&self, failure: Option<&str>) -> Result<(), Departure> {
        match self {
            Self::Plan(follower) => lock(follower).end(failure),
            Self::Nobody | Self::Rehearsal(_) => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
