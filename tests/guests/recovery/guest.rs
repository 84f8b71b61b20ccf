//! Makes a network, says what the operator asks for about its undo, and fails.

use misbehaving_guests::bindings::runwrit::hetzner::networks::{self, NetworkSpec, Subnet};
use misbehaving_guests::bindings::runwrit::run::{clock, recovery};
use misbehaving_guests::{Ending, Failure, Problem, inputs, random, steps};

fn run() -> Ending {
    steps::begin("make")?;
    let network = networks::create(&spec())?;
    let call = recovery::last_call()?;
    let says = inputs::text("says")?;
    let id = Some(inputs::text("id")?).filter(|id| !id.is_empty()).unwrap_or(network.id);
    steps::begin(&says)?;
    match says.as_str() {
        "keep" => recovery::keep(call)?,
        "pivot" => recovery::pivot()?,
        "undo-with" => recovery::undo_with(call, &[delete(&id)])?,
        "undo-with-nothing" => recovery::undo_with(call, &[])?,
        "sleep" => clock::sleep(3_600)?,
        // What it draws is the same in every replay, as long as nobody changes its seed.
        "draw" => {
            let drawn = random::bytes(16);
            steps::begin(&format!("drawn {drawn:02x?}"))?;
            networks::get(&id)?;
            // What was seen so far is on the disk before a wait begins.
            clock::sleep(1)?;
        }
        _ => {}
    }
    let message = "gave up on purpose".to_owned();
    Err(Failure::Failed(Problem { code: "on-purpose".to_owned(), message, field: None }))
}

fn spec() -> NetworkSpec {
    let zone = "eu-central".to_owned();
    NetworkSpec {
        name: "acme-net".to_owned(),
        ip_range: "10.7.0.0/16".to_owned(),
        subnets: vec![Subnet { ip_range: "10.7.1.0/24".to_owned(), network_zone: zone }],
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
