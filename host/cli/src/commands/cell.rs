//! The hidden word with which the program starts itself as the cell of a guest.

use runwrit_engine::cell::{let_go, run_as_cell};
use runwrit_model::exit::Exit;

use crate::ambient;
use crate::error::Error;

/// Runs the guest that the host hands over on the stream in the place of the input.
pub fn execute() -> Result<Exit, Error> {
    let_go();
    let stream = ambient::handed().map_err(|error| Error::of(Exit::Usage, &error))?;
    run_as_cell(stream).map(|()| Exit::Done).map_err(|error| Error::of(Exit::Usage, &error))
}
