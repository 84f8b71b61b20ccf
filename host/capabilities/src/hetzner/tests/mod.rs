//! The capability against the simulator: every rule of sending, adopting, waiting and undoing.

pub mod bench;
mod checks;
mod effects;
pub mod gate;
mod hostile;
mod outside;
mod patience;
mod preflight;
mod undo;
