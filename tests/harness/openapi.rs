//! Shows the answers of simulators to a judge.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use runwrit_openapi::{Answer, Judge};
use runwrit_simulator::hetzner::{Seen, Witness};
use serde::Deserialize;
use serde_json::Value;

/// Where the build with crash points is told to write the answers of its own simulators.
pub const ANSWERS: &str = "RUNWRIT_ANSWERS";

/// An answer as such a build writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: String,
    path: String,
    status: u16,
    body: Option<Value>,
}

/// Returns a witness for the options of a simulator.
pub fn witness(judge: Judge) -> Witness {
    Witness::new(move |&Seen { method, path, status, body }| {
        judge.see(Answer { method, path, status, body });
    })
}

/// Shows the answers that were written to `path`.
///
/// # Panics
///
/// When there are none, or when they cannot be read: then nothing would be judged.
pub fn show_written(path: &Path, judge: &Judge) {
    let file = File::open(path).expect("a simulator wrote its answers");
    let is_empty = file.metadata().expect("it is open").len() == 0;
    assert!(!is_empty, "no simulator wrote an answer to `{}`", path.display());
    for line in BufReader::new(file).lines() {
        let line = line.expect("the answers are text");
        let Written { method, path, status, body } =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        judge.see(Answer { method: &method, path: &path, status, body: body.as_ref() });
    }
}
