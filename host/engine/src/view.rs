//! What can be told about a run from its journal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runwrit_model::call::CallId;
use runwrit_model::cost::{Cost, is_standing};
use runwrit_model::history::{Effect, History};
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{
    Created, Ending, Entry, Observed, Outcome, Record, Resolved, UndoOutcome, UnixMs, Verdict,
    Wait, WaitReason,
};
use runwrit_model::money::Eur;
use runwrit_model::next::{Next, Park, next};
use runwrit_model::orphan::{self, OrphanReport};
use runwrit_model::timing::Timing;
use runwrit_model::undo;
use serde::Serialize;
use serde_json::Value;

use crate::store::{self, RunRow};

/// All that is known about a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// With what it was admitted.
    pub created: Created,
    /// When.
    pub created_at: UnixMs,
    /// When it was last heard of.
    pub last_at: UnixMs,
    /// How it stands.
    pub state: RunState,
    /// Whether a process works on it now.
    pub is_alive: bool,
    /// Its steps in order; calls before the first step stand under an empty title.
    pub steps: Vec<StepView>,
    /// What is left for a person.
    pub left: Vec<OrphanReport>,
    /// What a rollback leaves as it is without asking: it cannot be reverted, or is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lasting: Vec<CallId>,
    /// Net EUR per month of what it made and what still stands by its own journal, whatever other
    /// runs deleted since; nothing where all of it is free.
    pub eur_per_month: Option<Eur>,
    /// What it put out.
    pub outputs: BTreeMap<String, String>,
    /// Why it ended as it did, or why it waits; empty where there is nothing to say.
    pub message: String,
    /// What to type next, most useful first.
    pub next_commands: Vec<String>,
}

/// A line of a list of runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The runbook's name and version.
    pub runbook: String,
    /// What it holds alone.
    pub scope: Scope,
    /// When it was created.
    pub created_at: UnixMs,
    /// How it stands.
    pub state: RunState,
    /// Whether a process works on it now.
    pub is_alive: bool,
    /// Net EUR per month of what it made and what still stands by the journals of all runs; nothing
    /// where all of it is free or gone.
    pub eur_per_month: Option<Eur>,
    /// Net EUR per month of everything paid that stands in the scope now, whichever run made it.
    pub scope_eur_per_month: Option<Cost>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It goes forward, or would if a process worked on it.
    Forward,
    /// It waits for a time.
    Waiting(UnixMs),
    /// It waits for a person's word on a call.
    Asking(CallId),
    /// It is rolled back, or would be if a process worked on it.
    Backward,
    /// It is over.
    Ended(Ending),
    /// Its journal cannot be read, so nobody knows.
    Damaged,
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepView {
    /// The title.
    pub title: String,
    /// When it began.
    pub at: UnixMs,
    /// What was verified in it.
    pub notes: Vec<String>,
    /// The calls made in it.
    pub calls: Vec<CallView>,
}

/// One recorded call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallView {
    /// The call.
    pub call: CallId,
    /// The operation.
    pub operation: String,
    /// On what.
    pub subject: String,
    /// When it was promised or answered.
    pub at: UnixMs,
    /// How it stands.
    pub state: CallState,
    /// The id that the outside system told.
    pub remote_id: Option<String>,
    /// Net EUR per month.
    pub eur_per_month: Option<String>,
    /// The failure that the guest was told, or the last error of the undo.
    pub error: Option<String>,
    /// What a person needs to judge it, where its outcome is or was in doubt.
    pub doubt: Option<Doubt>,
}

/// What is known of a call whose outcome the host cannot tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Doubt {
    /// What was asked for, secrets replaced by their names.
    pub request: Value,
    /// When it may first have been sent.
    pub sent_at: UnixMs,
    /// What was seen instead of an answer, a line for each time.
    pub seen: Vec<String>,
    /// What persons said, the last one counts.
    pub words: Vec<Resolved>,
}

/// How a call stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallState {
    /// It read, and was answered.
    Read,
    /// It was refused before any effect.
    Refused,
    /// It is promised; whether it happened is not on record.
    Open,
    /// The outside system took it; its end is not on record.
    Accepted,
    /// It happened.
    Done,
    /// It found what an earlier try had made.
    Adopted,
    /// It failed; something of it may stand.
    Failed,
    /// A person said what became of it.
    Resolved(Verdict),
    /// Its undo came this far.
    Undo(UndoOutcome),
    /// Its undo is at work.
    Undoing,
    /// It is left for a person.
    Left,
}

impl RunSummary {
    /// Returns the line of a run whose journal cannot be read: what its row says, and no more.
    pub(crate) fn damaged(row: RunRow) -> Self {
        Self {
            run: row.run,
            runbook: row.runbook,
            scope: row.scope,
            created_at: row.created_at,
            state: RunState::Damaged,
            is_alive: row.state == store::RunState::Working,
            eur_per_month: None,
            scope_eur_per_month: None,
        }
    }
}

impl RunView {
    /// Looks at a folded journal and its entries.
    pub(crate) fn of(
        history: &History,
        entries: &[Entry],
        is_alive: bool,
        now: UnixMs,
        timing: &Timing,
    ) -> Self {
        let state = state(history, now, timing);
        let finished = history.finished.clone();
        let message = match (&finished, &history.rollback) {
            (Some(end), _) => end.message.clone(),
            (None, Some(rollback)) => rollback.cause.clone(),
            (None, None) => String::new(),
        };
        Self {
            run: history.created.run.clone(),
            created: history.created.clone(),
            created_at: history.created_at,
            last_at: history.last_at,
            is_alive,
            steps: steps(entries, history),
            left: orphan::reports(history),
            lasting: lasting(history),
            eur_per_month: eur_per_month(history),
            outputs: finished.map(|end| end.outputs).unwrap_or_default(),
            message,
            next_commands: commands(history, &state, is_alive),
            state,
        }
    }

    /// Returns the line for a list, but for the prices, which need the journals of all runs.
    pub fn summary(&self) -> RunSummary {
        RunSummary {
            run: self.run.clone(),
            runbook: self.created.runbook.clone(),
            scope: self.created.scope.clone(),
            created_at: self.created_at,
            state: self.state.clone(),
            is_alive: self.is_alive,
            eur_per_month: None,
            scope_eur_per_month: None,
        }
    }
}

/// Only a run that turned back has to say what stays nevertheless.
fn lasting(history: &History) -> Vec<CallId> {
    history.rollback.as_ref().map(|_| undo::lasting(history)).unwrap_or_default()
}

/// Writes a time as RFC 3339 in UTC.
pub fn time(at: UnixMs) -> String {
    let time = i64::try_from(at).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{at} ms"), |time| time.to_string())
}

/// Adds up what this run made and what still stands.
pub(crate) fn eur_per_month(history: &History) -> Option<Eur> {
    let standing = history.effects.values().filter(|effect| is_standing(effect));
    let prices = standing.filter_map(|effect| effect.intent.eur_per_month.as_ref());
    let prices: Vec<Eur> = prices.filter_map(|price| price.parse().ok()).collect();
    (!prices.is_empty()).then(|| prices.into_iter().sum())
}

fn state(history: &History, now: UnixMs, timing: &Timing) -> RunState {
    if let Some(ending) = history.ending() {
        return RunState::Ended(ending);
    }
    match next(history, now, timing) {
        Next::Park(Park::Until(at)) => RunState::Waiting(at),
        Next::Park(Park::Person { call, .. }) => RunState::Asking(call),
        Next::TurnBack(_) | Next::RollBack(_) => RunState::Backward,
        Next::Finish(..) if history.rollback.is_some() => RunState::Backward,
        Next::Finish(..) | Next::Execute | Next::Ended(_) => RunState::Forward,
    }
}

fn commands(history: &History, state: &RunState, is_alive: bool) -> Vec<String> {
    let run = &history.created.run;
    let resolve = |call: &CallId, verdict: &str| {
        format!("runwrit resolve {run} {call} --as {verdict} --reason TEXT")
    };
    let (resume, rollback) = (format!("runwrit resume {run}"), format!("runwrit rollback {run}"));
    match state {
        RunState::Forward | RunState::Waiting(_) if is_alive => {
            vec![format!("runwrit cancel {run}")]
        }
        RunState::Backward if is_alive => Vec::new(),
        RunState::Forward | RunState::Waiting(_) => vec![resume, rollback],
        RunState::Backward => vec![resume],
        RunState::Asking(call) => {
            vec![resolve(call, "done"), resolve(call, "not-done"), rollback]
        }
        RunState::Ended(
            Ending::Succeeded | Ending::RolledBack | Ending::FailedClean | Ending::Moved,
        )
        | RunState::Damaged => Vec::new(),
        RunState::Ended(Ending::Nondeterministic) => vec![rollback],
        // A person decides: undo it all, or look and leave it as it is.
        RunState::Ended(Ending::Held) => vec![rollback, format!("runwrit show {run}")],
        RunState::Ended(Ending::RollbackIncomplete) => {
            let left = undo::left(history).into_iter();
            let deleted = left.map(|orphan| resolve(&orphan.call, "deleted"));
            std::iter::once(rollback).chain(deleted).collect()
        }
    }
}

fn steps(entries: &[Entry], history: &History) -> Vec<StepView> {
    let mut steps: Vec<StepView> = Vec::new();
    for entry in entries {
        let at = entry.at;
        match &entry.record {
            Record::Step(step) if !step.is_note => {
                let title = step.text.clone();
                steps.push(StepView { title, at, ..StepView::default() });
            }
            Record::Step(note) => current(&mut steps, at).notes.push(note.text.clone()),
            Record::Observed(observed) => {
                current(&mut steps, at).calls.push(observation(observed, at));
            }
            Record::Intent(intent) => {
                let effect = &history.effects[&intent.call];
                current(&mut steps, at).calls.push(call(effect));
            }
            Record::Wait(Wait { call, reason: WaitReason::UnknownOutcome(cause), .. }) => {
                doubt(&mut steps, *call, |doubt| doubt.seen.push(cause.clone()));
            }
            Record::Resolved(word) => {
                doubt(&mut steps, word.call, |doubt| doubt.words.push(word.clone()));
            }
            _ => {}
        }
    }
    steps
}

/// Adds to what is known of a call in doubt.
fn doubt(steps: &mut [StepView], call: CallId, add: impl FnOnce(&mut Doubt)) {
    let mut calls = steps.iter_mut().flat_map(|step| &mut step.calls);
    if let Some(doubt) = calls.find(|view| view.call == call).and_then(|view| view.doubt.as_mut()) {
        add(doubt);
    }
}

fn current(steps: &mut Vec<StepView>, at: UnixMs) -> &mut StepView {
    if steps.is_empty() {
        steps.push(StepView { at, ..StepView::default() });
    }
    steps.last_mut().expect("a step was pushed just now")
}

fn observation(observed: &Observed, at: UnixMs) -> CallView {
    let error = match &observed.outcome {
        Outcome::Ok(_) => None,
        Outcome::Err(failure) => Some(failure.to_string()),
    };
    let is_refused = observed.class.is_mutating() && error.is_some();
    CallView {
        call: observed.call,
        operation: observed.operation.clone(),
        subject: String::new(),
        at,
        state: if is_refused { CallState::Refused } else { CallState::Read },
        remote_id: None,
        eur_per_month: None,
        error,
        doubt: None,
    }
}

fn call(effect: &Effect) -> CallView {
    let intent = &effect.intent;
    let told = match effect.result.as_ref().map(|result| &result.outcome) {
        Some(Outcome::Err(failure)) => Some(failure.to_string()),
        Some(Outcome::Ok(_)) | None => None,
    };
    let error = match (&effect.undo.orphan, &effect.undo.outcome) {
        (Some(orphan), _) => Some(orphan.error.clone()),
        (None, Some(UndoOutcome::Retry(_, error))) => Some(error.clone()),
        (None, _) => told,
    };
    CallView {
        call: intent.call,
        operation: intent.operation.clone(),
        subject: intent.subject.clone(),
        at: effect.intended_at,
        state: call_state(effect),
        remote_id: effect.remote_id().map(str::to_owned),
        eur_per_month: intent.eur_per_month.clone(),
        error,
        doubt: is_doubtful(effect).then(|| Doubt {
            request: intent.request.clone(),
            sent_at: effect.intended_at,
            ..Doubt::default()
        }),
    }
}

/// Returns whether a person is, was or may be asked about a call.
fn is_doubtful(effect: &Effect) -> bool {
    effect.is_asked || effect.is_unknown() || effect.verdict.is_some()
}

fn call_state(effect: &Effect) -> CallState {
    if let Some(verdict) = effect.verdict {
        return CallState::Resolved(verdict);
    }
    let undo = &effect.undo;
    match (&undo.orphan, &undo.outcome) {
        (Some(_), _) | (None, Some(UndoOutcome::Held(_))) => return CallState::Left,
        _ if undo.is_open => return CallState::Undoing,
        (None, Some(outcome)) => return CallState::Undo(outcome.clone()),
        (None, None) => {}
    }
    match (&effect.result, &effect.accepted) {
        (Some(result), _) if result.is_effect_free => CallState::Refused,
        (Some(result), _) if matches!(result.outcome, Outcome::Err(_)) => CallState::Failed,
        (Some(_), Some(accepted)) if accepted.is_adopted => CallState::Adopted,
        (Some(_), _) => CallState::Done,
        (None, Some(_)) => CallState::Accepted,
        (None, None) => CallState::Open,
    }
}
