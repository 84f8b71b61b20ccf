//! The folded view of a journal: what each call promised, was told, and how far its undo is.

mod effect;

use std::collections::BTreeMap;

use crate::call::{CallId, Reference, UndoPlan};
use crate::departure::Departure;
use crate::id::Digest;
use crate::journal::{
    CallResult, Created, Ending, Entry, Finished, Intent, Observed, Record, Refinement, Resolved,
    RollbackStarted, UndoOutcome, UndoResult, UnixMs, Verdict, Wait, WaitReason,
};

pub use effect::{Effect, UndoState};

/// What a journal says, ready for decisions. It is a function of the entries alone.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// With what the run was admitted.
    pub created: Created,
    /// When.
    pub created_at: UnixMs,
    /// The fence of the last attempt; 0 before the first.
    pub fence: u64,
    /// When the last attempt began.
    pub attempt_at: UnixMs,
    /// The place of the next entry.
    pub next_seq: u64,
    /// When the last entry was written.
    pub last_at: UnixMs,
    /// The recorded calls, dense by index.
    pub calls: Vec<Recorded>,
    /// The calls that promised an effect.
    pub effects: BTreeMap<CallId, Effect>,
    /// What the runbook said about undo, by call index; the last word counts.
    pub refinements: BTreeMap<u32, Refined>,
    /// The call that passed the point of no return.
    pub pivot: Option<CallId>,
    /// Who asked to cancel.
    pub cancel: Option<String>,
    /// Where the run left its plan, the last time.
    pub plan_left: Option<Departure>,
    /// Whether it fails for differences that it found.
    pub has_differed: bool,
    /// The last turn backward.
    pub rollback: Option<Rollback>,
    /// How the run ended, unless it was opened again.
    pub finished: Option<Finished>,
}

/// One recorded call, as a replay meets it.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// A step, a note or a refinement: nothing to answer.
    Said { digest: Digest, at: UnixMs },
    /// A read, or a refusal of the whole call before any effect.
    Observed { observed: Observed, at: UnixMs },
    /// A timer.
    Timer { digest: Digest, until: UnixMs, woken_at: Option<UnixMs> },
    /// Effects: one, or as many as the batch has items.
    Effects { items: Vec<CallId> },
}

/// What a runbook said about an undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refined {
    /// The effect stays.
    pub is_kept: bool,
    /// The undo is replaced.
    pub replacement: Option<Vec<UndoPlan>>,
    /// Data was written to it.
    pub data: Option<String>,
}

/// A turn backward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Why, for people.
    pub cause: String,
    /// When the run first turned: no forward send happened later.
    pub first_at: UnixMs,
    /// When the last `rollback` gave fresh budgets.
    pub at: UnixMs,
}

/// Entries that cannot be a journal of this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} does not fit the journal: {reason}; the store is damaged or was edited")]
pub struct HistoryError {
    /// The place.
    pub seq: u64,
    /// Why.
    pub reason: String,
}

impl History {
    /// Folds a whole journal.
    pub fn of(entries: &[Entry]) -> Result<Self, HistoryError> {
        let Some((first, rest)) = entries.split_first() else {
            return Err(HistoryError { seq: 0, reason: "there is no entry".to_owned() });
        };
        let mut history = Self::begin(first)?;
        rest.iter().try_for_each(|entry| history.push(entry))?;
        Ok(history)
    }

    fn begin(entry: &Entry) -> Result<Self, HistoryError> {
        let Record::Created(created) = &entry.record else {
            let reason = "the first entry does not say how the run was created".to_owned();
            return Err(HistoryError { seq: entry.seq, reason });
        };
        if entry.seq != 0 {
            let reason = "the entries before it are missing".to_owned();
            return Err(HistoryError { seq: entry.seq, reason });
        }
        Ok(Self {
            created: created.as_ref().clone(),
            created_at: entry.at,
            fence: 0,
            attempt_at: entry.at,
            next_seq: 1,
            last_at: entry.at,
            calls: Vec::new(),
            effects: BTreeMap::new(),
            refinements: BTreeMap::new(),
            pivot: None,
            cancel: None,
            plan_left: None,
            has_differed: false,
            rollback: None,
            finished: None,
        })
    }

    /// Returns when the timer ends that the run waits for.
    pub fn timer(&self) -> Option<UnixMs> {
        match self.calls.last()? {
            Recorded::Timer { until, woken_at: None, .. } => Some(*until),
            _ => None,
        }
    }

    /// Takes the next entry in.
    pub fn push(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        let seq = entry.seq;
        let fail = |reason: String| HistoryError { seq, reason };
        if seq != self.next_seq {
            return Err(fail(format!("entry {} was expected here", self.next_seq)));
        }
        self.take(&entry.record, entry.at).map_err(fail)?;
        self.next_seq += 1;
        // A clock that was set right since must not make the run's own time go back.
        self.last_at = self.last_at.max(entry.at);
        Ok(())
    }

    fn take(&mut self, record: &Record, at: UnixMs) -> Result<(), String> {
        match record {
            Record::Created(_) => return Err("the run was created twice".to_owned()),
            Record::Attempt(attempt) => self.take_attempt(attempt.fence, at)?,
            Record::Step(step) => {
                self.take_call(step.call, Recorded::Said { digest: step.digest, at })?;
            }
            Record::Refined(refined) => {
                self.take_call(refined.call, Recorded::Said { digest: refined.digest, at })?;
                self.refine(refined.call, &refined.refinement);
            }
            Record::Observed(observed) => {
                let recorded = Recorded::Observed { observed: observed.clone(), at };
                self.take_call(observed.call, recorded)?;
            }
            Record::Intent(intent) => self.take_intent(intent, at)?,
            Record::Accepted(accepted) => {
                let effect = self.effect(accepted.call)?;
                effect.is_sent_twice |= accepted.is_resent;
                effect.accepted = Some(accepted.clone());
                effect.accepted_at = at;
            }
            Record::Result(result) => self.take_result(result, at)?,
            Record::Wait(wait) => self.take_wait(wait)?,
            Record::Woken(woken) => self.take_woken(woken.call, at)?,
            Record::Resolved(resolved) => self.take_verdict(resolved)?,
            Record::CancelRequested(cancel) => self.cancel = Some(cancel.by.clone()),
            Record::PlanLeft(left) => self.plan_left = Some(left.clone()),
            Record::Differed(_) => self.has_differed = true,
            Record::RollbackStarted(started) => self.turn_back(started, at),
            Record::UndoIntent(intent) => {
                let undo = &mut self.effect(intent.call)?.undo;
                undo.budget_from.get_or_insert(at);
                undo.attempts = intent.attempt;
                undo.tried_at = at;
                undo.is_open = true;
            }
            Record::UndoResult(result) => self.take_undo(result)?,
            Record::UndoQuarantined(orphan) => {
                let undo = &mut self.effect(orphan.call)?.undo;
                undo.is_open = false;
                undo.orphan = Some(orphan.clone());
            }
            Record::Finished(finished) => self.finished = Some(finished.clone()),
        }
        Ok(())
    }

    fn take_attempt(&mut self, fence: u64, at: UnixMs) -> Result<(), String> {
        if fence <= self.fence {
            return Err(format!("its fence {fence} is not above {}", self.fence));
        }
        self.fence = fence;
        self.attempt_at = at;
        let is_forward = self.rollback.is_none();
        for effect in self.effects.values_mut().filter(|_| is_forward) {
            effect.is_sent_twice |= effect.accepted.is_none() && effect.result.is_none();
        }
        Ok(())
    }

    fn take_call(&mut self, call: CallId, recorded: Recorded) -> Result<(), String> {
        if call.item.is_some() {
            return Err(format!("call {call} has no items"));
        }
        if call.index as usize != self.calls.len() {
            return Err(format!("call {call} was recorded where {} belongs", self.calls.len()));
        }
        self.calls.push(recorded);
        Ok(())
    }

    fn take_intent(&mut self, intent: &Intent, at: UnixMs) -> Result<(), String> {
        let call = intent.call;
        let (place, count) = (call.index as usize, self.calls.len());
        match self.calls.get_mut(place) {
            None if place == count && call.item.unwrap_or(0) == 0 => {
                self.calls.push(Recorded::Effects { items: vec![call] });
            }
            Some(Recorded::Effects { items })
                if call.item.is_some_and(|item| usize::from(item) == items.len())
                    && place + 1 == count
                    && items[0].item.is_some() =>
            {
                items.push(call);
            }
            _ => return Err(format!("call {call} is promised out of order")),
        }
        let effect = Effect {
            intent: intent.clone(),
            intended_at: at,
            intended_by: self.fence,
            accepted: None,
            accepted_at: 0,
            is_sent_twice: false,
            result: None,
            answered_at: 0,
            is_asked: false,
            verdict: None,
            undo: UndoState::default(),
        };
        self.effects.insert(call, effect);
        Ok(())
    }

    fn take_result(&mut self, result: &CallResult, at: UnixMs) -> Result<(), String> {
        let effect = self.effect(result.call)?;
        if effect.result.is_some() {
            return Err(format!("call {} got two answers", result.call));
        }
        effect.result = Some(result.clone());
        effect.answered_at = at;
        effect.is_asked = false;
        Ok(())
    }

    fn take_wait(&mut self, wait: &Wait) -> Result<(), String> {
        match wait.reason {
            WaitReason::Timer(until) => {
                let digest = wait.digest;
                self.take_call(wait.call, Recorded::Timer { digest, until, woken_at: None })
            }
            WaitReason::UnknownOutcome(_) => {
                let effect = self.effect(wait.call)?;
                effect.is_asked = true;
                effect.verdict = None;
                Ok(())
            }
        }
    }

    fn take_woken(&mut self, call: CallId, at: UnixMs) -> Result<(), String> {
        if let Some(Recorded::Timer { woken_at, .. }) = self.calls.get_mut(call.index as usize) {
            *woken_at = Some(at);
            return Ok(());
        }
        let effect = self.effect(call)?;
        effect.is_asked = false;
        // From here it may be sent again, so that it was not done is no longer known.
        if effect.verdict == Some(Verdict::NotDone) {
            effect.verdict = None;
        }
        Ok(())
    }

    fn take_verdict(&mut self, resolved: &Resolved) -> Result<(), String> {
        let effect = self.effect(resolved.call)?;
        effect.is_asked = false;
        effect.verdict = Some(resolved.verdict);
        Ok(())
    }

    fn take_undo(&mut self, result: &UndoResult) -> Result<(), String> {
        let effect = self.effect(result.call)?;
        let is_made_here = effect.is_create() || effect.is_publishing();
        let undo = &mut effect.undo;
        undo.is_open = false;
        if matches!(result.outcome, UndoOutcome::Retry(..)) {
            undo.failures += 1;
        }
        undo.is_id_gone |= is_made_here && matches!(result.outcome, UndoOutcome::Settling(_));
        undo.has_acted |= result.has_acted;
        undo.outcome = Some(result.outcome.clone());
        Ok(())
    }

    /// A new turn gives every undo that is not over a fresh budget and opens a finished run again.
    fn turn_back(&mut self, started: &RollbackStarted, at: UnixMs) {
        let first_at = self.rollback.as_ref().map_or(at, |rollback| rollback.first_at);
        self.rollback = Some(Rollback { cause: started.cause.clone(), first_at, at });
        self.finished = None;
        for effect in self.effects.values_mut() {
            effect.undo.orphan = None;
            effect.undo.budget_from = None;
            effect.undo.failures = 0;
            if matches!(effect.undo.outcome, Some(UndoOutcome::Retry(..))) {
                effect.undo.outcome = None;
            }
        }
    }

    fn refine(&mut self, call: CallId, refinement: &Refinement) {
        match refinement {
            Refinement::Pivot => self.pivot = Some(call),
            Refinement::Keep(index) => {
                self.refinements.entry(*index).or_default().is_kept = true;
            }
            Refinement::UndoWith(index, plans) => {
                let refined = self.refinements.entry(*index).or_default();
                refined.is_kept = false;
                refined.replacement = Some(plans.clone());
            }
            Refinement::HoldsData(index, data) => {
                self.refinements.entry(*index).or_default().data = Some(data.clone());
            }
        }
    }

    fn effect(&mut self, call: CallId) -> Result<&mut Effect, String> {
        self.effects.get_mut(&call).ok_or_else(|| format!("call {call} promised no effect"))
    }

    /// Returns the call of this run that made `thing`, when one did.
    pub fn made_by(&self, thing: &Reference) -> Option<CallId> {
        let mut effects = self.effects.values().filter(|effect| !effect.is_effect_free());
        let made = effects.find(|effect| {
            effect.is_create()
                && effect.intent.kind.as_ref() == Some(&thing.kind)
                && effect.remote_id() == Some(&thing.id)
        });
        made.map(|effect| effect.intent.call)
    }

    /// Returns the calls that made what `references` name: the dependencies of a new intent.
    pub fn dependencies(&self, references: &[Reference]) -> Vec<CallId> {
        let mut calls: Vec<_> = references.iter().filter_map(|thing| self.made_by(thing)).collect();
        calls.sort();
        calls.dedup();
        calls
    }

    /// Returns the index of the last call that promised an effect.
    pub fn last_effect(&self) -> Option<u32> {
        self.effects.keys().next_back().map(|call| call.index)
    }

    /// Returns whether anything may have happened outside.
    pub fn has_effects(&self) -> bool {
        self.effects.values().any(|effect| !effect.is_effect_free())
    }

    /// Returns how the run ended, unless it is open.
    pub fn ending(&self) -> Option<Ending> {
        self.finished.as_ref().map(|finished| finished.ending)
    }
}

#[cfg(test)]
mod tests {
    use crate::call::{CallClass, Rank, Reference};
    use crate::tale::{Tale, call};

    use super::*;

    #[test]
    fn a_journal_that_does_not_fit_is_refused() {
        let made = || Tale::new().made("0", Rank::Server, &[]);
        let rows: [(&str, Tale, &str); 12] = [
            ("created twice", Tale::new().then(Tale::new().entries[0].record.clone()), "twice"),
            ("an old fence", Tale::new().attempt(1), "not above 1"),
            ("an answer to nothing", Tale::new().ok("0"), "promised no effect"),
            ("acceptance of nothing", Tale::new().accepted("0"), "promised no effect"),
            ("two answers", made().ok("0"), "two answers"),
            ("a promise kept twice", made().intent("0", CallClass::Converge), "out of order"),
            ("a call left out", Tale::new().observed("1"), "where 0 belongs"),
            ("a promise left out", Tale::new().intent("1", CallClass::Converge), "out of order"),
            ("an item left out", Tale::new().intent("0.1", CallClass::Converge), "out of order"),
            ("an item of no batch", made().intent("0.1", CallClass::Converge), "out of order"),
            ("an undo of nothing", Tale::new().undo_intent("3", 1), "promised no effect"),
            ("a word on nothing", Tale::new().resolved("3", Verdict::Done), "promised no effect"),
        ];
        for (name, tale, expected) in rows {
            let error = History::of(&tale.entries).expect_err(name);
            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn a_journal_with_a_hole_or_without_a_start_is_refused() {
        let tale = Tale::new().observed("0").observed("1");
        let mut holed = tale.entries.clone();
        holed.remove(2);
        assert!(History::of(&holed).unwrap_err().to_string().contains("entry 2 was expected"));
        assert!(History::of(&tale.entries[1..]).is_err());
        assert!(History::of(&[]).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_take_the_time_of_a_run_back() {
        let history = Tale::new().at(900).step("0").at(20).observed("1").history();
        assert_eq!(history.last_at, 900);
    }

    #[test]
    fn only_what_this_run_made_is_its_own() {
        let tale = Tale::new().made("0", Rank::Server, &[]).create("1", Rank::Server, &[]);
        let history = tale.err("1", true).history();
        let made = |kind, id| history.made_by(&Reference::new(kind, id));
        assert_eq!(made("test.thing", "id-0"), Some(call("0")));
        assert_eq!(made("test.thing", "id-9"), None);
        assert_eq!(made("test.other", "id-0"), None);
        let things = ["id-0", "id-9", "id-0"].map(|id| Reference::new("test.thing", id));
        assert_eq!(history.dependencies(&things), [call("0")]);
        assert_eq!(history.last_effect(), Some(1));
    }
}
