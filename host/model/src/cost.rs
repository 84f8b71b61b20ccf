//! What the scopes cost now, as far as the journals tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hetzner::Kind;
use crate::history::{Effect, History};
use crate::id::{RunId, Scope};
use crate::journal::{Ending, Outcome, UndoOutcome, Verdict};
use crate::money::Eur;

/// Capabilities whose things cost nothing a month: sets of records, and the host's own books.
const FREE: [&str; 3] = ["dns", "registry", "audit"];
const UNKNOWN: &str = "unknown";

/// What each thing costs a month, net, by its kind and its id.
pub type Prices = BTreeMap<(String, String), Eur>;

/// What something costs a month, net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// So much.
    Known(Eur),
    /// Nobody knows what became of a call that makes or deletes something paid.
    Unknown,
}

impl Cost {
    /// Returns the first price that is told of a thing. Without one only what is known to be free
    /// is free.
    pub fn of(kind: &str, told: &[Option<&str>]) -> Self {
        let amount = told.iter().flatten().find_map(|price| price.parse().ok());
        let capability = kind.split('.').next().unwrap_or_default();
        let is_free =
            [Kind::Network, Kind::Firewall, Kind::SshKey].iter().any(|it| it.as_str() == kind)
                || FREE.contains(&capability);
        match amount {
            Some(amount) => Self::Known(amount),
            None if is_free => Self::Known(Eur::ZERO),
            None => Self::Unknown,
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(amount) => formatter.write_str(&amount.plain()),
            Self::Unknown => formatter.write_str(UNKNOWN),
        }
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            UNKNOWN => Ok(Self::Unknown),
            amount => amount.parse().map(Self::Known).map_err(serde::de::Error::custom),
        }
    }
}

/// Returns what each scope costs in which something paid stands, by the journals of all its runs.
/// What another installation or a person did by hand is not in them.
pub fn of_scopes<'h>(
    histories: impl IntoIterator<Item = &'h History> + Clone,
) -> BTreeMap<Scope, Cost> {
    let Deletions { gone, unknown } = Deletions::of(histories.clone());
    let made: BTreeMap<_, _> = histories.into_iter().flat_map(paid).collect();
    let mut costs = BTreeMap::new();
    for (thing, effect) in made.iter().filter(|(thing, _)| !gone.contains(*thing)) {
        let cost = costs.entry(thing.0.clone()).or_insert(Cost::Known(Eur::ZERO));
        *cost = match (*cost, price(effect)) {
            (Cost::Known(sum), Some(price)) if !effect.is_unknown() && !unknown.contains(thing) => {
                Cost::Known(sum + price)
            }
            _ => Cost::Unknown,
        };
    }
    costs
}

/// Returns what each run costs by which something paid was made that still stands, by the journals
/// of all runs: what a later run deleted costs nothing any more. What only may stand counts.
pub fn of_runs<'h>(
    histories: impl IntoIterator<Item = &'h History> + Clone,
) -> BTreeMap<RunId, Eur> {
    let Deletions { gone, .. } = Deletions::of(histories.clone());
    let mut costs = BTreeMap::new();
    for history in histories {
        let standing = paid(history).filter(|(thing, _)| !gone.contains(thing));
        let prices: Vec<Eur> = standing.filter_map(|(_, effect)| price(effect)).collect();
        if !prices.is_empty() {
            costs.insert(history.created.run.clone(), prices.into_iter().sum());
        }
    }
    costs
}

/// Returns what each thing costs that stands, by the journals of all runs.
pub fn of_things<'h>(histories: impl IntoIterator<Item = &'h History> + Clone) -> Prices {
    let Deletions { gone, .. } = Deletions::of(histories.clone());
    let standing = histories.into_iter().flat_map(paid).filter(|(thing, _)| !gone.contains(thing));
    let told = standing.filter_map(|((_, kind, id), effect)| {
        Some(((kind.to_owned(), id.to_owned()), price(effect)?))
    });
    told.collect()
}

/// Something that is paid for: its scope, its kind, its id.
type Thing<'h> = (&'h Scope, &'h str, &'h str);

/// What was deleted by one run or another.
#[derive(Default)]
struct Deletions<'h> {
    /// It is gone.
    gone: BTreeSet<Thing<'h>>,
    /// Nobody knows.
    unknown: BTreeSet<Thing<'h>>,
}

impl<'h> Deletions<'h> {
    fn of(histories: impl IntoIterator<Item = &'h History>) -> Self {
        let mut deletions = Self::default();
        for history in histories.into_iter().filter(|history| is_here(history)) {
            for effect in history.effects.values() {
                let Some(id) = deleted(effect) else { continue };
                let is_done = matches!(&effect.result, Some(it) if is_ok(&it.outcome));
                let list = if is_done { &mut deletions.gone } else { &mut deletions.unknown };
                list.insert((&history.created.scope, kind(effect), id));
            }
        }
        deletions
    }
}

/// What a run made that was moved is paid for by whoever has the run.
fn is_here(history: &History) -> bool {
    history.ending() != Some(Ending::Moved)
}

/// Returns what a run made that is paid for and still stands, as far as it knows itself.
fn paid(history: &History) -> impl Iterator<Item = (Thing<'_>, &Effect)> {
    let effects = history.effects.values().filter(move |_| is_here(history));
    let paid = effects.filter(|it| it.intent.eur_per_month.is_some() && is_standing(it));
    paid.map(move |effect| {
        let id = effect.remote_id().unwrap_or_default();
        ((&history.created.scope, kind(effect), id), effect)
    })
}

fn kind(effect: &Effect) -> &str {
    effect.intent.kind.as_deref().unwrap_or_default()
}

fn price(effect: &Effect) -> Option<Eur> {
    effect.intent.eur_per_month.as_ref().and_then(|price| price.parse().ok())
}

/// Tells whether what an effect made may still be there, as far as its own run knows.
pub fn is_standing(effect: &Effect) -> bool {
    let is_gone = matches!(
        effect.undo.outcome,
        Some(UndoOutcome::Done | UndoOutcome::NothingThere | UndoOutcome::NotOurs)
    );
    let is_denied = matches!(effect.verdict, Some(Verdict::Deleted | Verdict::NotDone));
    !is_gone && !is_denied && !effect.is_effect_free()
}

fn is_ok(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ok(_))
}

/// Returns the id of what an effect deletes.
fn deleted(effect: &Effect) -> Option<&str> {
    let is_delete = effect.intent.operation.ends_with(".delete") && !effect.is_effect_free();
    effect.intent.request.get("id")?.as_str().filter(|_| is_delete)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::{CallClass, Rank};
    use crate::tale::{Tale, call, intent};

    fn made() -> Tale {
        Tale::new().made("0", Rank::Server, &[]).made("1", Rank::Server, &[])
    }

    fn deleting(id: &str) -> Tale {
        let mut delete = intent(call("0"), CallClass::Converge);
        delete.operation = "test.things.delete".to_owned();
        delete.request = json!({"id": id});
        delete.eur_per_month = None;
        Tale::new().promise(delete)
    }

    fn cost(tales: &[Tale]) -> String {
        let histories: Vec<_> = tales.iter().map(Tale::history).collect();
        let costs = of_scopes(&histories);
        costs.values().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_stands_is_added_up_over_the_runs_of_a_scope() {
        let undone = || made().rollback().undone("0").undone("1");
        let rows = [
            ("nothing", vec![Tale::new()], ""),
            ("two things", vec![made()], "3"),
            ("the same by two runs", vec![made(), made()], "3"),
            (
                "one deleted by a later run",
                vec![made(), deleting("id-0").accepted("0").ok("0")],
                "1.5",
            ),
            ("a deletion without an end", vec![made(), deleting("id-0")], "unknown"),
            ("a deletion that failed", vec![made(), deleting("id-0").err("0", true)], "3"),
            ("all undone", vec![undone()], ""),
            ("one undone", vec![made().rollback().undone("0")], "1.5"),
            ("an open creation", vec![made().intent("2", CallClass::KeyedCreate)], "unknown"),
            ("one that a person denied", vec![made().resolved("0", Verdict::Deleted)], "1.5"),
        ];
        for (row, tales, expected) in rows {
            assert_eq!(cost(&tales), expected, "{row}");
        }
    }

    #[test]
    fn a_run_costs_what_it_made_and_no_run_deleted() {
        let gone = || deleting("id-0").accepted("0").ok("0");
        let both = || vec![gone(), deleting("id-1").accepted("0").ok("0")];
        let with = |tale: Tale, others: Vec<Tale>| [vec![tale], others].concat();
        let rows = [
            ("nothing", vec![Tale::new()], None),
            ("two things", vec![made()], Some("3")),
            ("succeeded", vec![made().finished(Ending::Succeeded)], Some("3")),
            ("held", vec![made().finished(Ending::Held)], Some("3")),
            ("one deleted", with(made().finished(Ending::Succeeded), vec![gone()]), Some("1.5")),
            ("both deleted", with(made().finished(Ending::Succeeded), both()), None),
            ("held, then both deleted", with(made().finished(Ending::Held), both()), None),
            (
                "stuck, then both deleted",
                with(made().rollback().finished(Ending::RollbackIncomplete), both()),
                None,
            ),
            ("a deletion without an end", with(made(), vec![deleting("id-0")]), Some("3")),
            (
                "a deletion that failed",
                with(made(), vec![deleting("id-0").err("0", true)]),
                Some("3"),
            ),
            ("one undone", vec![made().rollback().undone("0")], Some("1.5")),
            ("moved away", vec![made().finished(Ending::Moved)], None),
        ];
        for (row, tales, expected) in rows {
            let mut histories: Vec<_> = tales.iter().map(Tale::history).collect();
            for (place, history) in histories.iter_mut().enumerate() {
                history.created.run = RunId::new(place as u64, [1; 10]);
            }
            let cost = of_runs(&histories).get(&RunId::new(0, [1; 10])).copied();
            assert_eq!(cost.map(|cost| cost.plain()).as_deref(), expected, "{row}");
        }
    }
}
