//! Test harness.

pub mod openapi;
pub mod keyring;
pub mod matrix;
