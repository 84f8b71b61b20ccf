//! The table that the matrix prints, and what makes it fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Verdict;
use super::case::{Mood, Scenario};
use super::judge::Violation;

/// Boundaries that every mutating call passes on its way forward; a row that never killed at one
/// of them has tested less than it says.
pub const FORWARD: [&str; 7] = [
    "before-intent",
    "intent-committed",
    "before-send",
    "sent",
    "accepted-committed",
    "completed",
    "result-committed",
];

/// What all cases of one scenario and mood did.
#[derive(Debug)]
pub struct Row {
    /// The scenario and the mood.
    pub cell: (Scenario, Mood),
    /// Cases.
    pub cases: usize,
    /// Kills that struck, by boundary and operation.
    pub kills: BTreeMap<(String, String), usize>,
    /// Boundaries passed.
    pub passed: BTreeSet<(String, String)>,
    /// Violations, counted.
    pub violations: BTreeMap<Violation, usize>,
    /// The first few facts, for the person who mends it.
    pub facts: Vec<String>,
}

/// Facts kept of one row: enough to see a pattern.
const FACTS_MAX: usize = 8;

impl Row {
    /// Starts an empty row.
    pub fn new(cell: (Scenario, Mood)) -> Self {
        let (kills, passed) = (BTreeMap::new(), BTreeSet::new());
        Self { cell, cases: 0, kills, passed, violations: BTreeMap::new(), facts: Vec::new() }
    }

    /// Counts a finished case.
    pub fn add(&mut self, verdict: Verdict) {
        self.cases += 1;
        for place in verdict.crashes {
            *self.kills.entry(place).or_default() += 1;
        }
        self.passed.extend(verdict.passed);
        for finding in verdict.findings {
            *self.violations.entry(finding.violation).or_default() += 1;
            if self.facts.len() < FACTS_MAX {
                let place = &verdict.case;
                self.facts.push(format!("{place}: {:?}: {}", finding.violation, finding.facts));
            }
        }
    }

    /// Returns how many kills struck.
    pub fn kill_count(&self) -> usize {
        self.kills.values().sum()
    }

    fn count(&self, violation: Violation) -> usize {
        self.violations.get(&violation).copied().unwrap_or_default()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scenario, mood) = self.cell;
        write!(
            formatter,
            "{:<44} {:<18} cases {:>4}  kills {:>4}  leaks {}  doubles {}  endings {}  chains {}  \
             secrets {}",
            scenario.to_string(),
            mood.to_string(),
            self.cases,
            self.kill_count(),
            self.count(Violation::Leak),
            self.count(Violation::Double),
            self.count(Violation::Ending),
            self.count(Violation::Chain),
            self.count(Violation::Secret),
        )?;
        self.facts.iter().try_for_each(|fact| write!(formatter, "\n    {fact}"))
    }
}

/// What the whole matrix did.
#[derive(Debug, Default)]
pub struct Report {
    /// Its rows.
    pub rows: Vec<Row>,
}

impl Report {
    /// Returns how often a kill struck at each boundary of each operation.
    pub fn kills(&self) -> BTreeMap<(String, String), usize> {
        let mut sum = BTreeMap::new();
        for (place, count) in self.rows.iter().flat_map(|row| &row.kills) {
            *sum.entry(place.clone()).or_default() += count;
        }
        sum
    }

    /// Returns the boundaries that were passed but never struck.
    pub fn never_struck(&self) -> Vec<(String, String)> {
        let kills = self.kills();
        let passed: BTreeSet<_> = self.rows.iter().flat_map(|row| &row.passed).collect();
        passed.into_iter().filter(|place| !kills.contains_key(*place)).cloned().collect()
    }

    /// Returns the operations that lack a boundary of [`FORWARD`].
    pub fn lacking(&self) -> Vec<(String, &'static str)> {
        let kills = self.kills();
        let intended = |(name, _): &&(String, String)| name == "intent-committed";
        let operations: BTreeSet<_> =
            kills.keys().filter(intended).map(|(_, operation)| operation.clone()).collect();
        let mut missing = Vec::new();
        for operation in operations {
            let lacks = |name: &&str| !kills.contains_key(&((*name).to_owned(), operation.clone()));
            let names: Vec<_> = FORWARD.into_iter().filter(lacks).collect();
            missing.extend(names.into_iter().map(|name| (operation.clone(), name)));
        }
        missing
    }

    /// Returns how many violations there were.
    pub fn violations(&self) -> usize {
        self.rows.iter().flat_map(|row| row.violations.values()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "kills by boundary and operation:")?;
        for ((name, operation), count) in self.kills() {
            writeln!(formatter, "  {count:>5}  {name:<24} {operation}")?;
        }
        let cases: usize = self.rows.iter().map(|row| row.cases).sum();
        let kills: usize = self.rows.iter().map(Row::kill_count).sum();
        write!(formatter, "{cases} cases, {kills} kills, {} violations", self.violations())
    }
}
