//! The simulator, judged by outsiders: the official document, the official client, a fuzzer.

mod client;
mod flow;
mod fuzz;
pub mod outsiders;
mod python;
mod wire;
