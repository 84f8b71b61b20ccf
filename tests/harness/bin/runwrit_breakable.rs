//! The same program as `runwrit`, with crash points and with rules that can be broken; with one
//! word more, by which it tries to break out of the walls of a cell.

use std::net::TcpStream;
use std::process::{Command, ExitCode};

use runwrit_engine::cell::confine;

/// The word: after it comes what to try.
const ESCAPE_WORD: &str = "__escape";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some(ESCAPE_WORD), Some(attempt)) => escape(&attempt),
        _ => runwrit::main(),
    }
}

/// Tries one way out; what it says at the end is seen only where the walls let it pass.
fn escape(attempt: &str) -> ExitCode {
    confine().expect("the kernel filters system calls");
    match attempt {
        "compute" => drop(vec![1_u8; 1 << 20]),
        "open a file" => drop(std::fs::File::open("/etc/passwd")),
        "write a file" => drop(std::fs::write("/tmp/escaped", "escaped")),
        "connect" => drop(TcpStream::connect("127.0.0.1:9")),
        "start a program" => drop(Command::new("/bin/true").status()),
        "start a thread" => drop(std::thread::Builder::new().spawn(|| ())),
        "kill another process" => drop(rustix::process::kill_process(
            rustix::process::Pid::INIT,
            rustix::process::Signal::CONT,
        )),
        other => panic!("nobody knows how to {other}"),
    }
    println!("escaped");
    ExitCode::SUCCESS
}
