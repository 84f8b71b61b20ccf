//! Test harness.

pub mod openapi;
pub mod hook;
pub mod matrix;
