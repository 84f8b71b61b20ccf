//! Which runs came from elsewhere, by an import or a restore: a file for each in `arrived` of the
//! state directory, until the run was admitted here.

use std::path::{Path, PathBuf};

use runwrit_model::id::RunId;

use crate::ambient::{self, trusted};
use crate::error::Error;

/// The folder.
pub const FOLDER: &str = "arrived";
const WHAT: &str = "note of a run that came from elsewhere";

/// Notes that a run came from elsewhere. It is on disk before this returns: a note that a power
/// loss took away would let the run pass for one of this host.
pub fn note(state: &Path, run: &RunId) -> Result<(), Error> {
    ambient::make_private_directory("folder of runs that came from elsewhere", &folder(state))?;
    trusted::replace(WHAT, &file(state, run), b"", 0o600)?;
    trusted::keep_names(WHAT, state)
}

/// Returns whether a run came from elsewhere and was not admitted here yet.
pub fn is_noted(state: &Path, run: &RunId) -> bool {
    ambient::exists(&file(state, run))
}

/// Forgets that a run came from elsewhere, once it was admitted here.
pub fn forget(state: &Path, run: &RunId) -> Result<(), Error> {
    trusted::remove(WHAT, &file(state, run))
}

fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

fn file(state: &Path, run: &RunId) -> PathBuf {
    folder(state).join(run.as_str())
}
