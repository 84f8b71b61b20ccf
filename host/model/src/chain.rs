//! The hashes that chain the entries of a journal, so that an edit shows.

use sha2::{Digest as _, Sha256};

use crate::id::{Digest, RunId};

/// Returns the hash that chains an entry to the one before: domain, run, place, previous hash and
/// length come before the bytes, so that no two histories share a hash.
pub fn chain(run: &RunId, seq: u64, previous: &Digest, bytes: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(b"\0runwrit-journal-v1\0");
    hasher.update(run.as_str().as_bytes());
    hasher.update(seq.to_be_bytes());
    hasher.update(previous.as_bytes());
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
    Digest::from(<[u8; 32]>::from(hasher.finalize()))
}

/// The hash before the first entry.
pub fn chain_start() -> Digest {
    Digest::from([0; 32])
}
