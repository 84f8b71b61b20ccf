//! The table that the matrix prints, and what makes it fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Verdict;
use super::calls::Calls;
use super::case::{Mood, REFUSED, SPARED, Scenario};
use super::driver;
use super::judge::{Finding, Violation};

/// Boundaries that every call passes which may change something; a matrix that never killed at one
/// of them has tested less than it says.
const EFFECT: &[&str] = &[
    "before-intent",
    "intent-committed",
    "before-send",
    "sent",
    "accepted-noted",
    "completed",
    "result-noted",
];
/// Boundaries of every call that reads.
const READ: &[&str] = &["before-observed", "observed-noted"];
/// Boundaries of every undo.
const UNDO: &[&str] =
    &["before-undo-intent", "undo-intent-committed", "undone", "undo-result-committed"];
/// Boundaries of the run itself.
const RUN: &[&str] = &[
    "created",
    "attempt-committed",
    "before-rollback",
    "rollback-committed",
    "before-finish",
    "finish-committed",
];

/// What one kill may cost in requests, but for looks at running actions: the next process looks at
/// the marker of the project, and each of three calls in flight is looked for by name, sent again,
/// looked at for running actions and read back, twice where the cloud also loses the answer.
const REQUESTS_PER_KILL: usize = 1 + 3 * 8;
/// What a rollback costs that the case without a kill did not need: a cancel comes with the kill.
/// Each of six things is looked at, freed, deleted and looked for; some are also waited for.
const REQUESTS_PER_ROLLBACK: usize = 6 * 8;
/// How much two equal runs differ: which server of a batch is refused decides what the others do,
/// and how soon something lets go of a firewall decides how often its undo looks again.
const REQUESTS_SPREAD: usize = 16;

/// What all cases of one scenario and mood did.
#[derive(Debug)]
pub struct Row {
    /// The scenario and the mood.
    pub cell: (Scenario, Mood),
    /// Requests of the case that nobody killed.
    pub requests: usize,
    /// Most requests beyond those.
    pub requests_more: usize,
    /// Cases.
    pub cases: usize,
    /// The last boundary that belongs to a call of a run that was killed there: after it everything
    /// is made, and nothing is over.
    pub last_call: u64,
    /// Where a process was killed that took a parked run up and had just sent what nobody can undo.
    pub in_doubt: Option<u64>,
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
    /// Starts an empty row, whose case without a kill sends so many requests.
    pub fn new(cell: (Scenario, Mood), requests: usize) -> Self {
        Self {
            cell,
            requests,
            requests_more: 0,
            cases: 0,
            last_call: 1,
            in_doubt: None,
            kills: BTreeMap::new(),
            passed: BTreeSet::new(),
            violations: BTreeMap::new(),
            facts: Vec::new(),
        }
    }

    /// Counts a finished case.
    pub fn add(&mut self, verdict: Verdict) {
        self.cases += 1;
        let wasted = self.judge_requests(&verdict);
        for finding in verdict.findings.into_iter().chain(wasted) {
            *self.violations.entry(finding.violation).or_default() += 1;
            if self.facts.len() < FACTS_MAX {
                let place = &verdict.case;
                self.facts.push(format!("{place}: {:?}: {}", finding.violation, finding.facts));
            }
        }
        if let ([kill], [(_, operation)]) = (&verdict.case.kills[..], &verdict.crashes[..])
            && operation != "run"
        {
            self.last_call = self.last_call.max(*kill);
        }
        if let ([SPARED, kill], [(name, operation)]) =
            (&verdict.case.kills[..], &verdict.crashes[..])
            && (name.as_str(), operation.as_str()) == ("sent", driver::SENT)
        {
            self.in_doubt = Some(*kill);
        }
        for place in verdict.crashes {
            *self.kills.entry(place).or_default() += 1;
        }
        self.passed.extend(verdict.passed);
    }

    /// A kill may cost a few requests, not a second run.
    fn judge_requests(&mut self, verdict: &Verdict) -> Option<Finding> {
        let kills = verdict.strikes;
        let is_cancel = matches!(self.cell.0, Scenario::Canceled | Scenario::CanceledAlive);
        let is_canceled = is_cancel && kills > 0;
        let rollback = if is_canceled { REQUESTS_PER_ROLLBACK } else { 0 };
        let most = self.requests + REQUESTS_SPREAD + kills * REQUESTS_PER_KILL + rollback;
        let sent = verdict.requests;
        self.requests_more = self.requests_more.max(sent.saturating_sub(self.requests));
        let facts = format!("{sent} requests, at most {most} after {kills} kills");
        (sent > most).then_some(Finding { violation: Violation::Requests, facts })
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
        let (scenario, mood) = &self.cell;
        write!(
            formatter,
            "{:<44} {:<18} cases {:>4}  kills {:>4}  leaks {}  doubles {}  endings {}  chains {}  \
             secrets {}  wasteful {} (+{} of {} requests)",
            scenario.to_string(),
            mood.to_string(),
            self.cases,
            self.kill_count(),
            self.count(Violation::Leak),
            self.count(Violation::Double),
            self.count(Violation::Ending),
            self.count(Violation::Chain),
            self.count(Violation::Secret),
            self.count(Violation::Requests),
            self.requests_more,
            self.requests,
        )?;
        self.facts.iter().try_for_each(|fact| write!(formatter, "\n    {fact}"))
    }
}

/// What the whole matrix did.
#[derive(Debug, Default)]
pub struct Report {
    /// Its rows.
    pub rows: Vec<Row>,
    /// What `provision-tenant` calls.
    pub calls: Calls,
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

    /// Returns the operations that lack a boundary: no kill ever struck there. Operations are those
    /// of an undisturbed run, their undos, and whatever else was struck somewhere.
    pub fn lacking(&self) -> Vec<(String, &'static str)> {
        let kills = self.kills();
        let struck = |boundary: &str| -> BTreeSet<String> {
            let places = kills.keys().filter(|(name, _)| name == boundary);
            places.map(|(_, operation)| operation.clone()).collect()
        };
        let (calls, run) = (&self.calls, BTreeSet::from(["run".to_owned()]));
        let owed = [
            (&calls.effects() | &struck("intent-committed"), EFFECT),
            (&calls.observations() | &struck("observed-noted"), READ),
            (&calls.undos() | &struck("undo-intent-committed"), UNDO),
            (run, RUN),
        ];
        let mut missing = Vec::new();
        for (operations, names) in owed {
            for operation in operations {
                let lacks =
                    |name: &&&str| !kills.contains_key(&(name.to_string(), operation.clone()));
                missing.extend(names.iter().filter(lacks).map(|name| (operation.clone(), *name)));
            }
        }
        missing
    }

    /// Tells how many effects on the cloud no scenario lets fail.
    pub fn never_refused(&self) -> usize {
        self.calls.count_outside().saturating_sub(REFUSED.len())
    }

    /// Tells whether nothing is amiss.
    pub fn is_clean(&self) -> bool {
        let is_struck = self.lacking().is_empty() && self.never_struck().is_empty();
        self.violations() == 0 && is_struck && self.never_refused() == 0
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
        for (operation, name) in self.lacking() {
            writeln!(formatter, "lacking: no kill at `{name}` of {operation}")?;
        }
        for (name, operation) in self.never_struck() {
            writeln!(formatter, "lacking: passed, but no kill at `{name}` of {operation}")?;
        }
        if self.never_refused() > 0 {
            writeln!(formatter, "lacking: {} calls that never fail", self.never_refused())?;
        }
        write!(formatter, "{cases} cases, {kills} kills, {} violations", self.violations())
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::Nth;
    use super::super::case::Case;
    use super::*;

    const MADE: &str = "hetzner.networks.create";
    const READS: &str = "hetzner.networks.get";
    const UNMADE: &str = "hetzner.networks.delete";

    fn place(name: &str, operation: &str) -> (String, String) {
        (name.to_owned(), operation.to_owned())
    }

    fn places() -> Vec<(String, String)> {
        let groups = [(EFFECT, MADE), (READ, READS), (UNDO, UNMADE), (RUN, "run")];
        let all = groups.map(|(names, operation)| {
            names.iter().map(|name| place(name, operation)).collect::<Vec<_>>()
        });
        all.concat()
    }

    fn verdict(crashes: Vec<(String, String)>, requests: usize) -> Verdict {
        let case = Case::new(Scenario::Success, Mood::Normal);
        let passed = crashes.iter().cloned().collect();
        let strikes = crashes.len();
        Verdict { case, crashes, strikes, passed, requests, findings: Vec::new() }
    }

    /// A report of a run that makes one network, killed once at each of these places.
    fn report(crashes: &[(String, String)]) -> Report {
        let mut row = Row::new((Scenario::Success, Mood::Normal), 10);
        row.add(verdict(Vec::new(), 10));
        crashes.iter().for_each(|place| row.add(verdict(vec![place.clone()], 10)));
        Report { rows: vec![row], calls: Calls::made_up(&[READS], &[(MADE, UNMADE)]) }
    }

    #[test]
    fn a_matrix_that_struck_everywhere_is_clean() {
        assert!(report(&places()).is_clean(), "{}", report(&places()));
    }

    #[test]
    fn every_boundary_that_no_kill_struck_is_missed_on_the_way_back_too() {
        let all = places();
        for spared in 0..all.len() {
            let mut struck = all.clone();
            let (name, operation) = struck.remove(spared);
            let report = report(&struck);
            let lacking = report.lacking();
            assert!(!report.is_clean(), "without {name} of {operation}");
            assert_eq!(lacking.len(), 1, "without {name} of {operation}: {lacking:?}");
            assert_eq!((lacking[0].1, &lacking[0].0), (name.as_str(), &operation));
        }
    }

    #[test]
    fn operations_of_other_runbooks_owe_all_their_boundaries_once_one_was_struck() {
        let mut struck = places();
        struck.push(place("intent-committed", "hetzner.servers.delete"));
        struck.push(place("undo-intent-committed", "hetzner.volumes.attach"));
        let lacking = report(&struck).lacking();
        assert_eq!(lacking.len(), EFFECT.len() - 1 + UNDO.len() - 1, "{lacking:?}");
    }

    #[test]
    fn a_boundary_that_was_only_passed_is_missed() {
        let mut report = report(&places());
        report.rows[0].passed.insert(place("woken", "run.clock.sleep"));
        assert_eq!(report.never_struck(), [place("woken", "run.clock.sleep")]);
        assert!(!report.is_clean());
    }

    #[test]
    fn an_effect_on_the_cloud_that_never_fails_is_missed() {
        let many = [(MADE, UNMADE); REFUSED.len() + 1];
        let mut report = report(&places());
        report.calls = Calls::made_up(&[READS], &many);
        assert_eq!(report.never_refused(), 1);
        assert!(!report.is_clean());
    }

    #[test]
    fn a_kill_that_costs_a_second_run_is_a_violation() {
        let at = || vec![place("sent", MADE)];
        let most = 10 + REQUESTS_SPREAD + REQUESTS_PER_KILL;
        let rows = [
            ("as many", Scenario::Success, 10, 0),
            ("a few more", Scenario::Success, most, 0),
            ("too many", Scenario::Success, most + 1, 1),
            ("a cancel", Scenario::Canceled, most + REQUESTS_PER_ROLLBACK, 0),
            ("a loop", Scenario::Canceled, most + REQUESTS_PER_ROLLBACK + 1, 1),
            ("a read", Scenario::FailsInside(read()), most + 1, 1),
        ];
        for (name, scenario, requests, expected) in rows {
            let mut row = Row::new((scenario, Mood::Normal), 10);
            row.add(verdict(at(), requests));
            assert_eq!(row.count(Violation::Requests), expected, "{name}: {row}");
        }
    }

    fn read() -> Nth {
        Nth { operation: READS.to_owned(), nth: 1 }
    }

    #[test]
    fn violations_are_counted_and_told_with_their_facts() {
        let mut found = verdict(vec![place("sent", MADE)], 10);
        let facts = "alive 1 network".to_owned();
        found.findings.push(Finding { violation: Violation::Leak, facts });
        let mut report = report(&places());
        report.rows[0].add(found);
        assert_eq!(report.violations(), 1);
        assert!(!report.is_clean());
        let row = report.rows[0].to_string();
        assert!(row.contains("leaks 1") && row.contains("alive 1 network"), "{row}");
    }
}
