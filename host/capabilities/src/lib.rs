//! The only floor that talks to the outside: one folder per capability.
//!
//! Capabilities never import each other. What they need of the run (its gate, its registry, its
//! audit log) they declare as traits in `gate` and `books`; the engine implements them.

pub mod gate;
