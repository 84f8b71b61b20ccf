//! All integration tests, in one binary: each extra one would link the Wasm engine again.

mod simulator;
mod bad_input;
mod crash;
mod runbooks;
mod tidy;
