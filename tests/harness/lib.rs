//! Test harness.

pub mod openapi;
