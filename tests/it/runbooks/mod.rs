//! The runbooks of this repository: their documents, and their whole way against the simulator.

mod bench;
mod dns;
mod documents;
mod whole;
