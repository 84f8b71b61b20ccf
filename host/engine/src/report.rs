//! Where the events of a run go.

use runwrit_model::event::Event;

/// Takes the events of runs, in order. Printing is the caller's business.
pub trait Reporter: Send + Sync {
    /// Takes one event. Must not block for long: the run waits meanwhile.
    fn report(&self, event: Event);
}
