//! The runbooks of this repository: their documents, and their whole way against the simulator.

mod bench;
mod documents;
mod whole;
