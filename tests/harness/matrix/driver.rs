//! Drives one case to its end: starts, kills, resumes, until a process ends by itself.

use std::time::Duration;

use runwrit_simulator::hetzner::Handle;

use super::case::{Case, Scenario};
use super::cloud;
use super::process::{Ended, Installation};
use super::template;

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
    /// Runs and requests that were there before the run under test.
    before: Before,
}

#[derive(Default)]
struct Before {
    runs: usize,
    requests: usize,
}

impl Trace<'_> {
    /// Returns how many kills struck.
    pub fn kills(&self) -> usize {
        self.processes.iter().filter(|process| process.is_killed).count()
    }

    /// Tells whether any process has decided to roll back, so that no later one may stop half-way.
    pub fn has_turned_back(&self) -> bool {
        self.installation.boundaries().iter().any(|passed| passed.name == "rollback-committed")
    }

    /// Returns the exit code of the last process.
    pub fn exit(&self) -> Option<i32> {
        self.processes.last().and_then(|process| process.code)
    }

    /// Returns how many requests the run sent, but for looks at running actions: how many of those
    /// there are depends on how fast the actions end.
    pub fn requests(&self) -> usize {
        let ledger = self.cloud.desk().ledger();
        let sent = ledger.iter().skip(self.before.requests);
        sent.filter(|entry| entry.path != "/actions").count()
    }
}

/// Runs `case` to its end on a fresh installation and cloud.
pub async fn drive<'a>(case: &'a Case, installation: Installation<'a>, cloud: Handle) -> Trace<'a> {
    let before = prepare(case, &installation, &cloud).await;
    cloud::disturb(&cloud, case);
    let processes = Vec::new();
    let (run, is_canceled) = (None, false);
    let mut trace = Trace { case, installation, cloud, run, processes, is_canceled, before };
    let mut kills = case.kills.iter().copied();
    for _ in 0..PROCESSES_MAX {
        let ended = step(&mut trace, kills.next()).await;
        cloud::drain(&trace.cloud).await;
        let is_over = !ended.is_killed && ended.code != Some(PARKED) && trace.run_is_made(&ended);
        trace.processes.push(ended);
        if is_over && !trace.wants_cancel() {
            trace.find_run().await;
            return trace;
        }
        // A parked run waits for milliseconds here: settle times are set that low.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let text = format!("{PROCESSES_MAX} processes did not bring the run to an end");
    trace.processes.push(Ended::lost(text));
    trace
}

/// Makes what the run under test finds: a tenant, where it is to remove one.
async fn prepare(case: &Case, installation: &Installation<'_>, cloud: &Handle) -> Before {
    if case.scenario != Scenario::Deprovision {
        return Before::default();
    }
    let ended = installation.prepare().await;
    assert_eq!(ended.code, Some(0), "{case}: a tenant is provisioned first: {}", ended.stderr);
    cloud::drain(cloud).await;
    Before { runs: 1, requests: cloud.desk().ledger().len() }
}

/// Starts the next process of a case.
async fn step(trace: &mut Trace<'_>, kill: Option<u64>) -> Ended {
    trace.find_run().await;
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

    /// Looks for the run under test, once a process may have made it.
    async fn find_run(&mut self) {
        let state = self.installation.state();
        if self.run.is_some() || self.processes.is_empty() {
            return;
        }
        let store = template::open(&state).await.expect("no process works on the store");
        let runs = store.runs().await.expect("a store that a process left can be read");
        if runs.len() > self.before.runs {
            self.run = runs.first().map(|row| row.run.to_string());
        }
    }
}
