//! Runs the whole crash matrix and prints its table; `cargo xtask crash-matrix` calls it.
//!
//! `RUNWRIT_MATRIX_STRIDE=n` kills only at every n-th boundary; `RUNWRIT_MATRIX_JOBS` runs so many
//! cases at once; `RUNWRIT_MATRIX_ONLY=text` runs only the rows whose name contains the text. Exits
//! with 1 when there is any violation, an operation lacks a boundary, or a call never fails.

use std::process::ExitCode;

use runwrit_tests::matrix::{self, Settings, process::Places, template};

#[tokio::main]
async fn main() -> ExitCode {
    let folder = matrix::scratch();
    let here = std::env::current_exe().expect("a program knows where it stands");
    let places = Places::of(folder.path(), &here.with_file_name("runwrit-breakable"));
    let calls = template::prepare(&places).await;
    let (stride, jobs) = (number("STRIDE", 1), number("JOBS", 4) as usize);
    let settings = Settings { stride, jobs, only: variable("ONLY").unwrap_or_default() };
    let report = matrix::run_all(&places, calls, &settings).await;
    println!("{report}");
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn number(name: &str, otherwise: u64) -> u64 {
    variable(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("RUNWRIT_MATRIX_{name}")).ok()
}
