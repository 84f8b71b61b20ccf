//! The crash matrix: every boundary of a run is killed once, in every scenario and every mood of
//! the cloud, and afterwards nothing is leaked, nothing doubled, and the ending is the right one.
//!
//! The matrix extends itself: it kills at boundary 1, 2, 3, … until a run passes fewer.

pub mod case;
pub mod cloud;
pub mod process;
pub mod driver;
pub mod judge;
pub mod table;
pub mod template;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use runwrit_engine::store::Store;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use case::{Case, Mood, Scenario};
use process::{Installation, Places};
use table::{Report, Row};

/// More boundaries than this in one run mean that a loop passes them without end.
const BOUNDARIES_MAX: u64 = 2_000;

/// Makes a folder for state directories: in memory where the machine has such a place.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("runwrit-matrix-").tempdir_in(folder).expect("writable")
}

/// Opens the store of an installation that no process works on.
pub async fn open_store(state: &Path) -> Result<Arc<dyn Store>, String> {
    template::open(state).await
}

/// What a finished case leaves for the report.
#[derive(Debug)]
pub struct Verdict {
    /// The case.
    pub case: Case,
    /// Where kills struck, as (boundary, operation).
    pub crashes: Vec<(String, String)>,
    /// Every boundary passed, by the surviving processes too.
    pub passed: BTreeSet<(String, String)>,
    /// What it did wrong.
    pub findings: Vec<judge::Finding>,
}

/// Runs one case on an installation and a cloud of its own.
pub async fn run_case(places: &Places, case: Case) -> Verdict {
    let cloud = cloud::start(&case).await;
    let installation = Installation::new(places, cloud.endpoint(), case.broken);
    let trace = driver::drive(&case, installation, cloud).await;
    if case.mood == Mood::LateCommit {
        // Judged is what stays: whatever is still on its way lands first.
        tokio::time::sleep(case.late_by).await;
    }
    let findings = judge::judge(&trace).await;
    let boundaries = trace.installation.boundaries();
    let place = |boundary: &process::Boundary| (boundary.name.clone(), boundary.operation.clone());
    let crashes = boundaries.iter().filter(|boundary| boundary.is_crash).map(place).collect();
    let passed = boundaries.iter().map(place).collect();
    trace.cloud.stop().await;
    Verdict { case, crashes, passed, findings }
}

/// Kills at every `stride`-th boundary of one scenario and mood, `jobs` cases at once.
pub async fn run_row(places: &Places, cell: (Scenario, Mood), stride: u64, jobs: usize) -> Row {
    let mut row = Row::new(cell);
    row.add(run_case(places, Case::new(cell.0, cell.1)).await);
    let slots = Arc::new(Semaphore::new(jobs));
    let mut running = JoinSet::new();
    let mut is_past_the_end = false;
    for kill in (1..BOUNDARIES_MAX).step_by(stride as usize) {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore stays open");
        while let Some(done) = running.try_join_next() {
            let verdict: Verdict = done.expect("a case does not panic");
            is_past_the_end |= verdict.crashes.is_empty();
            row.add(verdict);
        }
        if is_past_the_end {
            break;
        }
        let (places, case) = (places.clone(), Case::new(cell.0, cell.1).killed_at(&[kill]));
        running.spawn(async move {
            let verdict = run_case(&places, case).await;
            drop(slot);
            verdict
        });
    }
    while let Some(done) = running.join_next().await {
        row.add(done.expect("a case does not panic"));
    }
    row
}

/// Runs every cell.
pub async fn run_all(places: &Places, stride: u64, jobs: usize) -> Report {
    let mut report = Report::default();
    for scenario in case::scenarios() {
        for mood in case::MOODS {
            let row = run_row(places, (scenario, mood), stride, jobs).await;
            println!("{row}");
            report.rows.push(row);
        }
    }
    report
}
