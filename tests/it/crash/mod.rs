//! A part of the crash matrix that fits into every test run; `cargo xtask crash-matrix` runs all.

use std::path::Path;
use std::time::Duration;

use runwrit_tests::matrix::calls::Nth;
use runwrit_tests::matrix::case::{Case, Mood, REFUSED, Scenario};
use runwrit_tests::matrix::judge::Violation;
use runwrit_tests::matrix::process::Places;
use runwrit_tests::matrix::{self, Verdict, run_case, run_row, template};

/// Cases at once: processes mostly wait for each other.
const JOBS: usize = 4;

/// Makes places for one test.
async fn places() -> (tempfile::TempDir, Places) {
    let folder = matrix::scratch();
    let binary = Path::new(env!("CARGO_BIN_EXE_runwrit-breakable"));
    let places = Places::of(folder.path(), binary);
    template::prepare(&places).await;
    (folder, places)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_its_boundaries_a_run_leaks_nothing_and_doubles_nothing() {
    let (_folder, places) = places().await;
    let volume = Scenario::Fails(&REFUSED[5]);
    let activation = Nth { operation: "registry.tenants.activate".to_owned(), nth: 1 };
    let cells = [
        (Scenario::Success, Mood::Normal, 7),
        (Scenario::Success, Mood::LostReply, 11),
        (volume.clone(), Mood::LateCommit, 13),
        (volume, Mood::ErrorAfterCommit, 17),
        (Scenario::Canceled, Mood::Locked, 19),
        (Scenario::FailsInside(activation), Mood::LostReply, 29),
        (Scenario::Deprovision, Mood::ErrorAfterCommit, 23),
    ];
    let mut kills = 0;
    for (scenario, mood, stride) in cells {
        let row = run_row(&places, (scenario, mood), stride, JOBS).await;
        println!("{row}");
        assert!(row.violations.is_empty(), "{row}");
        kills += row.kill_count();
    }
    assert!(kills > 40, "only {kills} kills struck: the matrix has lost its boundaries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twice_and_thrice_and_while_it_recovers_it_still_ends_well() {
    let (_folder, places) = places().await;
    let volume = Scenario::Fails(&REFUSED[5]);
    let sequences = [[20, 3, 9], [41, 7, 4], [60, 5, 5], [75, 2, 30], [90, 11, 1], [110, 4, 6]];
    for (scenario, mood) in [(Scenario::Success, Mood::LostReply), (volume, Mood::LateCommit)] {
        for kills in sequences {
            let verdict =
                run_case(&places, Case::new(scenario.clone(), mood).killed_at(&kills)).await;
            assert!(verdict.findings.is_empty(), "{}: {:?}", verdict.case, verdict.findings);
            assert!(verdict.crashes.len() >= 2, "{}: too few kills struck", verdict.case);
        }
    }
}

/// Longer than a whole run takes on a busy machine: what lands then finds nobody who waits for it.
const LATE_BY: Duration = Duration::from_secs(5);

/// Runs one scenario with a rule broken, killed at every `stride`-th boundary, until the violation
/// shows that breaking the rule must lead to.
async fn finds(
    places: &Places,
    rule: &'static str,
    cell: &(Scenario, Mood),
    expected: Violation,
) -> bool {
    for kill in 1..400 {
        let case = Case::new(cell.0.clone(), cell.1);
        let case = case.breaking(rule).late_by(LATE_BY).killed_at(&[kill]);
        let verdict: Verdict = run_case(places, case).await;
        if verdict.findings.iter().any(|finding| finding.violation == expected) {
            return true;
        }
        if verdict.crashes.is_empty() {
            return false;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_breaks_a_rule_is_found_out() {
    let (_folder, places) = places().await;
    // The network lands late, after a rollback that does not wait has deleted its twin.
    let firewall = Scenario::Fails(&REFUSED[1]);
    let rows = [
        // A run that goes on adopts what it made; one that turns back must know it.
        ("no-intent", (Scenario::Canceled, Mood::Normal), Violation::Leak),
        ("no-adoption", (Scenario::Success, Mood::LostReply), Violation::Ending),
        ("no-settle", (firewall, Mood::LateCommit), Violation::Leak),
    ];
    for (rule, cell, expected) in rows {
        let is_found = finds(&places, rule, &cell, expected).await;
        assert!(is_found, "breaking `{rule}` never led to {expected:?} in {}, {}", cell.0, cell.1);
    }
}
