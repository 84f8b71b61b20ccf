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

/// Returns what to do with the run of `history`. `next` after writing what it says is never the same
/// step again, so the loop around it ends.
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
}

/// Tells whether a person's `rollback` has something to do: on an open run, on one that is held or
/// nondeterministic, and on one with leftovers, whose undos get a fresh budget.
pub fn may_roll_back(history: &History) -> Result<(), RollbackRefusal> {
    match history.ending() {
        Some(Ending::Succeeded) => Err(RollbackRefusal::Succeeded),
        Some(Ending::RolledBack | Ending::FailedClean) => Err(RollbackRefusal::NothingLeft),
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
