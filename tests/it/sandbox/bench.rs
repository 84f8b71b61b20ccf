//! Where the guests are, and a host to run them with its memory watched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use runwrit_keyring as keyring;
use serde_json::Value;
use tempfile::TempDir;

/// How often the memory of the host is read; its high-water mark misses nothing in between.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A line of a snapshot stands indented in a line of at most 100 characters.
const SNAPSHOT_CHARS_MAX: usize = 84;

/// The product where `cargo xtask test` names it, else the build with crash points.
pub fn program() -> PathBuf {
    let breakable = env!("CARGO_BIN_EXE_runwrit-breakable");
    std::env::var_os("RUNWRIT_BIN").map_or_else(|| PathBuf::from(breakable), PathBuf::from)
}

/// Returns the package of a guest.
pub fn package(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the root");
    let folder = root.join("target/packages").join(name);
    assert!(folder.is_dir(), "`{}` is missing: run `cargo xtask guests`", folder.display());
    folder
}

/// Returns the component of a guest.
pub fn component(name: &str) -> Vec<u8> {
    fs::read(package(name).join("component.wasm")).expect("the package holds a component")
}

/// Breaks long lines between words, so that a snapshot fits a window.
pub fn wrap(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_inclusive(' ');
        lines.push(words.next().unwrap_or_default().to_owned());
        for word in words {
            match lines.last_mut() {
                Some(last) if last.len() + word.trim_end().len() <= SNAPSHOT_CHARS_MAX => {
                    last.push_str(word);
                }
                _ => lines.push(format!("  {word}")),
            }
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// What became of a run.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; nothing when a signal ended the host.
    pub code: Option<i32>,
    /// What it wrote for programs.
    pub stdout: String,
    /// What it wrote for people.
    pub stderr: String,
    /// The most memory that it and its children held.
    pub peak_mib: u64,
}

impl Ended {
    /// Returns the last event of the run.
    pub fn finished(&self) -> Value {
        let mut events =
            self.stdout.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = events.next().unwrap_or_else(|| panic!("no event: {self:?}"));
        assert_eq!(last["event"], "finished", "{self:?}");
        last
    }

    /// Returns whether an event of this kind was told.
    pub fn has_event(&self, kind: &str) -> bool {
        self.stdout.contains(&format!("{{\"event\":\"{kind}\""))
    }
}

/// An installation with a state directory of its own.
pub struct Installation {
    folder: TempDir,
}

impl Installation {
    /// Makes one.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("the temporary folder is writable") }
    }

    /// Returns how many runs it knows.
    pub fn runs(&self) -> usize {
        let mut command = Command::new(program());
        command.args(["runs", "--json", "--state"]).arg(self.folder.path().join("state"));
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        let output = command.output().expect("the host is built");
        assert!(output.status.success(), "{output:?}");
        output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
    }

    /// Runs a guest on the tenant `acme`, with leave to reserve it.
    pub fn run(&self, guest: &str, options: &[&str]) -> Ended {
        watch(&mut self.command(guest, options))
    }

    /// Runs another component in the place of that of a guest.
    pub fn run_instead(&self, guest: &str, component: &[u8], options: &[&str]) -> Ended {
        let folder = self.folder.path().join("package");
        fs::create_dir(&folder).expect("the folder is writable");
        let manifest = package(guest).join("runbook.toml");
        fs::copy(manifest, folder.join("runbook.toml")).expect("the folder is writable");
        fs::write(folder.join("component.wasm"), component).expect("the folder is writable");
        keyring::sign(&folder);
        watch(&mut self.command_of(&folder, guest, options))
    }

    /// Returns the command that runs a guest.
    pub fn command(&self, guest: &str, options: &[&str]) -> Command {
        self.command_of(&package(guest), guest, options)
    }

    fn command_of(&self, package: &Path, guest: &str, options: &[&str]) -> Command {
        let grant = self.folder.path().join("grant.toml");
        fs::write(&grant, grant_for(guest)).expect("the folder is writable");
        let mut host = Command::new(program());
        host.arg("run").arg(package).args(["--input", "tenant=acme", "--yes", "--grant"]);
        host.arg(grant).arg("--state").arg(self.folder.path().join("state")).args(options);
        host.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        host.env("RUNWRIT_TRUST", keyring::install(self.folder.path()));
        host
    }
}

fn grant_for(guest: &str) -> String {
    format!(
        "version = 1\nexpires = 2099-01-01T00:00:00Z\n\n[runbook]\nname = \"{guest}\"\n\n\
         [scope]\ntenant = \"acme\"\n\n[registry]\noperations = [\"tenants.reserve\"]\n\
         [[registry.tenants]]\nid = \"acme\"\noctet = 7\n"
    )
}

/// Runs a program to its end, and looks at its memory meanwhile.
fn watch(host: &mut Command) -> Ended {
    let host = host.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = host.spawn().expect("the host is built");
    let id = child.id();
    let stdout = child.stdout.take().map(gather).expect("it is piped");
    let stderr = child.stderr.take().map(gather).expect("it is piped");
    let mut peak_kib = 0;
    let ended = loop {
        let processes = children(id).into_iter().chain([id]);
        peak_kib = peak_kib.max(processes.filter_map(high_water_kib).sum());
        if let Some(ended) = child.try_wait().expect("it is our child") {
            break ended;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let text = |thread: std::thread::JoinHandle<String>| thread.join().expect("reading ends");
    let (stdout, stderr) = (text(stdout), text(stderr));
    Ended { code: ended.code(), stdout, stderr, peak_mib: peak_kib.div_ceil(1024) }
}

fn gather(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("the host writes text");
        text
    })
}

/// Returns the children of a process, whichever of its threads started them.
pub fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let ids = |text: String| -> Vec<u32> {
        text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    };
    texts.flat_map(ids).collect()
}

fn high_water_kib(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
