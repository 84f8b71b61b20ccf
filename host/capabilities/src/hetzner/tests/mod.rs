//! The capability against the simulator: every rule of sending, adopting, waiting and undoing.

mod bench;
mod effects;
mod gate;
mod hostile;
mod outside;
mod undo;
