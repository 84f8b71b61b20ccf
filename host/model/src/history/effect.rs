//! One call that promised an effect: what is known of it, and what of it may still come.

use crate::call::{CallClass, Rank};
use crate::journal::{Accepted, CallResult, Intent, Orphan, Outcome, UndoOutcome, UnixMs, Verdict};

/// A call that promised an effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The promise.
    pub intent: Intent,
    /// When it was written.
    pub intended_at: UnixMs,
    /// The attempt that wrote it.
    pub intended_by: u64,
    /// What the outside system said when it took the call.
    pub accepted: Option<Accepted>,
    /// When that was written; no send happened later.
    pub accepted_at: UnixMs,
    /// Whether it may have been sent more than once.
    pub is_sent_twice: bool,
    /// The answer.
    pub result: Option<CallResult>,
    /// When the answer was written.
    pub answered_at: UnixMs,
    /// Whether a person is asked what became of it.
    pub is_asked: bool,
    /// What a person said; a `not-done` lapses when the call is sent again.
    pub verdict: Option<Verdict>,
    /// How far its undo is.
    pub undo: UndoState,
}

/// How far an undo is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UndoState {
    /// When the first try under the current budget began.
    pub budget_from: Option<UnixMs>,
    /// Tries ever.
    pub attempts: u32,
    /// Tries under the current budget that failed; the pause grows with them.
    pub failures: u32,
    /// When the last try began.
    pub tried_at: UnixMs,
    /// Whether the last try has no outcome: the process died in it.
    pub is_open: bool,
    /// The outcome of the last try.
    pub outcome: Option<UndoOutcome>,
    /// Whether an earlier try removed or restored something.
    pub has_acted: bool,
    /// Whether what had the known id is gone: only another send of the same call may be there now.
    pub is_id_gone: bool,
    /// What was left for a person.
    pub orphan: Option<Orphan>,
}

impl Effect {
    /// Returns whether it is proven that nothing happened outside.
    pub fn is_effect_free(&self) -> bool {
        let is_proven = self.result.as_ref().is_some_and(|result| result.is_effect_free);
        is_proven || self.verdict == Some(Verdict::NotDone)
    }

    /// Returns whether it creates something that a late send could create again.
    pub fn is_create(&self) -> bool {
        matches!(self.intent.class, CallClass::KeyedCreate | CallClass::ProbeCreate)
    }

    /// Returns whether it publishes a name. One that lands late leads to a server that is gone, so
    /// it is looked for after the rollback like a creation.
    pub fn is_publishing(&self) -> bool {
        let plan = self.intent.undo.as_ref().filter(|plan| plan.rank == Rank::Dns);
        let wrote = plan.and_then(|plan| plan.arguments.get("wrote"));
        self.is_lasting_change() && wrote.is_some_and(|wrote| !wrote.is_null())
    }

    /// Returns whether it changes something outside that outlives the rollback: such a change can
    /// land after its undo, so it is waited out like a creation. Other changes go with what this
    /// run made, and those of this host's own books are never on their way.
    fn is_lasting_change(&self) -> bool {
        let rank = self.intent.undo.as_ref().map(|plan| plan.rank);
        self.intent.class == CallClass::Converge
            && match rank {
                None | Some(Rank::Registry | Rank::Audit) => false,
                Some(Rank::Dns) => true,
                Some(_) => self.intent.depends_on.is_empty(),
            }
    }

    /// Returns whether a send that was not answered could still change something for good.
    pub fn outlives_its_send(&self) -> bool {
        self.is_create() || self.is_lasting_change()
    }

    /// Returns whether nobody knows what became of it.
    pub fn is_unknown(&self) -> bool {
        let is_told = matches!(self.verdict, Some(Verdict::Done | Verdict::NotDone));
        self.accepted.is_none() && !is_told && !self.is_answered_ok() && !self.is_effect_free()
    }

    /// Returns the id that the outside system told.
    pub fn remote_id(&self) -> Option<&str> {
        self.accepted.as_ref().and_then(|accepted| accepted.remote_id.as_deref())
    }

    /// Returns the id that an undo goes by; without one it looks by key and labels. The latter also
    /// where more than one send may have created something.
    pub fn undo_id(&self) -> Option<&str> {
        let is_unique = self.intent.class != CallClass::ProbeCreate || !self.may_land();
        self.remote_id().filter(|_| is_unique && !self.undo.is_id_gone)
    }

    /// Returns whether a send of this creation may land after all that is known of it: one that was
    /// answered at its only send cannot; one without an answer may, and so may the first of two
    /// sends, after the second was answered and its thing deleted.
    pub fn may_land(&self) -> bool {
        let is_open = self.accepted.as_ref().is_none_or(|accepted| accepted.is_adopted);
        self.outlives_its_send() && (is_open || self.is_sent_twice)
    }

    /// Returns whether the call ended in an error.
    pub fn has_failed(&self) -> bool {
        matches!(&self.result, Some(CallResult { outcome: Outcome::Err(_), .. }))
    }

    fn is_answered_ok(&self) -> bool {
        matches!(&self.result, Some(CallResult { outcome: Outcome::Ok(_), .. }))
    }
}
