//! What the product costs in time and space, beside what others cost, in one run on one machine.
//!
//! Every bound is a ratio to something measured beside it, or a count. `cargo xtask bench` builds
//! what this needs and starts it; nothing here is a test, since the machine may be busy.

mod row;
mod stopwatch;
mod place;
mod whole;
mod tenant;
mod toy;
mod calls;
mod permits;
mod cell;
mod store;
mod crowd;
mod packages;
mod binary;

use std::process::ExitCode;

use row::{Row, table};

/// A measurement: its name, and what does it.
type Measurement = (&'static str, fn() -> Result<Vec<Row>, String>);

const MEASUREMENTS: [Measurement; 9] = [
    ("whole", whole::measure),
    ("tenant", tenant::measure),
    ("permits", permits::measure),
    ("calls", calls::measure),
    ("cell", cell::measure),
    ("store", store::measure),
    ("crowd", crowd::measure),
    ("packages", packages::measure),
    ("binary", binary::measure),
];

/// Measures what the arguments name, or everything, and prints the table.
fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut rows = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if !wanted.is_empty() && !wanted.iter().any(|it| it == name) {
            continue;
        }
        eprintln!("measuring {name}");
        match measure() {
            Ok(more) => rows.extend(more),
            Err(cause) => {
                eprintln!("error: {name} could not be measured: {cause}");
                return ExitCode::FAILURE;
            }
        }
    }
    print!("{}", table(&rows));
    ExitCode::SUCCESS
}
