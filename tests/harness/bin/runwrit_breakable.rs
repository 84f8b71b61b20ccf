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
#[expect(unsafe_code, reason = "no library makes the calls that an attacker would")]
fn escape(attempt: &str) -> ExitCode {
    // Known to whoever looked before the walls stood.
    let other = rustix::process::getppid().map_or(1, |host| host.as_raw_nonzero().get());
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
        // SAFETY: these calls take numbers alone, and touch no memory of this process.
        "signal another process" => unsafe {
            libc::syscall(libc::SYS_tgkill, other, other, libc::SIGCONT);
        },
        // SAFETY: as above.
        "have another process signalled" => unsafe {
            libc::fcntl(0, libc::F_SETOWN, other);
        },
        // SAFETY: new pages that nobody uses.
        "make code" => unsafe {
            let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE);
            libc::mmap(std::ptr::null_mut(), 4_096, protection, flags | libc::MAP_ANONYMOUS, -1, 0);
        },
        "abort" => std::process::abort(),
        unknown => panic!("nobody knows how to {unknown}"),
    }
    println!("escaped");
    ExitCode::SUCCESS
}
