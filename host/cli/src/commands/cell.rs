//! The hidden word with which the program starts itself as the cell of a guest.

use runwrit_engine::cell::{let_go, run_as_cell};
use runwrit_model::exit::Exit;

use crate::ambient;
use crate::error::Error;

/// Runs the guest whose stream and code the host has put in the place of input and output.
pub fn execute() -> Result<Exit, Error> {
    let_go();
    let (stream, code) = ambient::handed().map_err(|error| Error::of(Exit::Usage, &error))?;
    run_as_cell(stream, code).map(|()| Exit::Done).map_err(|error| Error::of(Exit::Usage, &error))
}
