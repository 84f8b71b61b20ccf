//! What a runbook calls, by the journal of a run that nothing disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use runwrit_model::journal::{Entry, Record};

/// Capabilities that keep the host's own books.
const INSIDE: [&str; 2] = ["registry.", "audit."];

/// The n-th call of an operation in a run, counted from one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nth {
    /// The operation.
    pub operation: String,
    /// Which call of it.
    pub nth: usize,
}

/// Every call of a runbook.
#[derive(Debug, Default)]
pub struct Calls {
    reads: Vec<Nth>,
    effects: Vec<Nth>,
    undos: BTreeSet<String>,
}

impl Calls {
    /// Reads a journal.
    pub fn of(journal: &[Entry]) -> Self {
        let mut calls = Self::default();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut count = |operation: &String| {
            let nth = counts.entry(operation.clone()).or_default();
            *nth += 1;
            Nth { operation: operation.clone(), nth: *nth }
        };
        for entry in journal {
            match &entry.record {
                Record::Observed(observed) => calls.reads.push(count(&observed.operation)),
                Record::Intent(intent) => {
                    calls.effects.push(count(&intent.operation));
                    calls.undos.extend(intent.undo.iter().map(|plan| plan.operation.clone()));
                }
                _ => {}
            }
        }
        calls
    }

    /// Makes calls up: what reads, and what changes something with what reverts it.
    #[cfg(test)]
    pub fn made_up(reads: &[&str], effects: &[(&str, &str)]) -> Self {
        let first = |operation: &str| Nth { operation: operation.to_owned(), nth: 1 };
        Self {
            reads: reads.iter().copied().map(first).collect(),
            effects: effects.iter().map(|(effect, _)| first(effect)).collect(),
            undos: effects.iter().map(|(_, undo)| (*undo).to_owned()).collect(),
        }
    }

    /// Returns the reads.
    pub fn reads(&self) -> impl Iterator<Item = Nth> {
        self.reads.iter().cloned()
    }

    /// Returns the effects on the host's own books, which no cloud can refuse.
    pub fn effects_inside(&self) -> impl Iterator<Item = Nth> {
        let is_inside = |call: &&Nth| INSIDE.iter().any(|book| call.operation.starts_with(book));
        self.effects.iter().filter(is_inside).cloned()
    }

    /// Returns how many effects the cloud can refuse.
    pub fn count_outside(&self) -> usize {
        self.effects.len() - self.effects_inside().count()
    }

    /// Returns the operations that may change something.
    pub fn effects(&self) -> BTreeSet<String> {
        self.effects.iter().map(|call| call.operation.clone()).collect()
    }

    /// Returns the operations that read.
    pub fn observations(&self) -> BTreeSet<String> {
        self.reads.iter().map(|call| call.operation.clone()).collect()
    }

    /// Returns the operations that revert.
    pub fn undos(&self) -> BTreeSet<String> {
        self.undos.clone()
    }
}

impl fmt::Display for Nth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.operation, self.nth)
    }
}
