//! Debian's registry on loopback, ended with the value that stands for it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to listen on a machine that is busy.
const START_MAX: Duration = Duration::from_secs(30);
/// `acme` with the password `hunter2`, as bcrypt keeps it.
const USERS: &str = "acme:$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n";

/// A registry.
pub struct Registry {
    folder: TempDir,
    child: Child,
    /// Its host and port.
    pub host: String,
}

impl Registry {
    /// Starts one that lets everybody in.
    pub fn open() -> Self {
        Self::start("")
    }

    /// Starts one that asks for user and password.
    pub fn guarded() -> Self {
        Self::start("auth: {htpasswd: {realm: registry, path: USERS}}\n")
    }

    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let users = folder.path().join("users");
        fs::write(&users, USERS).expect("writable");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = free.local_addr().expect("it listens").to_string();
        drop(free);
        let things = folder.path().join("things");
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {host}}}\n{}",
            things.display(),
            more.replace("USERS", &users.display().to_string())
        );
        let config = folder.path().join("config.yml");
        fs::write(&config, text).expect("writable");
        let mut command = Command::new(program());
        command.arg("serve").arg(&config).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("`cargo xtask setup` brings `docker-registry`");
        let registry = Self { folder, child, host };
        registry.wait();
        registry
    }

    fn wait(&self) {
        let begun = Instant::now();
        while TcpStream::connect(&self.host).is_err() {
            assert!(begun.elapsed() < START_MAX, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns where it keeps the bytes of a digest.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let blobs = self.folder.path().join("things/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// Returns a reference to something in it.
    pub fn at(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian's package, installed or unpacked by `cargo xtask setup`.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let unpacked = root.join("target/registry/usr/bin/docker-registry");
    if unpacked.is_file() { unpacked } else { PathBuf::from("/usr/bin/docker-registry") }
}
