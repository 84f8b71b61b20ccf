//! The chain of roots: who says who may sign, handed on from root to root without a network.
//!
//! The keyring pins the first one by its digest. Each later one needs the signatures of enough of
//! those who hold the root role in the one before, and of enough of those who hold it in itself.

pub mod canonical;
mod refusal;
mod policy;
mod root;
mod draft;

use runwrit_model::id::Digest;
use runwrit_model::limits;

use crate::keyring::Keyring;
use crate::public_key::PublicKey;

pub use draft::{Draft, Office};
pub use refusal::RootError;
pub use root::Root;

/// How the file of a root is called, after its number.
const EXTENSION: &str = ".root.json";

/// The roots that this host follows, from the pinned one to the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The digest of the file that the keyring pins.
    pub pin: Digest,
    roots: Vec<Root>,
}

impl Chain {
    /// Begins with the root that a keyring pins by the digest of its file.
    pub fn pinned(bytes: &[u8], pin: &Digest) -> Result<Self, RootError> {
        let found = Digest::of(bytes);
        if found != *pin {
            let (pinned, found) = (pin.to_string(), found.to_string());
            return Err(RootError::Pin { pinned, found });
        }
        let first = Root::decode(bytes)?;
        // Its own keys have to stand behind it, or nobody could ever make the next one.
        first.vouches_for(&first, &|_| false)?;
        Ok(Self { pin: found, roots: vec![first] })
    }

    /// Follows to the next root.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<(), RootError> {
        self.advance_without(bytes, &|_| false)
    }

    /// Follows to the next root, to which the signatures of keys that are out add nothing.
    fn advance_without(
        &mut self,
        bytes: &[u8],
        is_out: &dyn Fn(&PublicKey) -> bool,
    ) -> Result<(), RootError> {
        let next = Root::decode(bytes)?;
        let newest = self.newest();
        let known = self.roots.iter().find(|root| root.version == next.version);
        if known.is_some_and(|known| known.digest != next.digest) {
            return Err(RootError::Another(next.version));
        }
        if next.version <= newest.version {
            return Err(RootError::Repeated { found: next.version, newest: newest.version });
        }
        if next.version - newest.version > 1 {
            return Err(RootError::Skipped { found: next.version, newest: newest.version });
        }
        if self.roots.len() >= limits::ROOTS_MAX {
            return Err(RootError::TooLong { count: self.roots.len() as u64 });
        }
        newest.vouches_for(&next, is_out)?;
        next.vouches_for(&next, is_out)?;
        self.roots.push(next);
        Ok(())
    }

    /// Follows to the next root where this one is newer; one that is known is left out. Returns
    /// whether it was followed. Files that travel with packages hold the whole chain. Keys that are
    /// out, because this host has revoked them, sign nothing that is new to it.
    pub fn meet(
        &mut self,
        bytes: &[u8],
        is_out: &dyn Fn(&PublicKey) -> bool,
    ) -> Result<bool, RootError> {
        match self.advance_without(bytes, is_out) {
            Ok(()) => Ok(true),
            Err(RootError::Repeated { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the keyring that counts: who may sign by the newest root, under what the file of the
    /// keyring, `own`, adds to it.
    pub fn keyring(&self, own: &Keyring) -> Keyring {
        self.newest().over(own)
    }

    /// Returns the root that counts.
    pub fn newest(&self) -> &Root {
        self.roots.last().expect("a chain begins with the pinned root")
    }

    /// Returns all roots, the pinned one first.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }
}

/// Returns how the file of a root is called.
pub fn file_name(version: u64) -> String {
    format!("{version}{EXTENSION}")
}

/// Returns the number that the name of a file tells.
pub fn version_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(EXTENSION)?;
    number.parse().ok().filter(|version: &u64| *version > 0 && file_name(*version) == name)
}
