//! Publishes one set of records, as it is told.

use misbehaving_guests::bindings::runwrit::dns::records::{self, RecordSet};
use misbehaving_guests::{Ending, inputs, steps};

fn run() -> Ending {
    steps::begin("publish")?;
    let set = RecordSet {
        zone: inputs::text("zone")?,
        name: inputs::text("name")?,
        kind: inputs::text("kind")?,
        // That of the zone where it is negative.
        ttl: u32::try_from(inputs::integer("ttl")?).ok(),
        values: vec![inputs::text("value")?],
    };
    records::set(&set)?;
    Ok(())
}

misbehaving_guests::main!(run);
