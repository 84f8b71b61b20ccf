//! How packages travel: registries, layouts on disk and in archives, and the lock that pins them.
//!
//! What comes from outside is believed only by its digest, and judged by nobody here: that is the
//! keyring's. The modules stand in reading order; each imports only those above it.

pub mod error;
pub mod reference;
pub mod manifest;
pub mod artifact;
pub mod layout;
pub mod challenge;
pub mod registry;
pub mod shelf;
pub mod lock;

#[cfg(test)]
mod tests;
