//! `cargo xtask crash-matrix`: the whole matrix, of which the tests run a part.

use std::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::guests;
use crate::place::Place;
use crate::setup;

/// Sets up, builds what the matrix needs and runs it; fails with the table when anything is amiss.
pub fn run(place: &Place, stride: u64, jobs: usize) -> Result<(), Failure> {
    let ready = setup::run(place)?;
    guests::build(place, &ready.toolchain, &[])?;
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "runwrit-tests", "--bins"]).current_dir(place.root());
    command::run(&mut build)?;
    let mut matrix = Command::new("cargo");
    matrix.args(["run", "--quiet", "--package", "runwrit-tests", "--bin", "crash-matrix"]);
    matrix.current_dir(place.root());
    matrix.env("RUNWRIT_MATRIX_STRIDE", stride.to_string());
    matrix.env("RUNWRIT_MATRIX_JOBS", jobs.to_string());
    command::run(&mut matrix)
}
