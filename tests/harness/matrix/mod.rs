//! The crash matrix: every boundary of a run is killed once, in every scenario and every mood of
//! the cloud, and afterwards nothing is leaked, nothing doubled, and the ending is the right one.
//!
//! The matrix extends itself: it kills at boundary 1, 2, 3, … until a run passes fewer, and what
//! can fail it reads from the journal of a run that nothing disturbed.

pub mod secrets;
pub mod calls;
pub mod case;
pub mod process;
pub mod cloud;
pub mod template;
pub mod driver;
pub mod judge;
pub mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use calls::Calls;
use case::{Case, Mood, SPARED, Scenario};
use process::{Installation, Places};
use table::{Report, Row};

use runwrit_openapi::Watch;

/// More boundaries than this in one run mean that a loop passes them without end.
const BOUNDARIES_MAX: u64 = 2_000;

/// Makes a folder for state directories: in memory where the machine has such a place.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("runwrit-matrix-").tempdir_in(folder).expect("writable")
}

/// What a finished case leaves for the report.
#[derive(Debug)]
pub struct Verdict {
    /// The case.
    pub case: Case,
    /// Where kills struck, as (boundary, operation).
    pub crashes: Vec<(String, String)>,
    /// How many processes were killed or stopped.
    pub strikes: usize,
    /// Every boundary passed, by the surviving processes too.
    pub passed: BTreeSet<(String, String)>,
    /// How many requests it sent.
    pub requests: usize,
    /// What it did wrong.
    pub findings: Vec<judge::Finding>,
}

/// Runs one case on an installation and a cloud of its own.
pub async fn run_case(places: &Places, case: Case) -> Verdict {
    let watch = Watch::new();
    let cloud = cloud::start_calm(&watch, case.mood).await;
    let installation = Installation::new(places, cloud.endpoint(), &case);
    let trace = driver::drive(&case, installation, cloud).await;
    if matches!(case.mood, Mood::LateCommit | Mood::SharedNames) {
        // Judged is what stays: whatever is still on its way lands first.
        cloud::let_land(&trace.cloud, case.late_by);
    }
    let findings = judge::judge(&trace).await;
    let requests = trace.requests();
    let boundaries = trace.installation.boundaries();
    let place = |boundary: &process::Boundary| (boundary.name.clone(), boundary.operation.clone());
    let crashes = boundaries.iter().filter(|boundary| boundary.is_crash).map(place).collect();
    let is_struck = |boundary: &&process::Boundary| boundary.is_crash || boundary.is_stop;
    let strikes = boundaries.iter().filter(is_struck).count();
    let passed = boundaries.iter().map(place).collect();
    trace.cloud.stop().await;
    Verdict { case, crashes, strikes, passed, requests, findings }
}

/// Kills at every `stride`-th boundary of one scenario and mood, `jobs` cases at once; where a
/// person cancels, also at those of the rollback of everything; where a run parks, also at those of
/// the process that takes it up; then a few times thrice, so that recoveries are killed too.
pub async fn run_row(places: &Places, cell: (Scenario, Mood), stride: u64, jobs: usize) -> Row {
    let calm = run_case(places, Case::new(cell.0.clone(), cell.1)).await;
    let mut row = Row::new(cell, calm.requests);
    row.add(calm);
    let mut crew = Crew { places, slots: Arc::new(Semaphore::new(jobs)), running: JoinSet::new() };
    let last = crew.kill_at_each(&mut row, &[], stride).await;
    match row.cell.0 {
        Scenario::Canceled => {
            let first = [row.last_call];
            crew.kill_at_each(&mut row, &first, stride).await;
        }
        Scenario::LongHaul(_) => {
            crew.kill_at_each(&mut row, &[SPARED], stride).await;
            if let Some(sent) = row.in_doubt {
                // One asks what became of the request, and the one that answers is killed.
                crew.begin(&row, &[SPARED, sent, SPARED, 1]).await;
            }
        }
        _ => {}
    }
    // A process is canceled once, so it is stopped once.
    let recoveries = if row.cell.0 == Scenario::CanceledAlive { 0 } else { 4 };
    for kills in thrice(last).iter().take(recoveries) {
        crew.begin(&row, kills).await;
    }
    crew.finish(&mut row).await;
    row
}

/// Kills a run that passes so many boundaries early, later and late, and each time its recovery and
/// the recovery from that.
fn thrice(boundaries: u64) -> [[u64; 3]; 4] {
    let part = |of: u64, share: u64| (boundaries * share / of).max(1);
    [
        [part(5, 1), part(7, 1), part(7, 2)],
        [part(5, 2), part(9, 1), part(5, 1)],
        [part(5, 3), part(11, 1), part(3, 1)],
        [part(5, 4), part(13, 1), part(2, 1)],
    ]
}

/// Runs cases of one row side by side.
struct Crew<'a> {
    places: &'a Places,
    slots: Arc<Semaphore>,
    running: JoinSet<Verdict>,
}

impl Crew<'_> {
    /// Begins a case as soon as there is a place for it.
    async fn begin(&mut self, row: &Row, kills: &[u64]) {
        let slots = Arc::clone(&self.slots);
        let slot = slots.acquire_owned().await.expect("the semaphore stays open");
        let case = Case::new(row.cell.0.clone(), row.cell.1).killed_at(kills);
        let places = self.places.clone();
        self.running.spawn(async move {
            let verdict = run_case(&places, case).await;
            drop(slot);
            verdict
        });
    }

    /// Kills at every `stride`-th boundary, after the kills of processes before, until a kill is
    /// meant for a boundary past the end; returns the last one before it.
    async fn kill_at_each(&mut self, row: &mut Row, before: &[u64], stride: u64) -> u64 {
        let mut last = 1;
        for kill in (1..BOUNDARIES_MAX).step_by(stride as usize) {
            let kills = [before, &[kill]].concat();
            self.begin(row, &kills).await;
            if self.collect(row) {
                break;
            }
            last = kill;
        }
        self.finish(row).await;
        last
    }

    /// Counts what has finished; tells whether a kill was meant for a boundary past the end.
    fn collect(&mut self, row: &mut Row) -> bool {
        let mut is_past_the_end = false;
        while let Some(done) = self.running.try_join_next() {
            let verdict = done.expect("a case does not panic");
            is_past_the_end |= verdict.strikes < verdict.case.kills_meant();
            row.add(verdict);
        }
        is_past_the_end
    }

    /// Waits for all that is running, and counts it.
    async fn finish(&mut self, row: &mut Row) {
        while let Some(done) = self.running.join_next().await {
            row.add(done.expect("a case does not panic"));
        }
    }
}

/// How to run the matrix.
#[derive(Debug)]
pub struct Settings {
    /// Kill only at every n-th boundary.
    pub stride: u64,
    /// Cases at once.
    pub jobs: usize,
    /// Only rows whose name contains this.
    pub only: String,
}

/// Runs every cell.
pub async fn run_all(places: &Places, calls: Calls, settings: &Settings) -> Report {
    let mut cells = case::cells(&calls);
    cells.retain(|(scenario, mood)| format!("{scenario}, {mood}").contains(&settings.only));
    let mut report = Report { rows: Vec::new(), calls };
    for cell in cells {
        let row = run_row(places, cell, settings.stride, settings.jobs).await;
        println!("{row}");
        report.rows.push(row);
    }
    report
}
