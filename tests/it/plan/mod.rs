//! Plans: what a run would do, told without doing it, and then done exactly.

mod bench;
mod drift;
pub mod everything;
mod files;
mod grants;
mod whole;
