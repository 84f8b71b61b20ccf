//! The command line as people and scripts meet it.

pub mod shell;

mod help;
mod bugs;
mod recovery;
mod refusals;
mod signals;
pub mod store;
mod stream;
mod worlds;
