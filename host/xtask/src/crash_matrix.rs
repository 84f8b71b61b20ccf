//! `cargo xtask crash-matrix`: the whole matrix, of which the tests run a part.

use std::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::guests;
use crate::place::Place;
use crate::setup;

/// How to run the matrix.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Kill only at every n-th boundary.
    #[arg(long, default_value_t = 1)]
    stride: u64,
    /// Cases at once. They wait more than they work.
    #[arg(long, default_value_t = 12)]
    jobs: usize,
    /// Only rows whose name contains this, for example `cancel, late`.
    #[arg(long, default_value = "")]
    only: String,
}

/// Sets up, builds what the matrix needs and runs it; fails with the table when anything is amiss.
pub fn run(place: &Place, settings: &Settings) -> Result<(), Failure> {
    let ready = setup::run(place)?;
    guests::build(place, &ready.toolchain, &[])?;
    let mut build = cargo(place, "build");
    build.args(["--package", "runwrit-tests", "--bins"]);
    command::run(&mut build)?;
    let mut matrix = cargo(place, "run");
    matrix.args(["--quiet", "--package", "runwrit-tests", "--bin", "crash-matrix"]);
    matrix.env("RUNWRIT_MATRIX_STRIDE", settings.stride.to_string());
    matrix.env("RUNWRIT_MATRIX_JOBS", settings.jobs.to_string());
    matrix.env("RUNWRIT_MATRIX_ONLY", &settings.only);
    command::run(&mut matrix)
}

/// A release, as operators have it: what is killed is what they run.
fn cargo(place: &Place, task: &str) -> Command {
    let mut cargo = command::cargo();
    cargo.args([task, "--release"]).current_dir(place.root());
    cargo
}
