//! What to do about a promised effect whose outcome is not on record.

use std::time::Duration;

use crate::call::{CallClass, CallId};
use crate::failure::{Failure, Problem};
use crate::history::{Effect, History};
use crate::journal::{Accepted, UnixMs, Verdict};
use crate::labels::Owner;
use crate::timing::{Timing, after};

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
        // What can be looked for is looked for, whatever a person said: the id is needed.
        Some(Verdict::Done | Verdict::Kept) if effect.intent.class != CallClass::Opaque => {}
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

/// Returns whether a refusal proves that the call had no effect. At a repeated send it only says
/// something about that send: an earlier one may have landed, or land yet.
pub fn is_refusal_proof(is_repeated: bool) -> bool {
    !is_repeated
}

/// What a lookup by the exact key found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// This call of this run made it: adopt it, or delete it in an undo.
    Ours,
    /// Something else has the key: fail with a key conflict, or leave it alone in an undo.
    Foreign,
}

/// Judges a thing found under the key of a call by who made it, as its labels prove; nothing where
/// they prove nothing.
pub fn ownership(maker: Option<&Owner>, run: &str, call: CallId) -> Ownership {
    match maker.is_some_and(|maker| maker.run == run && maker.call == call) {
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
    match effect.outlives_its_send() {
        true if effect.may_land() => Backward::MayLand(after(sent_until(history, effect), settle)),
        true => Backward::Known,
        false if effect.is_unknown() && effect.intent.class == CallClass::Opaque => {
            Backward::Unknown
        }
        false => Backward::Known,
    }
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
        is_resent: false,
        note: serde_json::Value::Null,
    }
}

fn deleted(effect: &Effect) -> Failure {
    let message = format!("a person deleted {} by hand", effect.intent.subject);
    Failure::Failed(Problem::new("deleted-by-hand", message))
}

#[cfg(test)]
mod tests {
    use crate::call::Rank;
    use crate::tale::{Tale, call, intent};

    use super::*;

    fn timing() -> Timing {
        Timing { settle: Duration::from_millis(100), ..Timing::default() }
    }

    fn forward_of(tale: Tale) -> Forward {
        let history = tale.history();
        forward(&history, &history.effects[&call("0")], &timing())
    }

    #[test]
    fn each_class_recovers_in_its_own_way() {
        let open = |class| Tale::new().intent("0", class).at(50).attempt(2);
        let rows = [
            (CallClass::Converge, Forward::Resend),
            (CallClass::KeyedCreate, Forward::Resend),
            (CallClass::ProbeCreate, Forward::ProbeAt(150)),
            (CallClass::Opaque, Forward::Ask),
        ];
        for (class, expected) in rows {
            assert_eq!(forward_of(open(class)), expected, "{class:?}");
            let accepted = forward_of(Tale::new().intent("0", class).accepted("0").attempt(2));
            assert!(matches!(accepted, Forward::Complete(_)), "{class:?}: {accepted:?}");
        }
    }

    #[test]
    fn a_persons_word_decides_an_opaque_call_once() {
        let asked = || Tale::new().intent("0", CallClass::Opaque).attempt(2).asked("0");
        let done = forward_of(asked().resolved("0", Verdict::Done));
        assert!(matches!(done, Forward::Complete(_)), "{done:?}");
        let kept = forward_of(asked().resolved("0", Verdict::Kept));
        assert!(matches!(kept, Forward::Complete(_)), "{kept:?}");
        let deleted = forward_of(asked().resolved("0", Verdict::Deleted));
        assert!(matches!(deleted, Forward::Fail(_)), "{deleted:?}");
        let not_done = asked().resolved("0", Verdict::NotDone);
        assert_eq!(forward_of(not_done.clone()), Forward::SendOnce);
        // Sent again and killed again: the word was about the first send.
        assert_eq!(forward_of(not_done.woken("0").attempt(3)), Forward::Ask);
    }

    #[test]
    fn what_can_be_looked_for_is_looked_for_whatever_a_person_said() {
        for verdict in [Verdict::Done, Verdict::Kept] {
            let told = Tale::new().intent("0", CallClass::KeyedCreate).attempt(2);
            assert_eq!(forward_of(told.resolved("0", verdict)), Forward::Resend, "{verdict:?}");
        }
    }

    #[test]
    fn only_the_call_of_the_run_makes_a_thing_ours() {
        let maker = |run: &str, at: &str| {
            Some(Owner { run: run.to_owned(), call: call(at), tenant: "acme".to_owned() })
        };
        let rows = [
            ("the call", maker("a", "4.1"), Ownership::Ours),
            ("another call", maker("a", "4.2"), Ownership::Foreign),
            ("another run", maker("b", "4.1"), Ownership::Foreign),
            ("nobody", None, Ownership::Foreign),
        ];
        for (name, maker, expected) in rows {
            assert_eq!(ownership(maker.as_ref(), "a", call("4.1")), expected, "{name}");
        }
    }

    #[test]
    fn a_rollback_reckons_with_what_may_still_land() {
        use Backward::{Free, Known, MayLand, Unknown};

        let ranked = |rank| {
            let mut intent = intent(call("0"), CallClass::Converge);
            intent.undo.as_mut().unwrap().rank = rank;
            intent
        };
        let converge = |rank| Tale::new().promise(ranked(rank));
        let mut on_ours = ranked(Rank::Server);
        on_ours.depends_on = vec![call("0")];
        let of_ours = Tale::new().promise(on_ours);
        let keyed = || Tale::new().intent("0", CallClass::KeyedCreate);
        let opaque = || Tale::new().intent("0", CallClass::Opaque);
        let rows = [
            ("never answered", keyed().at(30).rollback(), MayLand(130)),
            ("known", keyed().accepted("0").ok("0").at(30).rollback(), Known),
            ("accepted only", keyed().accepted("0").at(30).rollback(), Known),
            ("refused", keyed().err("0", true).at(30).rollback(), Free),
            ("failed after all", keyed().at(20).err("0", false).rollback(), MayLand(120)),
            (
                "sent by two processes",
                keyed().at(10).attempt(2).at(20).accepted("0").at(30).rollback(),
                MayLand(120),
            ),
            ("opaque, unknown", opaque().at(30).rollback(), Unknown),
            ("opaque, answered", opaque().accepted("0").ok("0").rollback(), Known),
            (
                "opaque, said to be done",
                opaque().asked("0").resolved("0", Verdict::Done).rollback(),
                Known,
            ),
            (
                "opaque, said not to be done",
                opaque().asked("0").resolved("0", Verdict::NotDone).rollback(),
                Free,
            ),
            ("converging, never answered", converge(Rank::Server).rollback(), MayLand(100)),
            ("converging, known", converge(Rank::Server).accepted("0").rollback(), Known),
            ("converging in our books", converge(Rank::Registry).rollback(), Known),
            ("converging, gone with what we made", of_ours.rollback(), Known),
        ];
        for (name, tale, expected) in rows {
            let history = tale.history();
            let verdict = backward(&history, &history.effects[&call("0")], timing().settle);
            assert_eq!(verdict, expected, "{name}");
        }
    }

    #[test]
    fn a_look_by_mark_adopts_exactly_one() {
        let rows = [(0, Probe::Create), (1, Probe::Adopt), (2, Probe::Ambiguous)];
        for (found, expected) in rows {
            assert_eq!(probe(found), expected, "{found} found");
        }
    }
}
