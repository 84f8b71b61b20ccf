//! When this copy of the state directory came to be, in `epoch` of it: of two copies of one
//! directory the later one wins the claims on scopes.

use std::path::Path;

use runwrit_model::{claim, limits};

use crate::ambient;
use crate::error::Error;

/// The name of the file; where there is none, the directory was never copied.
const FILE: &str = "epoch";

/// Reads it; zero where the directory is no copy.
pub fn read(state: &Path) -> Result<u64, Error> {
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

/// Raises it: what was claimed by another directory until now is this one's from now on.
pub fn raise(state: &Path) -> Result<(), Error> {
    let epoch = claim::begin(read(state)?, ambient::now_unix_ms());
    ambient::write_private_whole("epoch", &state.join(FILE), epoch.to_string().as_bytes())
}

/// Writes it into a new copy, later than that of the directory it was copied from, unless that was
/// written by a clock far ahead.
pub fn begin(state: &Path, copied: u64) -> Result<(), Error> {
    let epoch = claim::begin(copied, ambient::now_unix_ms());
    ambient::write_private_once("epoch", &state.join(FILE), epoch.to_string().as_bytes())
}
