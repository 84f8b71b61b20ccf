//! The same program as `runwrit`, with crash points and with rules that can be broken.

use std::process::ExitCode;

fn main() -> ExitCode {
    runwrit::main()
}
