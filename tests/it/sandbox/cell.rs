//! The cell of a guest: a process that holds nothing, and that the kernel lets do nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::bench::{self, Installation};

/// A secret that the host holds while a guest runs.
const CANARY: &str = "simulated-canary-of-the-cell-test-0123456789abcdef0123456789abcd";
/// How long a busy machine may take to start a guest.
const START_MAX: Duration = Duration::from_secs(60);

#[test]
fn the_walls_let_nothing_out() {
    let rows = [
        "open a file",
        "write a file",
        "connect",
        "start a program",
        "start a thread",
        "kill another process",
        "signal another process",
        "have another process signalled",
        "make code",
    ];
    for attempt in rows {
        let ended = escape(attempt);
        assert_eq!(ended.status.signal(), Some(31), "`{attempt}` ended as {ended:?}");
        assert!(ended.stdout.is_empty(), "`{attempt}` went on: {ended:?}");
    }
    let computed = escape("compute");
    assert!(computed.status.success(), "a guest must be able to compute: {computed:?}");
    assert_eq!(computed.stdout, b"escaped\n");
    assert_eq!(escape("abort").status.signal(), Some(6), "its own end is nobody else's");
}

fn escape(attempt: &str) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_runwrit-breakable");
    Command::new(program).args(["__escape", attempt]).output().expect("it is built")
}

/// Ends a host, whatever a test finds.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn while_a_guest_runs_its_cell_holds_no_secret_no_file_and_no_way_out() {
    let installation = Installation::new();
    let mut host = installation.command("endless-loop", &[]);
    host.env("HCLOUD_TOKEN", CANARY).stdin(Stdio::null());
    host.stdout(Stdio::null()).stderr(Stdio::null());
    let host = Running(host.spawn().expect("the host is built"));
    let cell = confined_child(host.0.id());
    let environment = fs::read(format!("/proc/{cell}/environ")).expect("it runs");
    assert!(environment.is_empty(), "{}", String::from_utf8_lossy(&environment));
    assert_eq!(fs::read_link(format!("/proc/{cell}/cwd")).expect("it runs").as_os_str(), "/");
    let status = fs::read_to_string(format!("/proc/{cell}/status")).expect("it runs");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    for file in open_files(cell) {
        let is_expected = ["socket:", "pipe:", "/memfd:"].iter().any(|it| file.starts_with(it))
            || file.ends_with(".cwasm");
        assert!(is_expected, "the cell holds `{file}` open");
    }
    // The parent dies, and so does the cell: at its next word, or after its time to compute.
    drop(host);
}

/// Waits for the child of `host` that the kernel filters.
fn confined_child(host: u32) -> u32 {
    let began = Instant::now();
    loop {
        let confined = bench::children(host).into_iter().find(|child| {
            let status = fs::read_to_string(format!("/proc/{child}/status"));
            status.is_ok_and(|status| status.contains("Seccomp:\t2"))
        });
        if let Some(cell) = confined {
            return cell;
        }
        assert!(began.elapsed() < START_MAX, "no child of the host is confined");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn open_files(process: u32) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.map(|target| target.display().to_string()).collect()
}
