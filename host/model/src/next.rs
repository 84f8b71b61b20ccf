//! What to do with a run, given its journal and the time.

use crate::call::CallId;
use crate::history::{History, Recorded};
use crate::journal::{Ending, OnFailure, RollbackStarted, UnixMs};
use crate::timing::Timing;
use crate::undo::{UndoStep, next_undo};

/// What to do with a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Make a fresh instance and let it replay, then go on.
    Execute,
    /// Leave it: there is nothing to do now.
    Park(Park),
    /// Write this and ask again: the run turns back.
    TurnBack(RollbackStarted),
    /// Go on with the rollback. Never `Finished`.
    RollBack(UndoStep),
    /// Write the end.
    Finish(Ending, String),
    /// It is over.
    Ended(Ending),
}

/// For what a run waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Park {
    /// A time.
    Until(UnixMs),
    /// A person's word on what became of a call.
    Person {
        /// The call.
        call: CallId,
        /// On what.
        subject: String,
    },
}

/// How the guest left off, where that ends or turns the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestEnd {
    /// It returned without an error, and no recorded call stayed unconsumed.
    Returned,
    /// It returned an error, trapped, passed a limit, or a call's outcome stayed unknown.
    Failed(String),
    /// It was stopped because a person asked, or the deadline passed: `next` reads which.
    Stopped(String),
    /// What it asked for is not what the journal holds.
    Nondeterministic(String),
}

/// Returns what to do with the run of `history`. `next` after writing what it says is never the
/// same step again, so the loop around it ends.
pub fn next(history: &History, now: UnixMs, timing: &Timing) -> Next {
    if let Some(ending) = history.ending() {
        return ended(history, ending, now, timing);
    }
    if let Some(rollback) = &history.rollback {
        return match next_undo(history, now, timing) {
            UndoStep::Finished { is_incomplete } => {
                Next::Finish(backward_ending(history, is_incomplete), rollback.cause.clone())
            }
            step => Next::RollBack(step),
        };
    }
    if let Some(by) = &history.cancel {
        // Canceling is a person's decision, so `on-failure = "hold"` does not overrule it.
        return turn(history, format!("canceled by {by}"), OnFailure::Rollback);
    }
    if history.created.deadline.is_some_and(|deadline| now >= deadline) {
        let cause = "its deadline has passed".to_owned();
        return turn(history, cause, history.created.on_failure);
    }
    match waiting(history, now) {
        Some(park) => Next::Park(park),
        None => Next::Execute,
    }
}

/// Returns what to do after the guest left off.
pub fn after_guest(history: &History, end: &GuestEnd) -> Next {
    match end {
        GuestEnd::Returned => Next::Finish(Ending::Succeeded, String::new()),
        GuestEnd::Failed(cause) => turn(history, cause.clone(), history.created.on_failure),
        GuestEnd::Stopped(cause) => turn(history, cause.clone(), OnFailure::Rollback),
        // Neither forward nor backward by itself: a person may say `rollback`.
        GuestEnd::Nondeterministic(cause) => Next::Finish(Ending::Nondeterministic, cause.clone()),
    }
}

/// Why a `rollback` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RollbackRefusal {
    /// It succeeded.
    #[error("the run succeeded, so there is nothing to roll back; deprovision with a runbook")]
    Succeeded,
    /// Nothing is left.
    #[error("the run left nothing to roll back")]
    NothingLeft,
    /// It is another state directory's now.
    #[error("the run was moved to another state directory")]
    Moved,
}

/// Tells whether a person's `rollback` has something to do: on an open run, on one that is held or
/// nondeterministic, and on one with leftovers, whose undos get a fresh budget.
pub fn may_roll_back(history: &History) -> Result<(), RollbackRefusal> {
    match history.ending() {
        Some(Ending::Succeeded) => Err(RollbackRefusal::Succeeded),
        Some(Ending::RolledBack | Ending::FailedClean) => Err(RollbackRefusal::NothingLeft),
        Some(Ending::Moved) => Err(RollbackRefusal::Moved),
        Some(Ending::RollbackIncomplete | Ending::Held | Ending::Nondeterministic) | None => Ok(()),
    }
}

/// A rollback whose leftovers were all settled by a person since is complete after all.
fn ended(history: &History, ending: Ending, now: UnixMs, timing: &Timing) -> Next {
    if ending == Ending::RollbackIncomplete {
        let step = next_undo(history, now, timing);
        if step == (UndoStep::Finished { is_incomplete: false }) {
            let message = "what was left has been resolved".to_owned();
            return Next::Finish(Ending::RolledBack, message);
        }
    }
    Next::Ended(ending)
}

fn turn(history: &History, cause: String, on_failure: OnFailure) -> Next {
    let is_forward_only = history.pivot.is_some() || on_failure == OnFailure::Hold;
    match history.has_effects() {
        false => Next::Finish(Ending::FailedClean, cause),
        true if is_forward_only => Next::Finish(Ending::Held, cause),
        true => Next::TurnBack(RollbackStarted { cause }),
    }
}

fn backward_ending(history: &History, is_incomplete: bool) -> Ending {
    match (is_incomplete, history.has_effects()) {
        (true, _) => Ending::RollbackIncomplete,
        (false, true) => Ending::RolledBack,
        (false, false) => Ending::FailedClean,
    }
}

fn waiting(history: &History, now: UnixMs) -> Option<Park> {
    if let Some(Recorded::Timer { until, woken_at: None, .. }) = history.calls.last()
        && now < *until
    {
        return Some(Park::Until(*until));
    }
    let asked = history.effects.values().find(|effect| effect.is_asked)?;
    let subject = asked.intent.subject.clone();
    Some(Park::Person { call: asked.intent.call, subject })
}

#[cfg(test)]
mod tests {
    use crate::call::{CallClass, Rank};
    use crate::journal::{Created, Refinement, UndoOutcome, Verdict};
    use crate::tale::{Tale, call, created};
    use crate::undo::UndoAct;

    use super::*;

    fn word(next: &Next) -> String {
        match next {
            Next::Execute => "execute".to_owned(),
            Next::Park(Park::Until(at)) => format!("park until {at}"),
            Next::Park(Park::Person { call, .. }) => format!("ask about {call}"),
            Next::TurnBack(started) => format!("turn back: {}", started.cause),
            Next::RollBack(UndoStep::Act(UndoAct { call, .. })) => format!("undo {call}"),
            Next::RollBack(step) => format!("{step:?}"),
            Next::Finish(ending, _) => format!("finish {ending:?}"),
            Next::Ended(ending) => format!("ended {ending:?}"),
        }
    }

    fn holding() -> Tale {
        Tale::of(Created { on_failure: OnFailure::Hold, ..created() })
    }

    fn until(deadline: UnixMs) -> Tale {
        Tale::of(Created { deadline: Some(deadline), ..created() })
    }

    fn made(tale: Tale) -> Tale {
        tale.made("0", Rank::Server, &[])
    }

    #[test]
    fn the_journal_and_the_time_say_what_is_next() {
        let new = Tale::new;
        let opaque = || new().intent("0", CallClass::Opaque);
        let pivoted = || made(new()).refined("1", Refinement::Pivot);
        let rolled = || made(new()).rollback();
        let rows = [
            ("just created", new(), 0, "execute"),
            ("killed in a call", new().intent("0", CallClass::KeyedCreate), 9, "execute"),
            ("waiting", new().timer("0", 50), 49, "park until 50"),
            ("waited", new().timer("0", 50), 50, "execute"),
            ("woken early by record", new().timer("0", 50).woken("0"), 9, "execute"),
            ("asking", opaque().asked("0"), 9, "ask about 0"),
            ("answered", opaque().asked("0").resolved("0", Verdict::Done), 9, "execute"),
            ("canceled before any effect", new().canceled(), 9, "finish FailedClean"),
            ("canceled", made(new()).canceled(), 9, "turn back: canceled by ada"),
            (
                "canceled while waiting",
                made(new()).timer("1", 50).canceled(),
                9,
                "turn back: canceled by ada",
            ),
            (
                "canceled while asking",
                opaque().asked("0").canceled(),
                9,
                "turn back: canceled by ada",
            ),
            (
                "canceled though failures hold",
                made(holding()).canceled(),
                9,
                "turn back: canceled by ada",
            ),
            ("canceled beyond the pivot", pivoted().canceled(), 9, "finish Held"),
            ("before the deadline", made(until(50)), 49, "execute"),
            ("at the deadline", made(until(50)), 50, "turn back: its deadline has passed"),
            (
                "the deadline while waiting",
                made(until(50)).timer("1", 90),
                60,
                "turn back: its deadline has passed",
            ),
            ("rolling back", rolled(), 9, "undo 0"),
            ("rolling back beyond the deadline", made(until(5)).rollback(), 9, "undo 0"),
            ("canceled while rolling back", rolled().canceled(), 9, "undo 0"),
            ("rolled back", rolled().undone("0"), 9, "finish RolledBack"),
            ("rolled back without effects", new().rollback(), 9, "finish FailedClean"),
            (
                "rolled back but for data",
                rolled().undo_result("0", UndoOutcome::Held("orders".to_owned())),
                9,
                "finish RollbackIncomplete",
            ),
            ("over", new().finished(Ending::Succeeded), 9, "ended Succeeded"),
            (
                "over, and canceled too late",
                new().canceled().finished(Ending::Succeeded),
                9,
                "ended Succeeded",
            ),
            ("held", made(new()).finished(Ending::Held), 9, "ended Held"),
            ("held, then rolled back", made(new()).finished(Ending::Held).rollback(), 9, "undo 0"),
            (
                "nondeterministic",
                made(new()).finished(Ending::Nondeterministic),
                9,
                "ended Nondeterministic",
            ),
            (
                "nondeterministic, then rolled back",
                made(new()).finished(Ending::Nondeterministic).rollback(),
                9,
                "undo 0",
            ),
            ("left", left(), 9, "ended RollbackIncomplete"),
            (
                "left, then deleted by hand",
                left().resolved("0", Verdict::Deleted),
                9,
                "finish RolledBack",
            ),
            ("left, then kept", left().resolved("0", Verdict::Kept), 9, "finish RolledBack"),
            ("left, then tried again", left().rollback(), 9, "undo 0"),
        ];
        for (name, tale, now, expected) in rows {
            let next = next(&tale.history(), now, &Timing::default());
            assert_eq!(word(&next), expected, "{name}");
        }
    }

    fn left() -> Tale {
        use crate::journal::{Orphan, Record};
        let tale = made(Tale::new()).rollback().undo_intent("0", 1);
        let orphan = Orphan {
            call: call("0"),
            kind: "test.thing".to_owned(),
            name: "thing-0".to_owned(),
            remote_id: None,
            eur_per_month: None,
            error: "forbidden".to_owned(),
        };
        tale.then(Record::UndoQuarantined(orphan)).finished(Ending::RollbackIncomplete)
    }

    #[test]
    fn the_guest_does_not_decide_what_its_end_leads_to() {
        let failed = || GuestEnd::Failed("no stock".to_owned());
        let refused = || Tale::new().create("0", Rank::Server, &[]).err("0", true);
        let pivoted = || made(Tale::new()).refined("1", Refinement::Pivot);
        let rows = [
            ("returned", made(Tale::new()), GuestEnd::Returned, "finish Succeeded"),
            ("failed", made(Tale::new()), failed(), "turn back: no stock"),
            ("failed without effects", refused(), failed(), "finish FailedClean"),
            (
                "failed with an unknown effect",
                Tale::new().create("0", Rank::Server, &[]),
                failed(),
                "turn back: no stock",
            ),
            ("failed, holding", made(holding()), failed(), "finish Held"),
            ("failed, holding nothing", holding(), failed(), "finish FailedClean"),
            ("failed beyond the pivot", pivoted(), failed(), "finish Held"),
            (
                "stopped",
                made(Tale::new()),
                GuestEnd::Stopped("canceled by ada".to_owned()),
                "turn back: canceled by ada",
            ),
            (
                "stopped beyond the pivot",
                pivoted(),
                GuestEnd::Stopped("x".to_owned()),
                "finish Held",
            ),
            (
                "differs",
                made(Tale::new()),
                GuestEnd::Nondeterministic("call 0".to_owned()),
                "finish Nondeterministic",
            ),
        ];
        for (name, tale, end, expected) in rows {
            assert_eq!(word(&after_guest(&tale.history(), &end)), expected, "{name}");
        }
    }

    #[test]
    fn a_rollback_by_hand_needs_something_to_roll_back() {
        let rows = [
            (None, true),
            (Some(Ending::Held), true),
            (Some(Ending::RollbackIncomplete), true),
            (Some(Ending::Nondeterministic), true),
            (Some(Ending::Moved), false),
            (Some(Ending::Succeeded), false),
            (Some(Ending::RolledBack), false),
            (Some(Ending::FailedClean), false),
        ];
        for (ending, is_allowed) in rows {
            let tale = made(Tale::new());
            let tale = ending.map_or(tale.clone(), |ending| tale.finished(ending));
            assert_eq!(may_roll_back(&tale.history()).is_ok(), is_allowed, "{ending:?}");
        }
    }
}
