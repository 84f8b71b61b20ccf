//! Runs the whole crash matrix and prints its table; `cargo xtask crash-matrix` calls it.
//!
//! `RUNWRIT_MATRIX_STRIDE=n` kills only at every n-th boundary; `RUNWRIT_MATRIX_JOBS` runs so many
//! cases at once. Exits with 1 when there is any violation or an operation lacks a boundary.

use std::process::ExitCode;

use runwrit_tests::matrix::{self, process::Places, template};

#[tokio::main]
async fn main() -> ExitCode {
    let folder = matrix::scratch();
    let here = std::env::current_exe().expect("a program knows where it stands");
    let places = Places::of(folder.path(), &here.with_file_name("runwrit-breakable"));
    template::prepare(&places).await;
    let report = matrix::run_all(&places, number("STRIDE", 1), number("JOBS", 4) as usize).await;
    println!("{report}");
    let (lacking, never) = (report.lacking(), report.never_struck());
    lacking.iter().for_each(|(operation, name)| println!("never killed: {name} of {operation}"));
    never.iter().for_each(|(name, operation)| println!("passed, never struck: {name} {operation}"));
    let is_clean = report.violations() == 0 && lacking.is_empty() && never.is_empty();
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(format!("RUNWRIT_MATRIX_{name}"));
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
