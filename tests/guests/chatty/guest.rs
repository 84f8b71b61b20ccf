//! Asks the host for nothing much, many times, so that the way there can be measured.

use misbehaving_guests::bindings::runwrit::run::clock;
use misbehaving_guests::{Ending, inputs, steps};

fn run() -> Ending {
    steps::begin("ask")?;
    for _ in 0..inputs::integer("calls")? {
        clock::now();
    }
    Ok(())
}

misbehaving_guests::main!(run);
