//! What the scopes cost now, as far as the journals tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::history::{Effect, History};
use crate::id::Scope;
use crate::journal::{Ending, Outcome, UndoOutcome, Verdict};
use crate::money::Eur;

/// What a scope costs a month, net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// So much.
    Known(Eur),
    /// Nobody knows what became of a call that makes or deletes something paid.
    Unknown,
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(amount) => formatter.write_str(&amount.plain()),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns what each scope costs in which something paid stands, by the journals of all its runs.
/// What another installation or a person did by hand is not in them.
pub fn of_scopes<'h>(histories: impl IntoIterator<Item = &'h History>) -> BTreeMap<Scope, Cost> {
    let (mut made, mut gone, mut unknown) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    // What a run made that was moved is paid for by whoever has the run.
    let is_here = |history: &&History| history.ending() != Some(Ending::Moved);
    for history in histories.into_iter().filter(is_here) {
        let scope = &history.created.scope;
        for effect in history.effects.values() {
            let kind = effect.intent.kind.as_deref().unwrap_or_default();
            if let Some(id) = deleted(effect) {
                let is_done = matches!(&effect.result, Some(it) if is_ok(&it.outcome));
                let list = if is_done { &mut gone } else { &mut unknown };
                list.insert((scope, kind, id));
            }
            if effect.intent.eur_per_month.is_some() && is_standing(effect) {
                made.insert((scope, kind, effect.remote_id().unwrap_or_default()), effect);
            }
        }
    }
    let mut costs = BTreeMap::new();
    for (thing, effect) in made.iter().filter(|(thing, _)| !gone.contains(*thing)) {
        let price = effect.intent.eur_per_month.as_ref().and_then(|price| price.parse().ok());
        let cost = costs.entry(thing.0.clone()).or_insert(Cost::Known(Eur::ZERO));
        *cost = match (*cost, price) {
            (Cost::Known(sum), Some(price)) if !effect.is_unknown() && !unknown.contains(thing) => {
                Cost::Known(sum + price)
            }
            _ => Cost::Unknown,
        };
    }
    costs
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
}
