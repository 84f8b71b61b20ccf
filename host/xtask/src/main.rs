//! The developers' own tool: `cargo xtask bench`, `crash-matrix`, `demo`, `fuzz`, `guests`,
//! `setup` and `test`.

mod failure;
mod place;
mod command;
mod development;
mod toolchain;
mod guests;
mod setup;
mod test;
mod fuzz;
mod demo;
mod crash_matrix;
mod bench;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::place::Place;
use crate::toolchain::Choice;

/// Builds, sets up and tests Runwrit.
#[derive(Parser)]
#[command(name = "cargo xtask", version, about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds every runbook and test guest and packs it under `target/packages`.
    Guests {
        /// Where the Wasm toolchain comes from.
        #[arg(long, value_enum, default_value_t = Choice::Any)]
        toolchain: Choice,
        /// Only these workspaces, for example `tests/guests`; all without any.
        only: Vec<String>,
    },
    /// Finds or installs what building and testing needs; again changes nothing.
    Setup,
    /// Sets up, then shows the main job against a simulated cloud, from the first order to the
    /// proof that nothing is left; `trust` shows whose packages run.
    Demo {
        /// What to show.
        #[arg(value_enum, default_value_t = demo::Part::Tenant)]
        part: demo::Part,
        /// Use this `runwrit` and the packages that stand, and build nothing.
        #[arg(long, value_name = "PATH")]
        runwrit: Option<PathBuf>,
        /// Let this `runwrit` be the cloud, where another one is the operator's.
        #[arg(long, value_name = "PATH", requires = "runwrit")]
        cloud: Option<PathBuf>,
    },
    /// Sets up, then kills runs at every boundary in every scenario and prints the table, which
    /// takes half an hour on two cores.
    CrashMatrix(crash_matrix::Settings),
    /// Lets libFuzzer try the readers of signed things, then sets up and lets schemathesis loose on
    /// the simulator, for longer than the tests take the time.
    Fuzz(fuzz::Settings),
    /// Sets up, then measures speed and size beside others and prints the table.
    Bench(bench::Settings),
    /// Sets up, then checks format and lints, builds everything and runs all tests.
    Test,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), Failure> {
    let place = Place::find()?;
    match task {
        Task::Guests { toolchain, only } => {
            let toolchain = toolchain::prepare(toolchain)?;
            guests::build(&place, &toolchain, &only)
        }
        Task::Setup => setup::run(&place).map(|ready| {
            for what in ready.missing {
                eprintln!("missing: {what}");
            }
        }),
        Task::Demo { part, runwrit, cloud } => {
            demo::run(&place, runwrit.as_deref(), cloud.as_deref(), part)
        }
        Task::CrashMatrix(settings) => crash_matrix::run(&place, &settings),
        Task::Fuzz(settings) => fuzz::run(&place, &settings),
        Task::Bench(settings) => bench::run(&place, &settings),
        Task::Test => test::run(&place),
    }
}
