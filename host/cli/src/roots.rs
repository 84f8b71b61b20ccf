//! The files of the chain of roots: the pinned one, those that were followed, and those that travel
//! with a package.

use std::path::{Path, PathBuf};

use runwrit_model::exit::Exit;
use runwrit_model::limits;
use runwrit_trust::keyring::{Keyring, Pin};
use runwrit_trust::public_key::PublicKey;
use runwrit_trust::roots::{Chain, RootError, file_name, version_of};

use crate::ambient::{self, trusted};
use crate::error::Error;

/// The folder of roots in a package.
pub const CARRIED: &str = "trust";
/// Roots by number, the oldest first.
type Brought = [(u64, Vec<u8>)];

/// The folder of roots beside the memory of a keyring.
const FOLLOWED: &str = "roots";

/// Reads the chain that a keyring pins, as far as it was followed; nothing where it pins none.
/// `file` is the keyring and `state` its memory.
pub fn follow(file: &Path, keyring: &Keyring, state: &Path) -> Result<Option<Chain>, Error> {
    let Some(pin) = &keyring.root else { return Ok(None) };
    let path = file.parent().unwrap_or(Path::new("/")).join(&pin.path);
    let mut chain = Chain::pinned(&read(&path)?, &pin.digest).map_err(|it| refused(&path, &it))?;
    let folder = folder(state, pin);
    loop {
        let path = folder.join(file_name(chain.newest().version + 1));
        if !ambient::exists(&path) {
            return Ok(Some(chain));
        }
        chain.advance(&read(&path)?).map_err(|error| refused(&path, &error))?;
    }
}

/// Each chain has a folder of its own, so that another pin begins anew.
fn folder(state: &Path, pin: &Pin) -> PathBuf {
    let short: String = pin.digest.hex().chars().take(8).collect();
    state.parent().unwrap_or(Path::new("/")).join(FOLLOWED).join(short)
}

/// Reads a file of a root.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    // What came on a stick may be a pipe, at which a reader would wait for ever.
    if ambient::exists(path) && !trusted::is_regular(path) {
        let message = format!("the root `{}` is refused: it is no regular file", path.display());
        return Err(Error::new(Exit::Untrusted, message).hint("get the file itself, not a link"));
    }
    let bytes = ambient::read("root", path, limits::ROOT_BYTES_MAX as u64);
    bytes.map_err(|error| Error { exit: Exit::Untrusted, ..error })
}

/// Returns the files of roots in a folder, the oldest first.
pub fn in_folder(folder: &Path) -> Vec<(u64, PathBuf)> {
    let names = ambient::names_in(folder).into_iter();
    let mut found: Vec<_> =
        names.filter_map(|name| Some((version_of(&name)?, folder.join(name)))).collect();
    found.sort();
    found
}

/// Follows files, the oldest first, as far as they are new. Keys that `own`, the file of the
/// keyring, has revoked sign nothing that is new here; what was followed before stays followed.
pub fn meet(chain: &mut Chain, files: &[(u64, PathBuf)], own: &Keyring) -> Result<bool, Error> {
    let mut is_new = false;
    for (version, path) in files {
        is_new |= meet_one((chain, own), *version, path, || read(path))?;
    }
    Ok(is_new)
}

/// Follows roots that came with a package which is not kept yet; `shown` is where they came from.
pub fn meet_brought(
    (chain, own): (&mut Chain, &Keyring),
    shown: &Path,
    brought: &Brought,
) -> Result<bool, Error> {
    let mut is_new = false;
    for (version, bytes) in brought {
        let path = shown.join(file_name(*version));
        is_new |= meet_one((chain, own), *version, &path, || Ok(bytes.clone()))?;
    }
    Ok(is_new)
}

/// Those before the newest root need not be read: they say nothing any more.
fn meet_one(
    (chain, own): (&mut Chain, &Keyring),
    version: u64,
    path: &Path,
    bytes: impl FnOnce() -> Result<Vec<u8>, Error>,
) -> Result<bool, Error> {
    let is_out = |key: &PublicKey| own.revoked_key(&key.hint()).is_some();
    match version < chain.newest().version {
        true => Ok(false),
        false => chain.meet(&bytes()?, &is_out).map_err(|error| refused(path, &error)),
    }
}

/// Reads the roots that travel with a package.
pub fn brought_by(package: &Path) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let files = in_folder(&package.join(CARRIED)).into_iter();
    files.map(|(version, path)| Ok((version, read(&path)?))).collect()
}

/// Keeps the roots that came with a package in its folder; those that stand there stay.
pub fn keep_brought(package: &Path, brought: &Brought) -> Result<(), Error> {
    let folder = package.join(CARRIED);
    for (version, bytes) in brought {
        let path = folder.join(file_name(*version));
        if !ambient::exists(&path) {
            trusted::make_directory("chain of roots", &folder)?;
            trusted::replace("root", &path, bytes, 0o644)?;
        }
    }
    Ok(())
}

/// Writes down what was followed, the oldest first: a crash in between leaves a shorter chain.
pub fn keep(chain: &Chain, keyring: &Keyring, state: &Path) -> Result<(), Error> {
    let Some(pin) = &keyring.root else { return Ok(()) };
    let folder = folder(state, pin);
    for root in &chain.roots()[1..] {
        let path = folder.join(file_name(root.version));
        if !ambient::exists(&path) {
            trusted::make_directory("chain of roots", &folder)?;
            trusted::replace("root", &path, &root.encode(), 0o644)?;
        }
    }
    Ok(())
}

/// Says why a root is not followed.
pub fn refused(path: &Path, error: &RootError) -> Error {
    let message = format!("the root `{}` is refused: {error}", path.display());
    let refusal = Error::new(Exit::Untrusted, message);
    error.details().into_iter().fold(refusal, Error::detail).hint(error.hint())
}
