//! Test harness.

pub mod openapi;
pub mod matrix;
