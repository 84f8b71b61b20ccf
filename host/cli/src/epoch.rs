//! When this copy of the state directory came to be, in `epoch` of it: of two copies of one
//! directory the later one wins the claims on scopes, but for what came to it with runs.

use std::path::Path;

use runwrit_model::claim::Claimant;
use runwrit_model::{claim, limits};

use crate::ambient;
use crate::error::Error;
use crate::succession;

/// The name of the file; where there is none, the directory was never copied.
const FILE: &str = "epoch";

/// Reads it; zero where the directory is no copy.
fn read(state: &Path) -> Result<u64, Error> {
    let path = state.join(FILE);
    if !ambient::exists(&path) {
        return Ok(0);
    }
    let text = ambient::read_text("epoch", &path, limits::DOCUMENT_BYTES_MAX)?;
    text.trim().parse().map_err(|_| {
        Error::usage(format!("the epoch `{}` is no number", path.display()))
            .hint("restore the state directory from a backup")
    })
}

/// Returns how a state directory claims scopes.
pub fn claimant(state: &Path) -> Result<Claimant, Error> {
    let (epoch, successions) = (read(state)?, succession::read(state)?);
    Ok(Claimant { epoch, host: ambient::host_name(), successions })
}

/// Writes it into a new copy, later than that of the directory it was copied from, unless that was
/// written by a clock far ahead.
pub fn begin(state: &Path, copied: u64) -> Result<(), Error> {
    let epoch = claim::begin(copied, ambient::now_unix_ms());
    ambient::write_private_once("epoch", &state.join(FILE), epoch.to_string().as_bytes())
}
