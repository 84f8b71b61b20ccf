//! Runs, resumes and rolls back; owns the store.
//!
//! The modules stand in reading order; each imports only those above it.

pub mod clock;
pub mod interrupt;
pub mod report;
pub mod host;
pub mod store;
mod recorder;
pub mod seed;
pub mod books;
pub mod outside;
mod watch;
pub mod view;
pub mod gate;
pub mod guest;
pub mod error;
pub mod worlds;
mod drive;
mod rollback;
mod resolve;
pub mod engine;
pub mod plan;
pub mod sweep;
pub mod tick;
pub mod sandbox;
pub mod code_cache;
pub mod cell;
pub mod admission;

#[cfg(test)]
mod tests;
