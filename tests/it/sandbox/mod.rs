//! Hostile components: each is refused or ended with a clear error, and the host stays unharmed.

mod admission;
mod bench;
mod handwritten;
mod cell;
mod code_cache;
pub mod escapes;
mod gate;
mod hostile;
