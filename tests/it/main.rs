//! All integration tests, in one binary: each extra one would link the Wasm engine again.

mod bad_input;
mod crash;
mod plan;
mod runbooks;
mod sandbox;
mod simulator;
mod cli;
mod operate;
mod trust;
mod distribution;
mod demo;
mod tidy;
