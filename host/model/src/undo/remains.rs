//! What a rollback leaves behind: for a person, for good, or perhaps still on its way.

use std::collections::BTreeMap;

use super::{State, orphan, state};
use crate::call::CallId;
use crate::history::{Effect, History};
use crate::journal::{Orphan, UndoOutcome, UnixMs, Verdict};
use crate::reconcile::{Backward, backward};
use crate::timing::{Timing, after};

/// A creation or a name that may land after its undo: to be looked for, once the rollback is over.
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

/// Returns what a rollback leaves as it is without a person being asked: effects that cannot be
/// reverted, such as a deletion, and what the runbook keeps.
pub fn lasting(history: &History) -> Vec<CallId> {
    let lasts = |call: CallId, effect: &Effect| {
        let refined = history.refinements.get(&call.index);
        let is_kept = refined.is_some_and(|it| it.is_kept);
        let has_plan = match refined.and_then(|it| it.replacement.as_ref()) {
            // One item of a batch carries the plans of all.
            Some(plans) => !plans.is_empty(),
            None => effect.intent.undo.is_some(),
        };
        let is_gone = matches!(effect.verdict, Some(Verdict::NotDone | Verdict::Deleted));
        (is_kept || !has_plan)
            && !is_gone
            && !effect.is_effect_free()
            && state(history, effect) == State::Over
    };
    let effects = history.effects.iter();
    effects.filter(|(call, effect)| lasts(**call, effect)).map(|(call, _)| *call).collect()
}

/// Returns what has to be looked for after the rollback ended at `now`.
pub fn late_sweeps(history: &History, now: UnixMs, timing: &Timing) -> Vec<LateSweep> {
    let may_land = |effect: &&Effect| {
        matches!(backward(history, effect, timing.settle), Backward::MayLand(_))
            && is_late_look_wanted(history, effect)
    };
    let landing = history.effects.values().filter(may_land);
    landing
        .flat_map(|effect| {
            timing.sweeps.iter().map(move |wait| late_sweep(effect, after(now, *wait)))
        })
        .collect()
}

/// Tells whether what lands late of `effect` is to be taken back by the host's own undo: what was
/// kept stays, whoever said so, and what the runbook replaced is not the host's to revert. Changes
/// of what others made were looked at until they had settled, and are theirs since.
pub fn is_late_look_wanted(history: &History, effect: &Effect) -> bool {
    let refined = history.refinements.get(&effect.intent.call.index);
    let is_refined = refined.is_some_and(|it| it.is_kept || it.replacement.is_some());
    let is_kept = effect.verdict == Some(Verdict::Kept)
        || effect.undo.outcome == Some(UndoOutcome::Kept)
        || is_refined;
    (effect.is_create() || effect.is_publishing())
        && !is_kept
        && state(history, effect) == State::Over
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
