//! What a person says about a call that nobody else can judge.

use runwrit_model::call::CallId;
use runwrit_model::history::History;
use runwrit_model::journal::UndoOutcome;

use crate::error::EngineError;

/// Refuses a word on a call that is not in doubt: the journal knows better.
pub(crate) fn check(history: &History, call: CallId) -> Result<(), EngineError> {
    let refuse = |reason: &str| {
        let run = history.created.run.clone();
        Err(EngineError::NotResolvable { run, call, reason: reason.to_owned() })
    };
    let Some(effect) = history.effects.get(&call) else {
        return refuse("it promised no effect");
    };
    let is_settled = matches!(
        effect.undo.outcome,
        Some(UndoOutcome::Done | UndoOutcome::NothingThere | UndoOutcome::NotOurs)
    );
    if is_settled && effect.undo.orphan.is_none() {
        return refuse("its undo has settled it");
    }
    let is_held = matches!(effect.undo.outcome, Some(UndoOutcome::Held(_)));
    let is_left = effect.undo.orphan.is_some() || is_held;
    let is_retried = matches!(effect.undo.outcome, Some(UndoOutcome::Retry(..)));
    match effect.is_asked || effect.is_unknown() || is_left || is_retried || effect.undo.is_open {
        true => Ok(()),
        false => refuse("its outcome is known"),
    }
}
