//! Drives one case to its end: starts, kills, resumes, until a process ends by itself.

use std::time::Duration;

use runwrit_simulator::hetzner::Handle;
use serde_json::Value;

use super::case::{Case, Scenario};
use super::process::{Ended, Installation};

/// Processes that one case may need: kills, a cancel, and waits that park.
const PROCESSES_MAX: usize = 60;

/// Exit code of a parked run.
const PARKED: i32 = 8;

/// What became of a case.
pub struct Trace<'a> {
    /// The case.
    pub case: &'a Case,
    /// The installation, with everything it wrote.
    pub installation: Installation<'a>,
    /// The cloud, with everything it saw.
    pub cloud: Handle,
    /// The run; nothing when no process came far enough to make one.
    pub run: Option<String>,
    /// The processes, in order.
    pub processes: Vec<Ended>,
    /// Whether a cancel was accepted.
    pub is_canceled: bool,
}

impl Trace<'_> {
    /// Returns how many kills struck.
    pub fn kills(&self) -> usize {
        self.processes.iter().filter(|process| process.is_killed).count()
    }

    /// Returns the exit code of the last process.
    pub fn exit(&self) -> Option<i32> {
        self.processes.last().and_then(|process| process.code)
    }
}

/// Runs `case` to its end on a fresh installation and cloud.
pub async fn drive<'a>(case: &'a Case, installation: Installation<'a>, cloud: Handle) -> Trace<'a> {
    let processes = Vec::new();
    let mut trace = Trace { case, installation, cloud, run: None, processes, is_canceled: false };
    let mut kills = case.kills.iter().copied();
    for _ in 0..PROCESSES_MAX {
        let ended = step(&mut trace, kills.next()).await;
        let is_over = !ended.is_killed && ended.code != Some(PARKED) && trace.run_is_made(&ended);
        trace.processes.push(ended);
        if is_over && !trace.wants_cancel() {
            return trace;
        }
        // A parked run waits for milliseconds here: settle times are set that low.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{case}: {PROCESSES_MAX} processes did not bring the run to an end");
}

/// Starts the next process of a case.
async fn step(trace: &mut Trace<'_>, kill: Option<u64>) -> Ended {
    if trace.run.is_none() {
        trace.run = find_run(&trace.installation).await;
    }
    let Some(run) = trace.run.clone() else {
        return trace.installation.run(kill).await;
    };
    if trace.wants_cancel() {
        let ended = trace.installation.process(&["cancel", &run], kill).await;
        trace.is_canceled |= !ended.is_killed;
        return ended;
    }
    trace.installation.process(&["resume", &run], kill).await
}

impl Trace<'_> {
    /// Tells whether the cancel of this case is still to come: after the first kill.
    fn wants_cancel(&self) -> bool {
        self.case.scenario == Scenario::Canceled
            && !self.is_canceled
            && self.kills() > 0
            && self.run.is_some()
    }

    /// Tells whether a process that ended by itself had a run to work on.
    fn run_is_made(&self, ended: &Ended) -> bool {
        self.run.is_some() || ended.stdout.contains("\"finished\"") || ended.code != Some(0)
    }
}

/// Returns the one run of an installation, as `runs` tells.
pub async fn find_run(installation: &Installation<'_>) -> Option<String> {
    let listed = installation.process(&["runs"], None).await;
    let first = listed.stdout.lines().find(|line| line.contains("\"run\""))?;
    let row: Value = serde_json::from_str(first).ok()?;
    row["run"].as_str().map(str::to_owned)
}
