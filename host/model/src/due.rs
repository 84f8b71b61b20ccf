//! What a run waits for that time alone brings.

use crate::history::{Effect, History, Recorded};
use crate::journal::UnixMs;
use crate::next::{Next, next};
use crate::timing::Timing;

/// Why a run on which nobody works should go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its timer has ended.
    Timer,
    /// Its rollback was interrupted, and a rollback is never given up.
    Rollback,
    /// A person asked to cancel it, and no process was there to hear it.
    Cancel,
    /// A person answered the question that it was parked with.
    Answered,
}

/// Returns why a run should go on now, on which no process works. `is_parked` tells whether it was
/// parked; a run that was merely interrupted goes forward only by a person's word.
pub fn due(
    history: &History,
    is_parked: bool,
    is_cancel_asked: bool,
    now: UnixMs,
    timing: &Timing,
) -> Option<Due> {
    if history.ending().is_some() {
        return None;
    }
    if history.rollback.is_some() {
        return Some(Due::Rollback);
    }
    if is_cancel_asked || history.cancel.is_some() {
        return Some(Due::Cancel);
    }
    if next(history, now, timing) != Next::Execute {
        return None;
    }
    let is_answered = |effect: &Effect| effect.verdict.is_some() && effect.result.is_none();
    match history.calls.last() {
        _ if history.effects.values().any(is_answered) => Some(Due::Answered),
        Some(Recorded::Timer { woken_at: None, .. }) if is_parked => Some(Due::Timer),
        // It was parked because it had grown too long; that does not pass by itself.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::call::{CallClass, Rank};
    use crate::journal::{Ending, Verdict};
    use crate::tale::Tale;

    use super::*;

    #[test]
    fn only_what_waits_for_time_or_was_answered_goes_on_by_itself() {
        let new = || Tale::new().made("0", Rank::Server, &[]);
        let asked = || new().intent("1", CallClass::Opaque).asked("1");
        let rows = [
            ("killed on the way", new(), false, false, None),
            ("waits", new().timer("1", 50), true, false, None),
            ("waited", new().timer("1", 5), true, false, Some(Due::Timer)),
            ("killed while it waited", new().timer("1", 5), false, false, None),
            ("parked for its length", new(), true, false, None),
            ("asks", asked(), true, false, None),
            ("answered", asked().resolved("1", Verdict::Done), false, false, Some(Due::Answered)),
            ("going back", new().rollback(), false, false, Some(Due::Rollback)),
            ("cancel unheard", new(), false, true, Some(Due::Cancel)),
            ("cancel heard", new().canceled(), false, false, Some(Due::Cancel)),
            ("over", new().finished(Ending::Succeeded), false, true, None),
            ("stuck", new().rollback().finished(Ending::RollbackIncomplete), false, false, None),
        ];
        for (name, tale, is_parked, is_asked, expected) in rows {
            let found = due(&tale.history(), is_parked, is_asked, 10, &Timing::default());
            assert_eq!(found, expected, "{name}");
        }
    }
}
