//! Who vouches for runbooks and grants: keys, statements, signatures, keyring, roots, and the
//! verdict over them.
//!
//! Nothing here opens a file, asks the clock or prints: bytes and times come in, verdicts go out.
//! The modules stand in reading order; each imports only those above it.

pub mod public_key;
pub mod private_key;
pub mod parcel;
pub mod statement;
pub mod envelope;
pub mod bundle;
pub mod keyring;
pub mod roots;
pub mod floors;
pub mod refusal;
pub mod verdict;
pub mod endorsement;

#[cfg(test)]
mod tests;
