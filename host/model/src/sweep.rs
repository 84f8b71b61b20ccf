//! What stands outside under labels of this host: judged by the journals of one store.
//!
//! Only a journal proves that a thing should be gone. What a store does not know may be the pride
//! of another one, or of this one before it was lost, so it is told and never touched.

use std::collections::BTreeMap;
use std::fmt;

use crate::call::CallId;
use crate::claim;
use crate::history::{Effect, History};
use crate::id::RunId;
use crate::journal::{Ending, UndoOutcome, Verdict, World};
use crate::labels::{self, Foreign, HostKey};
use crate::money::Eur;

/// A thing that carries labels of this host, as one look saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// For example `hetzner.server`.
    pub kind: String,
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was created, as the outside system writes it.
    pub since: Option<String>,
    /// Net EUR per month; zero where it is free, nothing where the price is not known.
    pub eur_per_month: Option<Eur>,
}

/// A run of this store, as far as a sweep asks.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its journal.
    pub history: &'a History,
    /// Whether it goes on by itself: a process works on it, or it waits for a time.
    pub goes_on: bool,
}

/// What a store holds under the short name of a run.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// The run.
    Known(Known<'a>),
    /// A run whose journal cannot be read.
    Damaged,
    /// Nothing.
    Nothing,
}

/// What a sweep makes of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is where a journal wants it.
    InPlace,
    /// It is left over.
    Left(Left),
}

/// A leftover, and what its labels prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Why.
    pub cause: Cause,
    /// The run and the call, where a journal of this store has them.
    pub made_by: Option<(RunId, CallId)>,
}

/// Why a thing counts as left over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its run was rolled back, or its own undo is done: it landed late.
    Undone,
    /// Nobody counts on it: its call failed and its run went on without it, or a person said that
    /// it does not exist any more, or never did.
    Abandoned,
    /// Its undo needs a person.
    Stuck,
    /// Its run failed and keeps everything for a person.
    Held,
    /// Its run stands still until a person resumes it, rolls it back or answers.
    Unfinished,
    /// Its run made another thing by the same call.
    Double,
    /// The journal of its run holds no such promise.
    Unpromised,
    /// Its run acted in another project.
    OtherWorld,
    /// Its run was moved to another state directory, which answers for it.
    Moved,
    /// It is the claim of this installation on a scope in which nothing stands any more.
    Idle,
    /// The labels are true, but the journal of its run cannot be read.
    Unreadable,
    /// The labels are true, but this store has no such run.
    UnknownRun,
    /// Another installation made it, or this one before its state directory was lost.
    OtherInstallation(String),
    /// Its labels are incomplete.
    Incomplete(String),
    /// The proof is wrong: somebody typed or changed a label, or renamed the thing.
    Forged,
}

impl Cause {
    /// Returns whether a journal of this store proves that the thing should be gone.
    pub fn is_proven(&self) -> bool {
        matches!(self, Self::Undone | Self::Abandoned | Self::Idle)
    }

    /// Returns one word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Undone => "undone",
            Self::Abandoned => "abandoned",
            Self::Stuck => "stuck",
            Self::Held => "held",
            Self::Unfinished => "unfinished",
            Self::Double => "double",
            Self::Unpromised => "unpromised",
            Self::OtherWorld => "other-world",
            Self::Moved => "moved",
            Self::Idle => "idle",
            Self::Unreadable => "unreadable",
            Self::UnknownRun => "unknown-run",
            Self::OtherInstallation(_) => "other-installation",
            Self::Incomplete(_) => "incomplete",
            Self::Forged => "forged",
        }
    }

    /// Returns whether this installation answers for the thing: a person must look.
    pub fn is_ours(&self) -> bool {
        !matches!(self, Self::OtherInstallation(_) | Self::Moved)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Undone => "its run was rolled back, and it landed late",
            Self::Abandoned => "its call failed, or a person said that it does not exist",
            Self::Stuck => "its undo needs a person",
            Self::Held => "its run failed and keeps it for a person",
            Self::Unfinished => "its run stands still",
            Self::Double => "its run made another one by the same call",
            Self::Unpromised => "the journal of its run does not promise it",
            Self::OtherWorld => "its run acted in another project",
            Self::Moved => "its run was moved to another state directory",
            Self::Idle => "nothing stands in its scope any more",
            Self::Unreadable => "the journal of its run cannot be read",
            Self::UnknownRun => "this store does not know its run",
            Self::OtherInstallation(by) => {
                return write!(formatter, "the installation `{by}` made it, not this one");
            }
            Self::Incomplete(label) => {
                return write!(formatter, "its label `{label}` is missing or malformed");
            }
            Self::Forged => "its labels are forged: the HMAC is wrong",
        };
        formatter.write_str(text)
    }
}

/// Judges a thing that was seen in `world`; nothing where the project carries no marker. `find`
/// returns the run of this store with a short name.
pub fn judge<'a>(
    key: &HostKey,
    sighting: &Sighting,
    world: Option<&World>,
    find: impl FnOnce(&str) -> Found<'a>,
) -> Judgement {
    let left = |cause| Judgement::Left(Left { cause, made_by: None });
    let owner = match key.verify(&sighting.labels, &sighting.kind, &sighting.name) {
        Ok(owner) => owner,
        Err(Foreign::OtherInstallation(by)) => return left(Cause::OtherInstallation(by)),
        Err(Foreign::Incomplete(label)) => return left(Cause::Incomplete(label.to_owned())),
        Err(Foreign::Unlabelled) => return left(Cause::Incomplete(labels::BY.to_owned())),
        Err(Foreign::Forged) => return left(Cause::Forged),
    };
    let known = match find(&owner.run) {
        Found::Known(known) => known,
        Found::Damaged => return left(Cause::Unreadable),
        Found::Nothing => return left(Cause::UnknownRun),
    };
    let made_by = Some((known.history.created.run.clone(), owner.call));
    match cause(&known, owner.call, sighting, world) {
        Some(cause) => Judgement::Left(Left { cause, made_by }),
        None => Judgement::InPlace,
    }
}

/// Returns the tenant that a thing claims, when it is a claim on a scope.
pub fn claimed(sighting: &Sighting) -> Option<&str> {
    let is_claim = sighting.labels.contains_key(claim::EPOCH);
    sighting.name.strip_prefix(claim::PREFIX).filter(|_| is_claim)
}

/// Judges the claim on the scope of `tenant`. `is_wanted` says whether anything stands there or a
/// run of this store works on it.
pub fn judge_claim(key: &HostKey, sighting: &Sighting, tenant: &str, is_wanted: bool) -> Judgement {
    let cause = match claim::verify(key, &sighting.labels, tenant) {
        Ok(_) | Err(Foreign::OtherInstallation(_)) if is_wanted => return Judgement::InPlace,
        Ok(_) => Cause::Idle,
        Err(Foreign::OtherInstallation(by)) => Cause::OtherInstallation(by),
        Err(Foreign::Incomplete(label)) => Cause::Incomplete(label.to_owned()),
        Err(Foreign::Unlabelled) => Cause::Incomplete(labels::BY.to_owned()),
        Err(Foreign::Forged) => Cause::Forged,
    };
    Judgement::Left(Left { cause, made_by: None })
}

fn cause(
    known: &Known<'_>,
    call: CallId,
    sighting: &Sighting,
    world: Option<&World>,
) -> Option<Cause> {
    let capability = sighting.kind.split('.').next().unwrap_or_default();
    let bound = known.history.created.worlds.get(capability);
    let is_there = bound.zip(world).is_some_and(|(bound, world)| is_same_place(bound, world));
    if !is_there {
        return Some(Cause::OtherWorld);
    }
    // It goes on elsewhere, where its journal may promise more than is known here.
    if known.history.ending() == Some(Ending::Moved) {
        return Some(Cause::Moved);
    }
    let Some(effect) = known.history.effects.get(&call) else { return Some(Cause::Unpromised) };
    match known.history.ending() {
        None if known.goes_on => None,
        None => Some(Cause::Unfinished),
        Some(Ending::Succeeded) => {
            doubled(effect, &sighting.id).or_else(|| failed(known.history, effect))
        }
        Some(Ending::Held | Ending::Nondeterministic) => Some(Cause::Held),
        Some(Ending::Moved) => Some(Cause::Moved),
        Some(Ending::RolledBack | Ending::FailedClean | Ending::RollbackIncomplete) => {
            undone(effect)
        }
    }
}

/// Two credentials may open the same project, so their names do not count.
fn is_same_place(one: &World, other: &World) -> bool {
    !one.marker.is_empty() && one.marker == other.marker && one.endpoint == other.endpoint
}

fn doubled(effect: &Effect, id: &str) -> Option<Cause> {
    let is_kept = effect.verdict == Some(Verdict::Kept);
    let is_another = effect.remote_id().is_some_and(|known| known != id);
    (is_another && !is_kept).then_some(Cause::Double)
}

/// Tells a creation that failed in a run that succeeded: the outside refused it after it had made
/// the thing, or what made it ready failed, and the runbook went on without it.
fn failed(history: &History, effect: &Effect) -> Option<Cause> {
    match effect.verdict {
        // A person counts on it.
        Some(Verdict::Kept | Verdict::Done) => return None,
        Some(Verdict::Deleted | Verdict::NotDone) => return Some(Cause::Abandoned),
        None => {}
    }
    let call = effect.intent.call;
    // An adoption changes what somebody else made, and is none.
    let has_failed = effect.is_create() && effect.has_failed();
    let mut later = history.effects.values().filter(|other| !other.is_effect_free());
    let is_used = later.any(|other| other.intent.depends_on.contains(&call));
    let refined = history.refinements.get(&call.index).cloned().unwrap_or_default();
    match has_failed && !is_used && !refined.is_kept {
        // It was refused, so nothing should be there, and no journal proves that something may go.
        true if effect.is_effect_free() => Some(Cause::Unpromised),
        true if refined.data.is_some() || refined.replacement.is_some() => Some(Cause::Stuck),
        true => Some(Cause::Abandoned),
        false => None,
    }
}

/// Says what became of the undo of one call of a run that went back.
fn undone(effect: &Effect) -> Option<Cause> {
    match effect.verdict {
        Some(Verdict::Kept) => return None,
        Some(Verdict::Deleted | Verdict::NotDone) => return Some(Cause::Abandoned),
        Some(Verdict::Done) | None => {}
    }
    if effect.undo.orphan.is_some() {
        return Some(Cause::Stuck);
    }
    match &effect.undo.outcome {
        Some(UndoOutcome::Kept) => None,
        Some(UndoOutcome::Held(_)) => Some(Cause::Stuck),
        Some(UndoOutcome::Done | UndoOutcome::NothingThere | UndoOutcome::NotOurs) => {
            Some(Cause::Undone)
        }
        Some(UndoOutcome::Settling(_) | UndoOutcome::Retry(..)) => Some(Cause::Stuck),
        // It was refused, so nothing should be there; nobody undid it either.
        None => Some(Cause::Unpromised),
    }
}

#[cfg(test)]
mod tests {
    use crate::call::Rank;
    use crate::id::Scope;
    use crate::journal::{Created, Refinement};
    use crate::labels::Thing;
    use crate::tale::{Tale, call, created};

    use super::*;

    const KIND: &str = "hetzner.server";
    const NAME: &str = "acme-db";

    fn key() -> HostKey {
        HostKey::from_bytes([7; 32])
    }

    fn world(marker: &str) -> World {
        World {
            credential: "hetzner".to_owned(),
            endpoint: "https://example.org".to_owned(),
            marker: marker.to_owned(),
        }
    }

    fn run() -> Created {
        Created { worlds: [("hetzner".to_owned(), world("1:a"))].into(), ..created() }
    }

    fn seen(of: &str) -> Sighting {
        let thing = Thing { kind: KIND, name: NAME };
        let made = key().ownership(&Scope::tenant("acme"), &run().run, call(of), thing);
        Sighting {
            kind: KIND.to_owned(),
            id: "9".to_owned(),
            name: NAME.to_owned(),
            labels: key().labels_for(&made),
            since: None,
            eur_per_month: None,
        }
    }

    fn made() -> Tale {
        Tale::of(run()).made("0", Rank::Server, &[])
    }

    fn told(tale: Tale, goes_on: bool, sighting: &Sighting, marker: &str) -> String {
        let history = tale.history();
        let find = |short: &str| {
            let is_it = short == history.created.run.short();
            let known = Known { history: &history, goes_on };
            if is_it { Found::Known(known) } else { Found::Nothing }
        };
        match judge(&key(), sighting, Some(&world(marker)), find) {
            Judgement::InPlace => "in place".to_owned(),
            Judgement::Left(Left { cause, .. }) => {
                let proven = if cause.is_proven() { " (proven)" } else { "" };
                format!("{cause:?}{proven}")
            }
        }
    }

    #[test]
    fn the_journal_says_what_should_be_gone() {
        let gone = || made().rollback().undone("0");
        let ended = |tale: Tale, ending| tale.finished(ending);
        let rows = [
            ("at work", made(), true, "in place"),
            ("killed", made(), false, "Unfinished"),
            ("succeeded", ended(made(), Ending::Succeeded), false, "Double"),
            ("held", ended(made(), Ending::Held), false, "Held"),
            ("moved", ended(made(), Ending::Moved), false, "Moved"),
            ("astray", ended(made(), Ending::Nondeterministic), false, "Held"),
            ("going back", gone(), true, "in place"),
            ("gone", ended(gone(), Ending::RolledBack), false, "Undone (proven)"),
            (
                "gone, but not all of it",
                ended(gone(), Ending::RollbackIncomplete),
                false,
                "Undone (proven)",
            ),
            (
                "kept on purpose",
                ended(
                    made()
                        .refined("1", Refinement::Keep(0))
                        .rollback()
                        .undo_result("0", UndoOutcome::Kept),
                    Ending::RolledBack,
                ),
                false,
                "in place",
            ),
            (
                "with data",
                ended(
                    made().rollback().undo_result("0", UndoOutcome::Held("a database".into())),
                    Ending::RollbackIncomplete,
                ),
                false,
                "Stuck",
            ),
            (
                "said to be deleted",
                ended(made().rollback().resolved("0", Verdict::Deleted), Ending::RolledBack),
                false,
                "Abandoned (proven)",
            ),
            (
                "said to be kept",
                ended(made().rollback().resolved("0", Verdict::Kept), Ending::RolledBack),
                false,
                "in place",
            ),
            ("never undone", ended(made(), Ending::FailedClean), false, "Unpromised"),
        ];
        for (name, tale, goes_on, expected) in rows {
            assert_eq!(told(tale, goes_on, &seen("0"), "1:a"), expected, "{name}");
        }
    }

    #[test]
    fn what_a_run_that_succeeded_could_not_make_is_not_in_place() {
        let promised = || Tale::of(run()).create("0", Rank::Server, &[]);
        let refused = || promised().err("0", false);
        let unready = || promised().accepted("0").err("0", false);
        let kept = |tale: Tale, refinement| tale.refined("1", refinement);
        let held = Refinement::HoldsData(0, "orders".to_owned());
        let replaced = Refinement::UndoWith(0, Vec::new());
        let user = |tale: Tale| tale.made("1", Rank::Volume, &["0"]);
        let rows = [
            ("refused after it was made", refused(), "Abandoned (proven)"),
            ("never ready", unready(), "Abandoned (proven)"),
            ("refused for good, and yet it stands", promised().err("0", true), "Unpromised"),
            ("kept by the runbook", kept(unready(), Refinement::Keep(0)), "in place"),
            ("with data", kept(unready(), held), "Stuck"),
            ("the runbook knows how to undo it", kept(unready(), replaced), "Stuck"),
            ("a later call used it", user(unready()), "in place"),
            ("kept by a person", unready().resolved("0", Verdict::Kept), "in place"),
            ("done, as a person says", unready().resolved("0", Verdict::Done), "in place"),
            ("gone, they say", unready().resolved("0", Verdict::Deleted), "Abandoned (proven)"),
            (
                "adopted, not made",
                Tale::of(run()).intent("0", crate::call::CallClass::Converge).err("0", false),
                "in place",
            ),
        ];
        for (name, tale, expected) in rows {
            let mut thing = seen("0");
            thing.id = "id-0".to_owned();
            let tale = tale.finished(Ending::Succeeded);
            assert_eq!(told(tale, false, &thing, "1:a"), expected, "{name}");
        }
        let other = told(unready().finished(Ending::Succeeded), false, &seen("0"), "1:a");
        assert_eq!(other, "Double", "another one than the call was answered with");
    }

    #[test]
    fn what_a_run_that_succeeded_made_is_in_place() {
        let mut thing = seen("0");
        thing.id = "id-0".to_owned();
        assert_eq!(told(made().finished(Ending::Succeeded), false, &thing, "1:a"), "in place");
    }

    #[test]
    fn what_no_journal_proves_is_never_proven() {
        let back = || made().rollback().undone("0").finished(Ending::RolledBack);
        let relabelled = |key: &str, value: &str| {
            let mut thing = seen("0");
            thing.labels.insert(key.to_owned(), value.to_owned());
            thing
        };
        let mut stripped = seen("0");
        stripped.labels.remove(labels::MAC);
        let mut bare = seen("0");
        bare.labels.retain(|key, _| key == labels::RUN);
        let mut renamed = seen("0");
        renamed.name = "acme-web".to_owned();
        let rows = [
            ("as it was made", seen("0"), "1:a", "Undone (proven)"),
            ("in another project", seen("0"), "2:b", "OtherWorld"),
            ("without a marker", seen("0"), "", "OtherWorld"),
            ("by a call that never was", seen("5"), "1:a", "Unpromised"),
            ("another run typed on it", relabelled(labels::RUN, "aaaaaaaaaaaa"), "1:a", "Forged"),
            ("another call typed on it", relabelled(labels::CALL, "3"), "1:a", "Forged"),
            ("no proof", stripped, "1:a", "Incomplete(\"runwrit/mac\")"),
            ("nearly no label", bare, "1:a", "Incomplete(\"runwrit/call\")"),
            ("renamed", renamed, "1:a", "Forged"),
            (
                "of another installation",
                relabelled(labels::BY, "other"),
                "1:a",
                "OtherInstallation(\"other\")",
            ),
        ];
        for (name, sighting, marker, expected) in rows {
            assert_eq!(told(back(), false, &sighting, marker), expected, "{name}");
        }
        let rows = [(Found::Nothing, Cause::UnknownRun), (Found::Damaged, Cause::Unreadable)];
        for (found, cause) in rows {
            let judged = judge(&key(), &seen("0"), Some(&world("1:a")), |_| found);
            assert!(cause.is_ours() && !cause.is_proven(), "{cause:?}");
            assert_eq!(judged, Judgement::Left(Left { cause, made_by: None }), "{found:?}");
        }
    }
}
