//! One call of a guest that the host answers at once: the way out of the cell and back is what it
//! costs beside a call within one process, which is some nanoseconds.

use std::process::Command;

use crate::place::{Place, product, root, run, told};
use crate::row::Row;
use crate::stopwatch::{median, ms, time};

/// Calls of one run: so many that starting it weighs little.
const CALLS: u32 = 20_000;
/// Rounds; each is compared with a run that calls nothing.
const ROUNDS: usize = 11;

/// Measures the way of a call.
pub fn measure() -> Result<Vec<Row>, String> {
    let place = Place::on_disk()?;
    let packages = root().join("target/packages");
    let text = format!("version = 1\nstate = \"state\"\npackages = [\"{}\"]\n", packages.display());
    place.write("runwrit.toml", &text)?;
    place.write(
        "chatty.toml",
        "version = 1\nexpires = 2099-12-31T00:00:00Z\nrunbook.name = \"chatty\"\n",
    )?;
    // The first run compiles the component.
    run(&mut command(&place, 0)?)?;
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        let (silent, done) = time(|| command(&place, 0).and_then(|mut it| run(&mut it)));
        done?;
        let (chatty, done) = time(|| command(&place, CALLS).and_then(|mut it| run(&mut it)));
        done?;
        calls.push(chatty.saturating_sub(silent) / CALLS);
    }
    let call = median(calls);
    if call.is_zero() {
        return Err(told("the calls")("they took no time, so none was made"));
    }
    let what = "one call of a guest through its cell";
    Ok(vec![Row::at_most(what, ms(call) * 1_000.0, " µs", 100.0)])
}

fn command(place: &Place, calls: u32) -> Result<Command, String> {
    let mut command = place.command(product()?);
    let calls = format!("calls={calls}");
    command.args(["run", "chatty", "--grant", "chatty.toml", "--yes", "--input", &calls]);
    Ok(command)
}
