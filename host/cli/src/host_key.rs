//! The 32 random bytes of this installation, in `host.key` of the state directory.

use std::path::Path;

use runwrit_model::exit::Exit;
use runwrit_model::labels::HostKey;

use crate::ambient;
use crate::error::Error;
use crate::lent;

const FILE: &str = "host.key";
const BYTES: usize = 32;

/// Reads the key, and makes it where the state directory is new.
pub fn open(state: &Path) -> Result<HostKey, Error> {
    let path = state.join(FILE);
    if !ambient::exists(&path) {
        if !ambient::names_in(&state.join("runs")).is_empty() {
            let message = format!("the host key `{}` is gone, though runs need it", path.display());
            return Err(Error::new(Exit::Usage, message).hint(
                "restore it from a backup: with a new key nothing that runs made could be \
                 recognized",
            ));
        }
        ambient::write_private_once("host key", &path, &ambient::random::<BYTES>())?;
    }
    // Another process may have made it meanwhile, so what counts is what stands there.
    let bytes = ambient::read_private("host key", &path, BYTES as u64)?;
    let bytes = <[u8; BYTES]>::try_from(bytes).map_err(|bytes| {
        let message = format!("the host key `{}` has {} bytes", path.display(), bytes.len());
        Error::new(Exit::Usage, message).hint(format!(
            "restore its {BYTES} bytes from a backup: without them nothing that runs made can be \
             recognized"
        ))
    })?;
    lent::open(HostKey::from_bytes(bytes), state)
}
