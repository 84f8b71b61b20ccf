//! `cargo xtask demo`: the main job from set-up to the proof that nothing is left.

mod http;
mod operator;
mod simulator;
mod tenant;
mod trust;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use self::operator::Operator;
use self::simulator::{Simulator, ZONE};
use self::tenant::{ACME, BOLT, CRAB, Tenant};
use crate::command;
use crate::failure::Failure;
use crate::guests;
use crate::place::Place;
use crate::setup;

/// How long the process that provisions `bolt` lives in its seventh step: long enough for the order
/// of the volume to be out, too short for the volume to be ready.
const LIFE_IN_STEP: Duration = Duration::from_millis(150);

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// A tenant provisioned, killed, rolled back and removed, against a simulated cloud.
    Tenant,
    /// Whose packages run on a host, and all the ways in which others are refused.
    Trust,
}

/// Sets everything up and shows it. `binary` is a `runwrit` that was built already, and `cloud`
/// another one that serves the simulated cloud.
pub fn run(
    place: &Place,
    binary: Option<&Path>,
    cloud: Option<&Path>,
    part: Part,
) -> Result<(), Failure> {
    let binary = match binary {
        Some(binary) => binary.to_owned(),
        None => build(place)?,
    };
    match part {
        Part::Tenant => tenant(place, cloud.unwrap_or(&binary), &binary),
        Part::Trust => trust::run(place, &binary),
    }
}

fn tenant(place: &Place, cloud: &Path, binary: &Path) -> Result<(), Failure> {
    let folder = place.root().join("target/demo");
    let simulator = Simulator::start(cloud)?;
    let operator = Operator::prepare(&folder, binary, place, &simulator)?;
    simulator.add_ssh_key()?;
    simulator.add_zone()?;
    provision(&operator)?;
    kill_and_resume(&operator)?;
    fail_and_roll_back(&operator, &simulator)?;
    deprovision(&operator)?;
    prove(&operator, &simulator)
}

fn build(place: &Place) -> Result<PathBuf, Failure> {
    let setup::Ready { toolchain, .. } = setup::run(place)?;
    guests::build(place, &toolchain, &["runbooks".to_owned(), "examples".to_owned()])?;
    let mut cargo = command::cargo();
    cargo.args(["build", "--package", "runwrit"]).current_dir(place.root());
    command::run(&mut cargo)?;
    // Cargo puts it where it put this program.
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask"), "found"))?;
    Ok(own.with_file_name("runwrit"))
}

fn provision(operator: &Operator) -> Result<(), Failure> {
    chapter("1. Provision a tenant with exactly the authority of its grant");
    operator.run("provision-tenant", &ACME, 0)
}

fn kill_and_resume(operator: &Operator) -> Result<(), Failure> {
    chapter("2. Kill the next one half-way, and resume it");
    let run = operator.run_until_step("provision-tenant", &BOLT, "7/", LIFE_IN_STEP)?;
    operator.command(&["resume", &run], 0)
}

fn fail_and_roll_back(operator: &Operator, simulator: &Simulator) -> Result<(), Failure> {
    chapter("3. Let the cloud refuse the volume of a third one: it rolls back");
    let fault = json!({
        "method": "POST", "path": "/volumes", "times": 0,
        "fault": {"kind": "refuse", "status": 403, "code": "resource_limit_exceeded",
            "message": "volume limit exceeded"},
    });
    simulator.fault(&fault)?;
    operator.run("provision-tenant", &CRAB, 1)?;
    simulator.clear_faults()
}

fn deprovision(operator: &Operator) -> Result<(), Failure> {
    chapter("4. Remove all of it");
    [&ACME, &BOLT, &CRAB]
        .into_iter()
        .try_for_each(|tenant: &Tenant| operator.run("deprovision-tenant", tenant, 0))
}

fn prove(operator: &Operator, simulator: &Simulator) -> Result<(), Failure> {
    chapter("5. Ask the cloud itself what is left");
    operator.command(&["runs"], 0)?;
    simulator.remove_ssh_key()?;
    let (created, deleted) = simulator.counts()?;
    let alive = simulator.alive()?;
    println!("ledger of the cloud: {created} things created, {deleted} deleted");
    for thing in &alive.things {
        println!("left: {thing}");
    }
    println!("what is left costs EUR {} a month", alive.eur_per_month);
    let is_expected = |thing: &String| thing.contains("runwrit-project") || thing.contains(ZONE);
    let is_clean = alive.things.len() == 2 && alive.things.iter().all(is_expected);
    if !is_clean {
        let what = format!("{} things are left in the simulated cloud", alive.things.len());
        return Err(Failure::Missing(what, "this is a defect: please report it".to_owned()));
    }
    println!("nothing but the operator's zone and the free mark of the project: the demo is done");
    Ok(())
}

fn chapter(title: &str) {
    println!("\n== {title}");
}
