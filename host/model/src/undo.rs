//! Which undos a run owes, in which order, and when each is tried.
//!
//! Everything derives from the journal, so a rollback goes on after a crash where it stood.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::breakable::is_broken;
use crate::call::{CallId, Rank, UndoPlan};
use crate::history::{Effect, History};
use crate::id::Digest;
use crate::journal::{Orphan, Record, UndoOutcome, UndoResult, UnixMs, Verdict};
use crate::reconcile::{Backward, backward};
use crate::timing::{Timing, after};

/// What a rollback does next.
#[derive(Debug, Clone, PartialEq)]
pub enum UndoStep {
    /// Write the undo intent, act, then let `judge` say what to write.
    Act(UndoAct),
    /// Only write this: there is nothing to do outside.
    Note(Record),
    /// Nothing is due before this time.
    WaitUntil(UnixMs),
    /// Every undo is over.
    Finished {
        /// Whether something is left for a person.
        is_incomplete: bool,
    },
}

/// One try of one undo.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoAct {
    /// The call to undo.
    pub call: CallId,
    /// Counts the tries from one.
    pub attempt: u32,
    /// The inverse: the host's own, or what the runbook put in its place, in this order.
    pub plans: Vec<UndoPlan>,
}

/// What a try found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It acted, and verified that the thing is gone or restored.
    Done,
    /// Nothing of ours is there now.
    Absent,
    /// Something stands there that is not ours; it was left alone.
    NotOurs,
    /// It may pass: in use, locked, rate limited, unreachable.
    Later(String),
    /// It will not pass by itself: forbidden, protected, wrong credential.
    Never(String),
}

/// A creation that may land after its undo: to be looked for, once the rollback is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateSweep {
    /// The call.
    pub call: CallId,
    /// When to look.
    pub at: UnixMs,
    /// What to look for.
    pub kind: String,
    /// The name under which it would stand.
    pub key: Option<String>,
    /// The labels that prove that it is ours.
    pub labels: BTreeMap<String, String>,
}

/// How far one undo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is nothing to do, or it is done.
    Over,
    /// It is left for a person.
    Left,
    /// It is due at this time.
    Due(UnixMs),
}

/// Returns what the rollback of `history` does next.
pub fn next_undo(history: &History, now: UnixMs, timing: &Timing) -> UndoStep {
    let states: BTreeMap<CallId, State> =
        history.effects.iter().map(|(call, effect)| (*call, state(history, effect))).collect();
    let open: Vec<(CallId, UnixMs)> = states
        .iter()
        .filter_map(|(call, state)| match state {
            State::Due(at) => Some((*call, *at)),
            State::Over | State::Left => None,
        })
        .collect();
    if open.is_empty() {
        let is_incomplete = states.values().any(|state| *state == State::Left);
        return UndoStep::Finished { is_incomplete };
    }
    let blocked = blocked(history, &open);
    let rank_of = |call: &CallId| rank(&history.effects[call]);
    let rank_min = open.iter().map(|(call, _)| rank_of(call)).min().unwrap_or(Rank::Dns);
    let ready: Vec<_> = open
        .iter()
        .filter(|(call, _)| !blocked.contains(call))
        .filter(|(call, _)| !closes(rank_of(call)) || rank_of(call) == rank_min)
        .collect();
    let due = ready.iter().filter(|(_, at)| *at <= now);
    match due.min_by_key(|(call, _)| (rank_of(call), Reverse(*call))) {
        Some((call, _)) => step(history, &history.effects[call], timing),
        // Dependencies point to earlier calls only, so something is always ready.
        None => UndoStep::WaitUntil(ready.iter().map(|(_, at)| *at).min().unwrap_or(now)),
    }
}

/// The registry and the audit log tell what is left, so they wait for everything before them.
fn closes(rank: Rank) -> bool {
    matches!(rank, Rank::Registry | Rank::Audit)
}

/// Returns the calls that an open undo depends on, directly or through others: they wait for it.
fn blocked(history: &History, open: &[(CallId, UnixMs)]) -> BTreeSet<CallId> {
    let mut blocked = BTreeSet::new();
    for (call, _) in open {
        let mut trail = vec![*call];
        while let Some(call) = trail.pop() {
            let Some(effect) = history.effects.get(&call) else { continue };
            for earlier in effect.intent.depends_on.iter().filter(|earlier| **earlier < call) {
                if blocked.insert(*earlier) {
                    trail.push(*earlier);
                }
            }
        }
    }
    blocked
}

fn rank(effect: &Effect) -> Rank {
    effect.intent.undo.as_ref().map_or(Rank::Server, |plan| plan.rank)
}

fn state(history: &History, effect: &Effect) -> State {
    let undo = &effect.undo;
    match effect.verdict {
        Some(Verdict::NotDone | Verdict::Deleted | Verdict::Kept) => return State::Over,
        Some(Verdict::Done) if plans(history, effect).is_empty() => return State::Over,
        Some(Verdict::Done) | None => {}
    }
    if undo.orphan.is_some() {
        return State::Left;
    }
    let turned_at = history.rollback.as_ref().map_or(history.last_at, |turn| turn.at);
    match &undo.outcome {
        Some(UndoOutcome::Held(_)) => State::Left,
        Some(UndoOutcome::Done | UndoOutcome::NothingThere) => State::Over,
        Some(UndoOutcome::NotOurs | UndoOutcome::Kept) => State::Over,
        // A try that the process died in is repeated at once.
        _ if undo.is_open => State::Due(undo.tried_at),
        Some(UndoOutcome::Settling(at) | UndoOutcome::Retry(at, _)) => State::Due(*at),
        None if is_owed(history, effect) => State::Due(turned_at),
        None => State::Over,
    }
}

/// Every intent that is not proven free of effects owes an undo, if there is one; an unknown
/// outcome without one is owed to a person.
fn is_owed(history: &History, effect: &Effect) -> bool {
    if effect.is_effect_free() {
        return false;
    }
    let is_unknown = backward(history, effect, Duration::ZERO) == Backward::Unknown;
    is_unknown || effect.intent.undo.is_some() || !plans(history, effect).is_empty()
}

/// Returns the inverse of a call: the runbook's word before the host's.
fn plans(history: &History, effect: &Effect) -> Vec<UndoPlan> {
    let call = effect.intent.call;
    let refined = history.refinements.get(&call.index);
    match refined.and_then(|refined| refined.replacement.as_ref()) {
        // The replacement stands for the whole batch, so one item carries it.
        Some(plans) if Some(call) == carrier(history, call.index) => plans.clone(),
        Some(_) => Vec::new(),
        None => effect.intent.undo.iter().cloned().collect(),
    }
}

/// Returns the first item of a call that may have had an effect.
fn carrier(history: &History, index: u32) -> Option<CallId> {
    let mut effects = history.effects.iter().filter(|(call, _)| call.index == index);
    effects.find(|(_, effect)| !effect.is_effect_free()).map(|(call, _)| *call)
}

fn step(history: &History, effect: &Effect, timing: &Timing) -> UndoStep {
    let call = effect.intent.call;
    let note = |outcome| UndoStep::Note(Record::UndoResult(UndoResult { call, outcome }));
    let refined = history.refinements.get(&call.index).cloned().unwrap_or_default();
    let is_unknown = backward(history, effect, timing.settle) == Backward::Unknown;
    let plans = plans(history, effect);
    if refined.is_kept {
        note(UndoOutcome::Kept)
    } else if let Some(data) = refined.data {
        note(UndoOutcome::Held(data))
    } else if plans.is_empty() && is_unknown {
        let error = "nobody knows whether it happened, and it has no undo";
        UndoStep::Note(Record::UndoQuarantined(orphan(effect, error)))
    } else if plans.is_empty() {
        note(UndoOutcome::NothingThere)
    } else {
        UndoStep::Act(UndoAct { call, attempt: effect.undo.attempts + 1, plans })
    }
}

/// Returns what to write after a try of the undo of `call` that ended now.
///
/// # Panics
///
/// When the journal promised no such effect: `next_undo` never asks for one.
pub fn judge(
    history: &History,
    call: CallId,
    tried: &Tried,
    now: UnixMs,
    timing: &Timing,
) -> Record {
    let effect = history.effects.get(&call).expect("only effects of the journal are undone");
    let result = |outcome| Record::UndoResult(UndoResult { call, outcome });
    match tried {
        Tried::Never(error) => Record::UndoQuarantined(orphan(effect, error)),
        Tried::Later(error) => later(effect, error, now, timing),
        // What we made must not pass for somebody else's because its labels were edited.
        Tried::NotOurs if effect.remote_id().is_some() => {
            let error = "it stands there without our labels: somebody changed them";
            Record::UndoQuarantined(orphan(effect, error))
        }
        Tried::NotOurs => result(UndoOutcome::NotOurs),
        Tried::Done | Tried::Absent => match settles_at(history, effect, timing) {
            Some(at) if effect.undo.tried_at < at => result(UndoOutcome::Settling(at)),
            _ if *tried == Tried::Done || has_removed(effect) => result(UndoOutcome::Done),
            _ => result(UndoOutcome::NothingThere),
        },
    }
}

/// Returns until when a creation may still land, so that a look before proves nothing.
fn settles_at(history: &History, effect: &Effect, timing: &Timing) -> Option<UnixMs> {
    match backward(history, effect, timing.settle) {
        Backward::MayLand(at) if !is_broken("no-settle") => Some(at),
        _ => None,
    }
}

/// A second look that finds nothing closes an undo that acted on the first.
fn has_removed(effect: &Effect) -> bool {
    effect.accepted.is_some()
}

fn later(effect: &Effect, error: &str, now: UnixMs, timing: &Timing) -> Record {
    let call = effect.intent.call;
    let ends_at = after(effect.undo.budget_from.unwrap_or(now), timing.undo_budget);
    if now >= ends_at {
        return Record::UndoQuarantined(orphan(effect, error));
    }
    // One last try at the very end of the budget.
    let at = after(now, pause(call, effect.undo.failures, timing)).min(ends_at);
    let outcome = UndoOutcome::Retry(at, error.to_owned());
    Record::UndoResult(UndoResult { call, outcome })
}

/// Returns the pause after `failures` earlier failures: doubled each time, spread by a quarter so
/// that the undos of many runs do not beat in time. The spread derives from the call, so that a
/// repeated decision is the same decision.
fn pause(call: CallId, failures: u32, timing: &Timing) -> Duration {
    let doubled = timing.undo_backoff_min.saturating_mul(1_u32 << failures.min(20));
    let full = doubled.min(timing.undo_backoff_max);
    let digest = Digest::of(format!("{call}/{failures}").as_bytes());
    let spread = f64::from(digest.as_bytes()[0]) / 255.0;
    full.mul_f64(0.75 + 0.25 * spread)
}

fn orphan(effect: &Effect, error: &str) -> Orphan {
    let intent = &effect.intent;
    Orphan {
        call: intent.call,
        kind: intent.kind.clone().unwrap_or_else(|| intent.operation.clone()),
        name: intent.key.clone().unwrap_or_else(|| intent.subject.clone()),
        remote_id: effect.remote_id().map(str::to_owned),
        eur_per_month: intent.eur_per_month.clone(),
        error: error.to_owned(),
    }
}

/// Returns what is left for a person: quarantined undos, and held data.
pub fn left(history: &History) -> Vec<Orphan> {
    let effects = history.effects.values();
    let left = effects.filter(|effect| state(history, effect) == State::Left);
    left.map(|effect| match (&effect.undo.orphan, &effect.undo.outcome) {
        (Some(orphan), _) => orphan.clone(),
        (None, Some(UndoOutcome::Held(data))) => orphan(effect, &format!("held: {data}")),
        (None, _) => orphan(effect, "left"),
    })
    .collect()
}

/// Returns what has to be looked for after the rollback ended at `now`.
pub fn late_sweeps(history: &History, now: UnixMs, timing: &Timing) -> Vec<LateSweep> {
    let may_land = |effect: &&Effect| {
        matches!(backward(history, effect, timing.settle), Backward::MayLand(_))
            && state(history, effect) == State::Over
    };
    let landing = history.effects.values().filter(may_land);
    landing
        .flat_map(|effect| {
            timing.sweeps.iter().map(move |wait| late_sweep(effect, after(now, *wait)))
        })
        .collect()
}

fn late_sweep(effect: &Effect, at: UnixMs) -> LateSweep {
    let intent = &effect.intent;
    LateSweep {
        call: intent.call,
        at,
        kind: intent.kind.clone().unwrap_or_default(),
        key: intent.key.clone(),
        labels: intent.labels.clone(),
    }
}
