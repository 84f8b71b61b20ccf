//! Shows the answers of a simulator to a judge.

use runwrit_openapi::{Answer, Judge};
use runwrit_simulator::hetzner::{Seen, Witness};

/// Returns a witness for the options of a simulator.
pub fn witness(judge: Judge) -> Witness {
    Witness::new(move |&Seen { method, path, status, body }| {
        judge.see(Answer { method, path, status, body });
    })
}
