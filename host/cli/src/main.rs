//! The entry of the one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runwrit::main()
}
