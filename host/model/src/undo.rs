//! Which undos a run owes, in which order, and when each is tried.
//!
//! Everything derives from the journal, so a rollback goes on after a crash where it stood.

mod remains;

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

pub use remains::{LateSweep, is_late_look_wanted, lasting, late_sweeps, left};

/// Tries before an undo counts as blocked by what was left for a person.
const HELD_FAILURES_MAX: u32 = 3;

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
        let mut trail = stood_for(history, *call);
        while let Some(call) = trail.pop() {
            let Some(effect) = history.effects.get(&call) else { continue };
            for earlier in needs(history, effect).into_iter().filter(|earlier| *earlier < call) {
                if blocked.insert(earlier) {
                    trail.push(earlier);
                }
            }
        }
    }
    blocked
}

/// Returns the calls that must stand until the undo of one is over: those that its request named,
/// and for a name every server made before it, since nobody can tell which of them it leads to.
fn needs(history: &History, effect: &Effect) -> Vec<CallId> {
    let mut needs = effect.intent.depends_on.clone();
    if rank(effect) == Rank::Dns && !is_broken("names-outlive-servers") {
        let servers = history.effects.iter().filter(|(_, other)| rank(other) == Rank::Server);
        needs.extend(servers.map(|(call, _)| *call));
    }
    needs
}

/// Returns the calls that the undo of one stands for: itself, or a whole batch where the runbook
/// replaced its undo.
fn stood_for(history: &History, call: CallId) -> Vec<CallId> {
    let refined = history.refinements.get(&call.index);
    match refined.is_some_and(|refined| refined.replacement.is_some()) {
        true => history.effects.keys().copied().filter(|item| item.index == call.index).collect(),
        false => vec![call],
    }
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
    is_unknown || !plans(history, effect).is_empty()
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
    let note = |outcome| UndoStep::Note(undo_result(call, outcome));
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
    } else if let Some((name, why)) = leading_name(history, effect) {
        let error = format!("`{name}` may lead to it and {why}");
        UndoStep::Note(Record::UndoQuarantined(orphan(effect, &error)))
    } else {
        UndoStep::Act(UndoAct { call, attempt: effect.undo.attempts + 1, plans })
    }
}

/// Returns a name that is left for a person, or stays, and may lead to this server, with why it
/// stands: an address that is given back belongs to a stranger, and the name must not lead there.
fn leading_name<'a>(history: &'a History, effect: &Effect) -> Option<(&'a str, &'static str)> {
    let call = effect.intent.call;
    let is_server = rank(effect) == Rank::Server;
    let names = history.effects.values().filter(|it| is_server && rank(it) == Rank::Dns);
    let mut leading =
        names.filter(|name| name.intent.call > call && needs(history, name).contains(&call));
    leading.find_map(|name| {
        let why = match state(history, name) {
            State::Left => "could not be taken back",
            State::Over if is_kept_name(history, name) => "is kept",
            State::Over | State::Due(_) => return None,
        };
        Some((name.intent.subject.as_str(), why))
    })
}

/// Returns whether a name stays because somebody said so: a person, or the runbook.
fn is_kept_name(history: &History, name: &Effect) -> bool {
    let refined = history.refinements.get(&name.intent.call.index);
    let is_kept = match name.verdict {
        Some(Verdict::Deleted | Verdict::NotDone) => false,
        Some(Verdict::Kept) => true,
        Some(Verdict::Done) | None => refined.is_some_and(|refined| refined.is_kept),
    };
    // Where a name was taken away, that is what is kept.
    let wrote = name.intent.undo.as_ref().and_then(|plan| plan.arguments.get("wrote"));
    is_kept && !name.is_effect_free() && !wrote.is_some_and(|wrote| wrote.is_null())
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
    let result = |outcome| undo_result(call, outcome);
    match tried {
        Tried::Never(error) => Record::UndoQuarantined(orphan(effect, error)),
        Tried::Later(error) if is_held_in_use(history, effect) => {
            Record::UndoQuarantined(orphan(effect, error))
        }
        Tried::Later(error) => later(effect, error, now, timing),
        // What we made must not pass for somebody else's because its labels were edited.
        Tried::NotOurs if effect.undo_id().is_some() => {
            let error = "it stands there without our labels: somebody changed them";
            Record::UndoQuarantined(orphan(effect, error))
        }
        Tried::NotOurs | Tried::Done | Tried::Absent => match settles_at(history, effect, timing) {
            Some(at) if effect.undo.tried_at < at => {
                let (outcome, has_acted) = (UndoOutcome::Settling(at), *tried == Tried::Done);
                Record::UndoResult(UndoResult { call, outcome, has_acted })
            }
            _ if *tried == Tried::NotOurs => result(UndoOutcome::NotOurs),
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
    effect.accepted.is_some() || effect.undo.has_acted
}

/// What is left for a person keeps in use what it hangs on. To wait out the whole budget for that
/// would only keep the person waiting; a few tries tell it from what passes by itself.
fn is_held_in_use(history: &History, effect: &Effect) -> bool {
    let call = effect.intent.call;
    let mut dependents =
        history.effects.values().filter(|other| other.intent.depends_on.contains(&call));
    effect.undo.failures >= HELD_FAILURES_MAX
        && dependents.any(|other| state(history, other) == State::Left)
}

fn later(effect: &Effect, error: &str, now: UnixMs, timing: &Timing) -> Record {
    let call = effect.intent.call;
    let ends_at = after(effect.undo.budget_from.unwrap_or(now), timing.undo_budget);
    if now >= ends_at {
        return Record::UndoQuarantined(orphan(effect, error));
    }
    // One last try at the very end of the budget.
    let at = after(now, pause(call, effect.undo.failures, timing)).min(ends_at);
    undo_result(call, UndoOutcome::Retry(at, error.to_owned()))
}

fn undo_result(call: CallId, outcome: UndoOutcome) -> Record {
    Record::UndoResult(UndoResult { call, outcome, has_acted: false })
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

#[cfg(test)]
mod tests {
    use crate::call::CallClass;
    use crate::journal::Refinement;
    use crate::tale::{Tale, call, intent};

    use super::*;

    fn timing() -> Timing {
        Timing {
            settle: Duration::from_millis(100),
            undo_backoff_min: Duration::from_millis(100),
            undo_backoff_max: Duration::from_millis(1_000),
            undo_budget: Duration::from_millis(5_000),
            sweeps: vec![Duration::from_millis(900)],
        }
    }

    fn next_of(tale: &Tale, now: UnixMs) -> UndoStep {
        next_undo(&tale.history(), now, &timing())
    }

    /// Undoes all at time `now`, each at the first try; returns the order.
    fn order(mut tale: Tale, now: UnixMs) -> Vec<String> {
        let mut order = Vec::new();
        tale = tale.at(now);
        for _ in 0..99 {
            match next_of(&tale, now) {
                UndoStep::Act(act) => {
                    order.push(act.call.to_string());
                    tale = tale.undone(&act.call.to_string());
                }
                UndoStep::Note(record) => {
                    order.push(format!("note {}", noted(&record)));
                    tale = tale.then(record);
                }
                UndoStep::WaitUntil(at) => {
                    order.push(format!("wait {at}"));
                    return order;
                }
                UndoStep::Finished { is_incomplete } => {
                    order.push(if is_incomplete { "incomplete" } else { "clean" }.to_owned());
                    return order;
                }
            }
        }
        panic!("no end: {order:?}");
    }

    fn noted(record: &Record) -> String {
        match record {
            Record::UndoResult(result) => format!("{} {:?}", result.call, result.outcome),
            Record::UndoQuarantined(orphan) => format!("{} quarantined", orphan.call),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_is_gone_before_the_servers_that_it_may_lead_to() {
        use crate::breakable::with_broken;

        let tenant = || {
            Tale::new()
                .made("0", Rank::Network, &[])
                .made("1", Rank::Server, &["0"])
                .made("2", Rank::Volume, &[])
                .made("3", Rank::Dns, &[])
                .made("4", Rank::Server, &[])
                .rollback()
        };
        assert_eq!(order(tenant(), 500), ["3", "4", "1", "0", "2", "clean"]);
        let waiting = || {
            let error = Tried::Later("locked".to_owned());
            let record = |tale: &Tale| judge(&tale.history(), call("3"), &error, 500, &timing());
            let tale = tenant().at(500);
            let record = record(&tale);
            tale.then(record)
        };
        // The name is tried again later: only what was made after it goes on meanwhile.
        let held = order(waiting(), 500);
        assert_eq!(held[..2], ["4", "2"], "{held:?}");
        assert!(held[2].starts_with("wait"), "{held:?}");
        let free = with_broken("names-outlive-servers", || order(waiting(), 500));
        assert!(free.contains(&"1".to_owned()), "{free:?}");
    }

    #[test]
    fn undos_run_by_dependency_then_rank_then_latest_first() {
        let tenant = Tale::new()
            .made("0", Rank::Registry, &[])
            .made("1", Rank::Network, &[])
            .made("2", Rank::Firewall, &[])
            .made("3.0", Rank::Server, &["1", "2"])
            .made("3.1", Rank::Server, &["1", "2"])
            .made("4", Rank::Volume, &[])
            .made("5", Rank::Server, &["3.1", "4"])
            .made("6", Rank::Audit, &[])
            .rollback();
        let expected = ["5", "3.1", "3.0", "2", "1", "4", "0", "6", "clean"];
        assert_eq!(order(tenant, 0), expected);
        let rows = [
            (
                "latest first",
                Tale::new().made("0", Rank::Server, &[]).made("1", Rank::Server, &[]),
                vec!["1", "0", "clean"],
            ),
            (
                "rank before age",
                Tale::new().made("0", Rank::Dns, &[]).made("1", Rank::Volume, &[]),
                vec!["0", "1", "clean"],
            ),
            (
                "dependency before rank",
                Tale::new().made("0", Rank::Dns, &[]).made("1", Rank::Volume, &["0"]),
                vec!["1", "0", "clean"],
            ),
            (
                "dependency through a call without an undo",
                Tale::new()
                    .made("0", Rank::Dns, &[])
                    .promise(without_undo("1", "0"))
                    .accepted("1")
                    .ok("1")
                    .made("2", Rank::Volume, &["1"]),
                vec!["2", "0", "clean"],
            ),
        ];
        for (name, tale, expected) in rows {
            assert_eq!(order(tale.rollback(), 0), expected, "{name}");
        }
    }

    fn without_undo(id: &str, need: &str) -> crate::journal::Intent {
        let mut intent = intent(call(id), CallClass::Converge);
        intent.undo = None;
        intent.depends_on = vec![call(need)];
        intent
    }

    #[test]
    fn every_intent_not_proven_free_is_undone() {
        let one = || Tale::new().create("0", Rank::Server, &[]);
        let opaque = || {
            Tale::new().promise(crate::journal::Intent {
                undo: None,
                ..intent(call("0"), CallClass::Opaque)
            })
        };
        let plan = intent(call("0"), CallClass::Opaque).undo.unwrap();
        let rows = [
            ("refused before any effect", one().err("0", true), vec!["clean"]),
            ("failed after an effect", one().accepted("0").err("0", false), vec!["0", "clean"]),
            ("unknown", one(), vec!["0", "clean"]),
            ("accepted, unanswered", one().accepted("0"), vec!["0", "clean"]),
            (
                "kept",
                one().accepted("0").ok("0").refined("1", Refinement::Keep(0)),
                vec!["note 0 Kept", "clean"],
            ),
            (
                "holding data",
                one()
                    .accepted("0")
                    .ok("0")
                    .refined("1", Refinement::HoldsData(0, "orders".to_owned())),
                vec!["note 0 Held(\"orders\")", "incomplete"],
            ),
            (
                "replaced",
                one()
                    .accepted("0")
                    .ok("0")
                    .refined("1", Refinement::UndoWith(0, vec![plan.clone()])),
                vec!["0", "clean"],
            ),
            (
                "replaced by nothing",
                one().accepted("0").ok("0").refined("1", Refinement::UndoWith(0, vec![])),
                vec!["clean"],
            ),
            (
                "opaque, unknown, without an undo",
                opaque(),
                vec!["note 0 quarantined", "incomplete"],
            ),
            ("opaque, answered, without an undo", opaque().accepted("0").ok("0"), vec!["clean"]),
            (
                "opaque, unknown, with an undo of the runbook",
                opaque().refined("1", Refinement::UndoWith(0, vec![plan])),
                vec!["0", "clean"],
            ),
            ("said to be deleted", one().resolved("0", Verdict::Deleted), vec!["clean"]),
            ("said to be kept", one().resolved("0", Verdict::Kept), vec!["clean"]),
            ("said not to be done", one().resolved("0", Verdict::NotDone), vec!["clean"]),
            ("said to be done", one().resolved("0", Verdict::Done), vec!["0", "clean"]),
        ];
        for (name, tale, expected) in rows {
            assert_eq!(order(tale.rollback(), 0), expected, "{name}");
        }
    }

    #[test]
    fn a_replaced_undo_stands_for_the_whole_batch() {
        let plan = |operation: &str| UndoPlan {
            operation: operation.to_owned(),
            arguments: BTreeMap::new(),
            rank: Rank::Server,
        };
        let plans = vec![plan("test.things.stop"), plan("test.things.delete")];
        let tale = Tale::new()
            .create("0.0", Rank::Server, &[])
            .create("0.1", Rank::Server, &[])
            .create("0.2", Rank::Server, &[])
            .err("0.0", true)
            .accepted("0.1")
            .accepted("0.2")
            .refined("1", Refinement::UndoWith(0, plans.clone()))
            .rollback();
        let act = UndoAct { call: call("0.1"), attempt: 1, plans };
        assert_eq!(next_of(&tale, 0), UndoStep::Act(act));
        assert_eq!(order(tale, 0), ["0.1", "clean"]);
    }

    fn judged(tale: &Tale, id: &str, tried: Tried, now: UnixMs) -> Record {
        judge(&tale.history(), call(id), &tried, now, &timing())
    }

    fn outcome(record: Record) -> UndoOutcome {
        match record {
            Record::UndoResult(result) => result.outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_creation_is_looked_for_again_when_it_can_no_longer_land() {
        let tale = Tale::new().create("0", Rank::Server, &[]).at(50).rollback();
        let first = tale.clone().at(60).undo_intent("0", 1);
        for tried in [Tried::Absent, Tried::Done, Tried::NotOurs] {
            // Even after it was deleted: another send may be on its way.
            let settling = outcome(judged(&first, "0", tried.clone(), 65));
            assert_eq!(settling, UndoOutcome::Settling(150), "{tried:?}");
        }
        let settling = first.at(65).undo_result("0", UndoOutcome::Settling(150));
        assert_eq!(next_of(&settling, 100), UndoStep::WaitUntil(150));
        assert!(matches!(next_of(&settling, 150), UndoStep::Act(UndoAct { attempt: 2, .. })));
        let second = settling.at(150).undo_intent("0", 2);
        assert_eq!(outcome(judged(&second, "0", Tried::Absent, 151)), UndoOutcome::NothingThere);
        // A look that began too early proves nothing, however late it ended.
        let slow = tale.clone().at(149).undo_intent("0", 1);
        assert_eq!(outcome(judged(&slow, "0", Tried::Absent, 500)), UndoOutcome::Settling(150));
        let broken = crate::breakable::with_broken("no-settle", || {
            outcome(judged(&slow, "0", Tried::Absent, 150))
        });
        assert_eq!(broken, UndoOutcome::NothingThere);
    }

    #[test]
    fn what_may_land_is_swept_for_later() {
        let tale = Tale::new().create("0", Rank::Server, &[]).made("1", Rank::Server, &[]);
        let tale = tale.at(50).rollback().undone("0").undone("1");
        let sweeps = late_sweeps(&tale.history(), 1_000, &timing());
        assert_eq!(sweeps.len(), 1, "{sweeps:?}");
        assert_eq!((sweeps[0].call, sweeps[0].at), (call("0"), 1_900));
        assert_eq!(sweeps[0].key.as_deref(), Some("thing-0"));
        assert!(!sweeps[0].labels.is_empty());
    }

    #[test]
    fn what_cannot_be_reverted_and_what_is_kept_lasts() {
        let deletion = |id: &str| crate::journal::Intent {
            undo: None,
            ..intent(call(id), CallClass::Converge)
        };
        let rows = [
            ("made", Tale::new().made("0", Rank::Server, &[]).rollback().undone("0"), false),
            ("deleted", Tale::new().promise(deletion("0")).accepted("0").ok("0").rollback(), true),
            ("refused", Tale::new().promise(deletion("0")).err("0", true).rollback(), false),
            (
                "kept",
                Tale::new()
                    .made("0", Rank::Server, &[])
                    .refined("1", Refinement::Keep(0))
                    .rollback()
                    .undo_result("0", UndoOutcome::Kept),
                true,
            ),
            (
                "without its undo, on the runbook's word",
                Tale::new()
                    .made("0", Rank::Server, &[])
                    .refined("1", Refinement::UndoWith(0, vec![]))
                    .rollback(),
                true,
            ),
        ];
        for (name, tale, lasts) in rows {
            assert_eq!(lasting(&tale.history()) == [call("0")], lasts, "{name}");
        }
    }

    #[test]
    fn nothing_that_was_kept_or_replaced_is_swept_later() {
        let one = || Tale::new().create("0", Rank::Server, &[]).at(50);
        let refined = |it| one().refined("1", it).rollback();
        let kept = UndoOutcome::Kept;
        let rows = [
            ("swept", one().rollback().undone("0"), 1),
            ("kept", refined(Refinement::Keep(0)).undo_result("0", kept), 0),
            ("replaced", refined(Refinement::UndoWith(0, vec![])), 0),
            ("said to be kept", one().rollback().resolved("0", Verdict::Kept), 0),
            ("said to be deleted", one().rollback().resolved("0", Verdict::Deleted), 1),
        ];
        for (name, tale, count) in rows {
            let sweeps = late_sweeps(&tale.history(), 1_000, &timing());
            assert_eq!(sweeps.len(), count, "{name}: {sweeps:?}");
        }
    }

    #[test]
    fn a_published_name_is_looked_for_later_and_no_other_change() {
        let change = |rank, wrote: serde_json::Value| {
            let mut intent = intent(call("0"), CallClass::Converge);
            let plan = intent.undo.as_mut().unwrap();
            plan.rank = rank;
            plan.arguments.insert("wrote".to_owned(), wrote);
            let tale = Tale::new().promise(intent).at(50).rollback().undone("0");
            late_sweeps(&tale.history(), 1_000, &timing()).len()
        };
        assert_eq!(change(Rank::Dns, "192.0.2.1".into()), 1);
        assert_eq!(change(Rank::Dns, serde_json::Value::Null), 0, "a removal puts nothing there");
        assert_eq!(change(Rank::Server, "on".into()), 0);
    }

    #[test]
    fn servers_stay_while_a_name_that_may_lead_to_them_is_left() {
        let tale = Tale::new()
            .made("0", Rank::Server, &[])
            .made("1", Rank::Volume, &[])
            .made("2", Rank::Dns, &[])
            .made("3", Rank::Server, &[])
            .at(10)
            .rollback()
            .undo_intent("2", 1);
        let left = judged(&tale, "2", Tried::Never("protected".to_owned()), 11);
        let left = order(tale.then(left), 500);
        assert_eq!(left, ["3", "note 0 quarantined", "1", "incomplete"]);
    }

    #[test]
    fn servers_stay_while_a_name_that_may_lead_to_them_is_kept() {
        let made = || Tale::new().made("0", Rank::Server, &[]).made("1", Rank::Dns, &[]);
        let by_person = |verdict| made().at(10).rollback().resolved("1", verdict);
        let by_runbook = made().refined("2", Refinement::Keep(1)).at(10).rollback();
        let taken_away = || {
            let mut intent = intent(call("1"), CallClass::Converge);
            let plan = intent.undo.as_mut().unwrap();
            plan.rank = Rank::Dns;
            plan.arguments.insert("wrote".to_owned(), serde_json::Value::Null);
            Tale::new().made("0", Rank::Server, &[]).promise(intent)
        };
        let held = ["note 0 quarantined", "incomplete"];
        let rows = [
            ("a person keeps it", by_person(Verdict::Kept), held.to_vec()),
            ("it is gone, they say", by_person(Verdict::Deleted), vec!["0", "clean"]),
            (
                "the runbook keeps it",
                by_runbook,
                vec!["note 1 Kept", "note 0 quarantined", "incomplete"],
            ),
            (
                "it was kept away",
                taken_away().at(10).rollback().resolved("1", Verdict::Kept),
                vec!["0", "clean"],
            ),
            (
                "it never came to be",
                Tale::new()
                    .made("0", Rank::Server, &[])
                    .create("1", Rank::Dns, &[])
                    .err("1", true)
                    .at(10)
                    .rollback()
                    .resolved("1", Verdict::Kept),
                vec!["0", "clean"],
            ),
        ];
        for (name, tale, expected) in rows {
            assert_eq!(order(tale, 500), expected, "{name}");
        }
        let tale = by_person(Verdict::Kept);
        let UndoStep::Note(Record::UndoQuarantined(told)) = next_of(&tale, 500) else {
            panic!("{:?}", next_of(&tale, 500));
        };
        assert!(told.error.ends_with("may lead to it and is kept"), "{}", told.error);
    }

    #[test]
    fn a_removal_before_a_second_look_is_told() {
        let tale = Tale::new().create("0", Rank::Server, &[]).at(50).rollback();
        let first = tale.at(60).undo_intent("0", 1);
        let settling = judged(&first, "0", Tried::Done, 65);
        let second = first.then(settling).at(150).undo_intent("0", 2);
        assert_eq!(outcome(judged(&second, "0", Tried::Absent, 151)), UndoOutcome::Done);
    }

    #[test]
    fn what_is_kept_in_use_by_something_left_is_soon_left_as_well() {
        let tale = Tale::new().made("0", Rank::Network, &[]).made("1", Rank::Server, &["0"]);
        let tale = tale.at(10).rollback().undo_intent("1", 1);
        let refused = judged(&tale, "1", Tried::Never("protected".to_owned()), 11);
        let mut tale = tale.then(refused);
        for attempt in 1..=HELD_FAILURES_MAX {
            tale = tale.undo_intent("0", attempt);
            let record = judged(&tale, "0", Tried::Later("in use".to_owned()), 11);
            assert!(matches!(outcome(record.clone()), UndoOutcome::Retry(..)), "try {attempt}");
            tale = tale.then(record);
        }
        let tale = tale.undo_intent("0", HELD_FAILURES_MAX + 1);
        let record = judged(&tale, "0", Tried::Later("in use".to_owned()), 12);
        assert!(matches!(record, Record::UndoQuarantined(_)), "{record:?}");
    }

    #[test]
    fn a_try_is_judged_by_what_it_found() {
        let known = Tale::new().made("0", Rank::Server, &[]).at(10).rollback().undo_intent("0", 1);
        assert_eq!(outcome(judged(&known, "0", Tried::Done, 11)), UndoOutcome::Done);
        assert_eq!(outcome(judged(&known, "0", Tried::Absent, 11)), UndoOutcome::Done);
        let foreign = judged(&known, "0", Tried::NotOurs, 11);
        assert!(matches!(foreign, Record::UndoQuarantined(_)), "ours, but relabeled: {foreign:?}");
        let unknown = Tale::new().create("0", Rank::Server, &[]).rollback().undo_intent("0", 1);
        // Ours may land beside what is not ours, or after somebody took that away.
        let early = outcome(judged(&unknown, "0", Tried::NotOurs, 11));
        assert_eq!(early, UndoOutcome::Settling(100));
        let unknown = unknown.undo_result("0", early).at(100).undo_intent("0", 2);
        assert_eq!(outcome(judged(&unknown, "0", Tried::NotOurs, 101)), UndoOutcome::NotOurs);
        let Record::UndoQuarantined(orphan) = judged(&known, "0", Tried::Never("no".into()), 11)
        else {
            panic!("a hopeless undo was not put to a person");
        };
        assert_eq!((orphan.name.as_str(), orphan.remote_id.as_deref()), ("thing-0", Some("id-0")));
        assert_eq!((orphan.eur_per_month.as_deref(), orphan.error.as_str()), (Some("1.5"), "no"));
    }

    #[test]
    fn a_failing_undo_pauses_longer_each_time_and_is_left_when_its_budget_is_spent() {
        let mut tale = Tale::new().made("0", Rank::Server, &[]).rollback();
        let (mut now, mut pauses) = (0, Vec::new());
        let orphan = loop {
            let UndoStep::Act(act) = next_of(&tale, now) else { panic!("it is due") };
            tale = tale.at(now).undo_intent("0", act.attempt);
            match judged(&tale, "0", Tried::Later("locked".into()), now) {
                Record::UndoQuarantined(orphan) => break orphan,
                record => {
                    let UndoOutcome::Retry(at, _) = outcome(record.clone()) else {
                        panic!("{record:?}")
                    };
                    pauses.push(at - now);
                    tale = tale.then(record);
                    assert_eq!(next_of(&tale, now), UndoStep::WaitUntil(at));
                    now = at;
                }
            }
        };
        assert_eq!((now, orphan.error.as_str()), (5_000, "locked"), "the last try ends the budget");
        for (place, full) in [100, 200, 400, 800, 1_000, 1_000].into_iter().enumerate() {
            let pause = pauses[place];
            assert!(pause * 4 >= full * 3 && pause <= full, "pause {place} is {pause}: {pauses:?}");
        }
    }

    #[test]
    fn others_go_on_while_one_waits_and_after_one_is_left() {
        let tale = || {
            Tale::new()
                .made("0", Rank::Network, &[])
                .made("1", Rank::Server, &["0"])
                .made("2", Rank::Volume, &[])
                .made("3", Rank::Registry, &[])
                .rollback()
                .undo_intent("1", 1)
        };
        let waiting = tale().undo_result("1", UndoOutcome::Retry(70, "locked".to_owned()));
        // The network waits for its server, the registry for everything, the volume for nobody.
        assert_eq!(order(waiting, 0), ["2", "wait 70"]);
        let orphan = orphan(&tale().history().effects[&call("1")], "forbidden");
        let left = tale().then(Record::UndoQuarantined(orphan));
        assert_eq!(order(left, 0), ["0", "2", "3", "incomplete"]);
    }

    #[test]
    fn a_new_rollback_tries_what_was_left_with_a_fresh_budget() {
        let tale = Tale::new().made("0", Rank::Server, &[]).rollback().undo_intent("0", 1);
        let history = tale.history();
        let orphan = orphan(&history.effects[&call("0")], "locked");
        let left = tale.then(Record::UndoQuarantined(orphan));
        assert_eq!(next_of(&left, 9), UndoStep::Finished { is_incomplete: true });
        assert_eq!(super::left(&left.history()).len(), 1);
        let again = left.at(50_000).rollback();
        assert!(matches!(next_of(&again, 50_000), UndoStep::Act(UndoAct { attempt: 2, .. })));
        let tried = again.undo_intent("0", 2);
        let record = judged(&tried, "0", Tried::Later("locked".into()), 50_000);
        assert!(matches!(outcome(record), UndoOutcome::Retry(at, _) if at <= 50_100));
    }

    #[test]
    fn a_try_that_the_process_died_in_is_repeated_at_once() {
        let tale = Tale::new().made("0", Rank::Server, &[]).rollback().undo_intent("0", 1);
        let again = tale.at(5).attempt(2);
        assert!(matches!(next_of(&again, 5), UndoStep::Act(UndoAct { attempt: 2, .. })));
    }
}
