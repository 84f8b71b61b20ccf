//! Passes every boundary that the shipped runbooks do not: it says how one thing is undone, keeps
//! another, waits for less and for more than a process stays, sends what nobody can undo, and
//! passes a point of no return or fails, as it is told.

use misbehaving_guests::bindings::runwrit::hetzner::networks::{self, NetworkSpec, Subnet};
use misbehaving_guests::bindings::runwrit::http::requests;
use misbehaving_guests::bindings::runwrit::run::{clock, recovery};
use misbehaving_guests::{Ending, Failure, Problem, inputs, steps};

fn run() -> Ending {
    steps::begin("make")?;
    let network = networks::create(&spec("acme-net", 7))?;
    recovery::undo_with(recovery::last_call()?, &[delete(&network.id)])?;
    networks::create(&spec("acme-kept", 8))?;
    recovery::keep(recovery::last_call()?)?;
    steps::begin("wait")?;
    clock::sleep(1)?;
    clock::sleep(60)?;
    steps::begin("tell")?;
    requests::send(&requests::Request {
        method: "POST".to_owned(),
        url: inputs::text("url")?,
        headers: Vec::new(),
        body: b"the tenant stands".to_vec(),
        timeout_seconds: 30,
    })?;
    match inputs::text("end")?.as_str() {
        "well" => Ok(recovery::pivot()?),
        _ => Err(Failure::Failed(Problem {
            code: "told-so".to_owned(),
            message: "it was told to end badly".to_owned(),
            field: None,
        })),
    }
}

fn spec(name: &str, octet: u8) -> NetworkSpec {
    let zone = "eu-central".to_owned();
    NetworkSpec {
        name: name.to_owned(),
        ip_range: format!("10.{octet}.0.0/16"),
        subnets: vec![Subnet { ip_range: format!("10.{octet}.1.0/24"), network_zone: zone }],
        labels: Vec::new(),
    }
}

fn delete(id: &str) -> recovery::UndoCall {
    recovery::UndoCall {
        operation: "hetzner.networks.delete".to_owned(),
        arguments: format!(r#"{{"id":"{id}"}}"#),
    }
}

misbehaving_guests::main!(run);
