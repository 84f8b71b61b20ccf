//! Sends what nobody can undo and nobody but a person can tell the outcome of.

use misbehaving_guests::bindings::runwrit::http::requests;
use misbehaving_guests::bindings::runwrit::run::clock;
use misbehaving_guests::{Failure, Problem, inputs, log, steps};

fn run() -> misbehaving_guests::Ending {
    misbehaving_guests::reserve()?;
    steps::begin("tell")?;
    let told = requests::send(&requests::Request {
        method: "POST".to_owned(),
        url: inputs::text("url")?,
        headers: vec![requests::Header { name: "x-tenant".to_owned(), value: "acme".to_owned() }],
        body: b"a body that no journal keeps".to_vec(),
        timeout_seconds: 2,
    })?;
    log::write(log::Level::Info, &format!("answered {}", told.status));
    let seconds = u32::try_from(inputs::integer("seconds")?).unwrap_or_default();
    if seconds > 0 {
        clock::sleep(seconds)?;
    }
    match inputs::text("end")?.as_str() {
        "well" => Ok(()),
        _ => Err(Failure::Failed(Problem {
            code: "told-so".to_owned(),
            message: "it was told to end badly".to_owned(),
            field: None,
        })),
    }
}

misbehaving_guests::main!(run);
