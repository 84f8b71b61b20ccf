//! The developers' own tool.

fn main() {}
