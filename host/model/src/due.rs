//! What a run waits for that time alone brings.

use std::time::Duration;

use crate::history::{Effect, History};
use crate::journal::UnixMs;
use crate::limits::{SLEEP_SECONDS_MAX, TICK_SKEW_MAX};
use crate::timing::after;

/// Why a run on which nobody works should go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its timer has ended, or was set by a clock that was wrong.
    Timer,
    /// Its rollback was interrupted, and a rollback is never given up.
    Rollback,
    /// A person asked to cancel it, and no process was there to hear it.
    Cancel,
    /// The time is over that its grant gave it, while it waited.
    Deadline,
    /// A person answered the question that it was parked with.
    Answered,
}

/// Tells whether the clock of an API contradicts that of this host: nothing is due by it then.
pub fn is_contradicted(now: UnixMs, told: UnixMs) -> bool {
    u128::from(now.abs_diff(told)) > TICK_SKEW_MAX.as_millis()
}

/// How a run was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// In the middle: it goes forward only by a person's word.
    Interrupted,
    /// Until a time by the clock of the machine, or for a person.
    Parked(Option<UnixMs>),
}

/// Returns why a run should go on now, on which no process works.
pub fn due(history: &History, rest: Rest, is_cancel_asked: bool, now: UnixMs) -> Option<Due> {
    let is_answered = |effect: &Effect| effect.verdict.is_some() && effect.result.is_none();
    match rest {
        _ if history.ending().is_some() => None,
        Rest::Parked(Some(at)) if history.rollback.is_some() && is_ahead(at, now) => None,
        _ if history.rollback.is_some() => Some(Due::Rollback),
        _ if is_cancel_asked || history.cancel.is_some() => Some(Due::Cancel),
        Rest::Parked(_) if history.created.deadline.is_some_and(|at| at <= now) => {
            Some(Due::Deadline)
        }
        _ if history.effects.values().any(|effect| effect.is_asked) => None,
        _ if history.effects.values().any(is_answered) => Some(Due::Answered),
        Rest::Parked(Some(at)) if !is_ahead(at, now) => Some(Due::Timer),
        // One that was parked for good, since it had grown too long, does not heal by time.
        Rest::Parked(_) | Rest::Interrupted => None,
    }
}

/// Tells whether a time is still to come. No run can wait for longer than a runbook may, so a later
/// time was told by a clock that was wrong: the run is to be parked again, by the clock of now.
fn is_ahead(at: UnixMs, now: UnixMs) -> bool {
    let furthest = after(now, Duration::from_secs(SLEEP_SECONDS_MAX.into()));
    at > now && at <= furthest
}

#[cfg(test)]
mod tests {
    use crate::call::{CallClass, Rank};
    use crate::journal::{Created, Ending, Verdict};
    use crate::tale::{Tale, created};

    use super::*;

    #[test]
    fn only_what_waits_for_time_or_was_answered_goes_on_by_itself() {
        let new = || Tale::new().made("0", Rank::Server, &[]);
        let waits = || new().timer("1", 50);
        let asked = || new().intent("1", CallClass::Opaque).asked("1");
        let (killed, parked) = (Rest::Interrupted, |at| Rest::Parked(Some(at)));
        let for_a_person = Rest::Parked(None);
        let limited =
            |deadline| Tale::of(Created { deadline: Some(deadline), ..created() }).timer("0", 50);
        let rows = [
            ("waits until after its deadline", limited(10), parked(50), false, Some(Due::Deadline)),
            ("waits within its deadline", limited(60), parked(50), false, None),
            ("killed before its deadline", limited(10), killed, false, None),
            ("killed on the way", new(), killed, false, None),
            ("waits", waits(), parked(50), false, None),
            ("waited", waits(), parked(10), false, Some(Due::Timer)),
            ("waits until 2099", waits(), parked(4_070_908_800_000), false, Some(Due::Timer)),
            ("killed while it waited", waits(), killed, false, None),
            ("parked for its length", new(), for_a_person, false, None),
            ("asks", asked(), for_a_person, false, None),
            ("answered", asked().resolved("1", Verdict::Done), killed, false, Some(Due::Answered)),
            ("going back", new().rollback(), killed, false, Some(Due::Rollback)),
            ("back again later", new().rollback(), parked(50), false, None),
            ("back again now", new().rollback(), parked(10), false, Some(Due::Rollback)),
            (
                "back again in 2099",
                new().rollback(),
                parked(4_070_908_800_000),
                false,
                Some(Due::Rollback),
            ),
            ("cancel unheard", new(), killed, true, Some(Due::Cancel)),
            ("cancel heard", new().canceled(), killed, false, Some(Due::Cancel)),
            ("over", new().finished(Ending::Succeeded), killed, true, None),
            ("stuck", new().rollback().finished(Ending::RollbackIncomplete), killed, false, None),
        ];
        for (name, tale, rest, is_asked, expected) in rows {
            assert_eq!(due(&tale.history(), rest, is_asked, 10), expected, "{name}");
        }
    }

    #[test]
    fn a_clock_is_contradicted_by_more_than_an_hour_on_either_side() {
        const HOUR: UnixMs = 3_600_000;
        let noon = 1_800_000_000_000;
        let rows = [
            (noon, noon, false),
            (noon + HOUR, noon, false),
            (noon + HOUR + 1, noon, true),
            (noon, noon + HOUR, false),
            (noon, noon + HOUR + 1, true),
            (4_070_908_800_000, noon, true),
        ];
        for (now, told, expected) in rows {
            assert_eq!(is_contradicted(now, told), expected, "{now} beside {told}");
        }
    }
}
