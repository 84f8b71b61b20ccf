//! Bad input: every field of every document that this repository ships, wrong in every way.

mod documents;
mod inputs;
