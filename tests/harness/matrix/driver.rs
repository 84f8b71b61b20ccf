//! Drives one case to its end: starts, kills, resumes, until a process ends by itself.

use std::time::Duration;

use runwrit_model::journal::Record;
use runwrit_simulator::hetzner::Handle;
use tokio::time::timeout;

use super::case::{Case, SPARED, Scenario};
use super::cloud;
use super::process::{self, Ended, Installation};
use super::template;

/// Processes that one case may need: kills, a cancel, and waits that park.
const PROCESSES_MAX: usize = 60;

/// What nobody can undo, and nobody but the hook can tell the outcome of.
pub const SENT: &str = "http.requests.send";

/// Exit code of a parked run.
pub const PARKED: i32 = 8;

/// How much later somebody comes back to a parked run: later than any wait of the long haul.
const LATER: Duration = Duration::from_secs(3_600);

/// How long a stopped process is left alone: it may have been stopped while one of its threads
/// writes, and whoever cancels it then waits for that.
const STOPPED_MAX: Duration = Duration::from_millis(500);

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
    /// How much later than it is processes believe to live.
    later: Duration,
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
    let (run, is_canceled, later) = (None, false, Duration::ZERO);
    let mut trace = Trace { case, installation, cloud, run, processes, is_canceled, later, before };
    let mut kills = case.kills.iter().copied();
    for _ in 0..PROCESSES_MAX {
        let Step { ended, is_work } =
            step(&mut trace, kills.next().filter(|kill| *kill != SPARED)).await;
        cloud::drain(&trace.cloud).await;
        let is_over = !ended.is_killed && ended.code != Some(PARKED) && trace.run_is_made(&ended);
        trace.processes.push(ended);
        if is_work && is_over && !trace.wants_cancel() {
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

/// What a process of a case did.
struct Step {
    ended: Ended,
    /// Whether it worked on the run, and did not only answer for a call.
    is_work: bool,
}

/// Starts the next process of a case.
async fn step(trace: &mut Trace<'_>, kill: Option<u64>) -> Step {
    let work = |ended| Step { ended, is_work: true };
    trace.find_run().await;
    let Some(run) = trace.run.clone() else {
        return work(match kill {
            Some(stop) if trace.case.scenario == Scenario::CanceledAlive => {
                run_and_cancel(trace, stop).await
            }
            kill => trace.installation.run(kill).await,
        });
    };
    if trace.wants_cancel() {
        let ended = trace.installation.process(&["cancel", &run], kill).await;
        trace.is_canceled |= !ended.is_killed;
        return work(ended);
    }
    if trace.exit() == Some(PARKED) && matches!(trace.case.scenario, Scenario::LongHaul(_)) {
        if let Some(call) = trace.unanswered(&run).await {
            return Step { ended: answer(trace, &run, &call, kill).await, is_work: false };
        }
        // Whoever comes back an hour later finds that everything has landed.
        cloud::let_land(&trace.cloud, trace.case.late_by);
        trace.later += LATER;
    }
    work(trace.installation.process_at(&["resume", &run], kill, trace.later).await)
}

/// Answers for a call whose outcome nobody but the hook knows.
async fn answer(trace: &Trace<'_>, run: &str, call: &str, kill: Option<u64>) -> Ended {
    let verdict = if trace.installation.sent() > 0 { "done" } else { "not-done" };
    let words = ["resolve", run, call, "--as", verdict, "--reason", "the hook says so"];
    trace.installation.process_at(&words, kill, trace.later).await
}

/// Starts the run, stops its process at a boundary, cancels the run, and lets the process go on.
async fn run_and_cancel(trace: &mut Trace<'_>, stop: u64) -> Ended {
    let process = trace.installation.spawn_stopping(stop);
    let id = process.id().expect("nobody has waited for it");
    if process::is_stopped(id).await {
        // Opening the store may wait for the stopped process, too.
        let asked = timeout(STOPPED_MAX, trace.cancel_made_run()).await;
        process::go_on(id);
        if asked.is_err() {
            trace.cancel_made_run().await;
        }
    }
    let output = process.wait_with_output().await;
    Ended::from(output.expect("the process was started here"))
}

impl Trace<'_> {
    /// Cancels the run under test, where there is one by now.
    async fn cancel_made_run(&mut self) {
        self.look_for_run().await;
        if let Some(run) = self.run.clone() {
            let ended = self.installation.process(&["cancel", &run], None).await;
            self.is_canceled |= ended.code == Some(0);
        }
    }

    /// Returns the call that was sent and has no outcome on record, and that nobody answered for.
    async fn unanswered(&self, run: &str) -> Option<String> {
        let store = template::open(&self.installation.state()).await.expect("nobody works on it");
        let run = run.parse().expect("an id");
        let journal = store.journal(&run).await.expect("a store that a process left can be read");
        let records = || journal.iter().map(|entry| &entry.record);
        let call = records().find_map(|record| match record {
            Record::Intent(intent) if intent.operation == SENT => Some(intent.call),
            _ => None,
        })?;
        let is_known = records().any(|record| match record {
            Record::Result(result) => result.call == call,
            Record::Resolved(word) => word.call == call,
            _ => false,
        });
        (!is_known).then(|| call.to_string())
    }

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
        if self.run.is_none() && !self.processes.is_empty() {
            self.look_for_run().await;
        }
    }

    async fn look_for_run(&mut self) {
        let state = self.installation.state();
        let store = template::open(&state).await.expect("no process works on the store");
        let runs = store.runs().await.expect("a store that a process left can be read");
        if runs.len() > self.before.runs {
            self.run = runs.first().map(|row| row.run.to_string());
        }
    }
}
