//! Failures that a harness orders, so that each call is seen to fail; none in a released build.

use runwrit_model::breakable::failing_call;
use runwrit_model::call::{Call, CallId};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::history::Recorded;

use super::Seat;

impl Seat {
    /// Returns the failure that was ordered for this call.
    pub(super) fn ordered_failure(&self, call: &Call, id: CallId) -> Option<Failure> {
        let (operation, nth) = failing_call()?;
        let is_it = operation == call.operation && self.count_before(operation, id) + 1 == nth;
        is_it.then(|| {
            let message = format!("`{operation}` was ordered to fail");
            Failure::Failed(Problem::new("ordered", message))
        })
    }

    /// Counts by the journal, so that a resumed process fails the same call.
    fn count_before(&self, operation: &str, id: CallId) -> usize {
        self.recorder.with(|history| {
            let effects = history.effects.range(..id);
            let effects = effects.filter(|(_, effect)| effect.intent.operation == operation);
            let observations = history.calls.iter().filter(|call| {
                matches!(call, Recorded::Observed { observed, .. }
                    if observed.operation == operation && observed.call < id)
            });
            effects.count() + observations.count()
        })
    }
}
