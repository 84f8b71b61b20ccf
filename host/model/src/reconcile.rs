//! What to do about a promised effect whose outcome is not on record.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::breakable::is_broken;
use crate::call::CallClass;
use crate::failure::{Failure, Problem};
use crate::history::{Effect, History};
use crate::journal::{Accepted, UnixMs, Verdict};
use crate::timing::{Timing, after};

/// The labels of this prefix prove whose a thing is; people may change the others.
const OWNED_PREFIX: &str = "runwrit/";

/// How a run that goes forward settles an effect without a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Forward {
    /// The outside system took it: wait for what was accepted and read the value.
    Complete(Accepted),
    /// Send it again under the same key: adopt what is ours, fail on what is not.
    Resend,
    /// Send it: a person said that it was not done. `Woken` goes to the journal first, so that
    /// the answer counts for this send only.
    SendOnce,
    /// Look for it by its mark, but not before this time, when no earlier send can still land.
    /// Then `probe` decides.
    ProbeAt(UnixMs),
    /// Put it to a person: the run parks.
    Ask,
    /// Tell the guest that it failed: a person said so.
    Fail(Failure),
}

/// Returns how to go on with `effect`, which has an intent and no result.
pub fn forward(history: &History, effect: &Effect, timing: &Timing) -> Forward {
    if let Some(accepted) = &effect.accepted {
        return Forward::Complete(accepted.clone());
    }
    match effect.verdict {
        Some(Verdict::Done | Verdict::Kept) => return Forward::Complete(told_done(effect)),
        Some(Verdict::NotDone) => return Forward::SendOnce,
        Some(Verdict::Deleted) => return Forward::Fail(deleted(effect)),
        None => {}
    }
    match effect.intent.class {
        CallClass::Local | CallClass::Read | CallClass::Converge | CallClass::KeyedCreate => {
            Forward::Resend
        }
        CallClass::ProbeCreate => Forward::ProbeAt(after(history.attempt_at, timing.settle)),
        CallClass::Opaque => Forward::Ask,
    }
}

/// What to do about a send whose outcome stayed unknown while the process lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Put it to a person: the run parks.
    Ask,
    /// Go backward: the undo settles it.
    TurnBack,
}

/// Returns what an unknown outcome leads to after the capability gave up sending.
pub fn unanswered(class: CallClass) -> Unanswered {
    match class {
        CallClass::Opaque => Unanswered::Ask,
        _ => Unanswered::TurnBack,
    }
}

/// What a lookup by the exact key found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// This call of this run made it: adopt it, or delete it in an undo.
    Ours,
    /// Something else has the key: fail with a key conflict, or leave it alone in an undo.
    Foreign,
}

/// Judges a thing found under the key of a call by its labels: all labels under `runwrit/` must be
/// equal, and the proof among them must have been verified.
pub fn ownership(
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    is_mac_valid: bool,
) -> Ownership {
    let mut proofs = wanted.iter().filter(|(name, _)| name.starts_with(OWNED_PREFIX)).peekable();
    let is_marked = proofs.peek().is_some();
    let is_equal = proofs.all(|(name, value)| found.get(name) == Some(value));
    match is_mac_valid && is_marked && is_equal && !is_broken("no-adoption") {
        true => Ownership::Ours,
        false => Ownership::Foreign,
    }
}

/// What to do after a look by mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Nothing is there: create it.
    Create,
    /// One is there: adopt it.
    Adopt,
    /// Several are there: none can be told to be the one.
    Ambiguous,
}

/// Judges how many things carry the mark of a call.
pub fn probe(found: usize) -> Probe {
    match found {
        0 => Probe::Create,
        1 => Probe::Adopt,
        _ => Probe::Ambiguous,
    }
}

/// What a rollback has to reckon with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backward {
    /// Nothing happened: there is nothing to undo.
    Free,
    /// What happened is known, and no send is on its way.
    Known,
    /// A creation may still land until this time; absence before proves nothing.
    MayLand(UnixMs),
    /// It may have happened, can neither be repeated nor looked for.
    Unknown,
}

/// Returns what a rollback has to reckon with for `effect`.
pub fn backward(history: &History, effect: &Effect, settle: Duration) -> Backward {
    if effect.is_effect_free() {
        return Backward::Free;
    }
    match effect.is_create() {
        true if may_land(effect) => Backward::MayLand(after(sent_until(history, effect), settle)),
        true => Backward::Known,
        false if effect.is_unknown() && effect.intent.class == CallClass::Opaque => {
            Backward::Unknown
        }
        false => Backward::Known,
    }
}

/// A creation that was answered at its only send cannot land again; one without an answer may, and
/// so may the first of two sends after the second was answered and its thing deleted.
fn may_land(effect: &Effect) -> bool {
    effect.accepted.is_none() || effect.is_sent_twice
}

/// No send happened after this. The journal does not know when a process that was killed sent last,
/// only that it was before the run turned back.
fn sent_until(history: &History, effect: &Effect) -> UnixMs {
    let turned_at = history.rollback.as_ref().map_or(history.last_at, |turn| turn.first_at);
    if effect.accepted.is_some() {
        effect.accepted_at
    } else if effect.result.is_some() {
        effect.answered_at
    } else {
        turned_at
    }
}

fn told_done(effect: &Effect) -> Accepted {
    Accepted {
        call: effect.intent.call,
        remote_id: None,
        actions: Vec::new(),
        is_adopted: false,
        note: serde_json::Value::Null,
    }
}

fn deleted(effect: &Effect) -> Failure {
    let message = format!("a person deleted {} by hand", effect.intent.subject);
    Failure::Failed(Problem::new("deleted-by-hand", message))
}
