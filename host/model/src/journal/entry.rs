//! Entries as bytes.

use std::io;

use serde::Deserialize;

use super::{Entry, VERSION};

/// An entry that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not the format.
    #[error("entry {seq} is not readable: the store is damaged or was written by something else")]
    Malformed {
        /// Its place.
        seq: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// Of another version.
    #[error("entry {seq} has format version {version}; this host reads version {VERSION}")]
    Version {
        /// Its place.
        seq: u64,
        /// What it says.
        version: u32,
    },
}

/// Only the part of an entry that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Counts what is written to it.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Entry {
    /// Returns the bytes to store and to hash.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("entries hold only strings, numbers and maps of strings")
    }

    /// Returns how many bytes that would be, without writing them anywhere.
    pub fn size(&self) -> usize {
        let mut count = Count(0);
        let written = serde_json::to_writer(&mut count, self);
        written.expect("entries hold only strings, numbers and maps of strings");
        count.0
    }

    /// Reads stored bytes.
    pub fn decode(seq: u64, bytes: &[u8]) -> Result<Self, EntryError> {
        let malformed = |source| EntryError::Malformed { seq, source };
        let read = serde_json::from_slice::<Self>(bytes);
        // What another version means by an entry may not even be readable to this one.
        let version = match &read {
            Ok(entry) => entry.version,
            Err(_) => serde_json::from_slice::<Versioned>(bytes).map_err(malformed)?.version,
        };
        match version == VERSION {
            true => read.map_err(malformed),
            false => Err(EntryError::Version { seq, version }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::call::CallId;
    use crate::id::Digest;
    use crate::journal::{Record, Step};

    use super::*;

    #[test]
    fn the_size_of_an_entry_is_that_of_its_bytes() {
        for text in ["", "order the server", "line\nfeed, \"quotes\" and \u{1f512}"] {
            let (call, digest) = (CallId::single(7), Digest::of(b"7"));
            let step = Step { call, digest, text: text.to_owned(), is_note: false };
            let entry = Entry { version: VERSION, seq: 9, at: 1_000, record: Record::Step(step) };
            assert_eq!(entry.size(), entry.encode().len(), "{text}");
            assert_eq!(Entry::decode(9, &entry.encode()).unwrap(), entry);
        }
    }
}
