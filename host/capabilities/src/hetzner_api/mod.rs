//! The API of Hetzner Cloud, below the capabilities that reach the outside through it.

pub mod budget;
pub mod clock;
pub mod wire;
pub mod client;
mod world;
mod snapshot;

pub use world::{MARKER_LABEL, MARKER_NAME, WorldError};
