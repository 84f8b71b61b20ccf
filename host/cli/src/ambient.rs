//! Where environment, clock, disk and signals enter: the only room that takes them from thin air.
//!
//! Everything below is handed what it needs as an argument; `clippy.toml` bans the rest.

mod patient;
pub mod trusted;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runwrit_engine::clock::Clock;
use runwrit_model::journal::UnixMs;
use runwrit_model::limits;

use self::patient::Patient;
use crate::error::Error;

/// What the operating system gave to this process.
#[derive(Debug, Clone)]
pub struct Ambient {
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    /// The directory that relative paths start from.
    pub directory: PathBuf,
    /// Whether standard input is a terminal.
    pub is_stdin_terminal: bool,
    /// Whether standard output is a terminal.
    pub is_stdout_terminal: bool,
    /// Whether standard error is a terminal.
    pub is_stderr_terminal: bool,
}

impl Ambient {
    /// Takes everything from the running process.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
    pub fn of_process() -> Self {
        // A variable that is not UTF-8 names nothing that we read, so it is left out.
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            arguments: std::env::args_os().collect(),
            variables: std::env::vars_os().filter_map(text).collect(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            is_stdin_terminal: io::stdin().is_terminal(),
            is_stdout_terminal: io::stdout().is_terminal(),
            is_stderr_terminal: io::stderr().is_terminal(),
        }
    }

    /// Returns the arguments, the name of the program first.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Returns a variable of the environment; an empty one counts as absent.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// Returns whether a variable is set at all, even to nothing.
    pub fn has_variable(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    fn given(&self, name: &str) -> Option<&str> {
        let mut variables = self.variables.iter();
        variables.find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first of these below which things of this user live: `$variable/runwrit`, else
    /// `$HOME/fallback/runwrit`.
    pub fn user_directory(&self, variable: &str, fallback: &str) -> Option<PathBuf> {
        let base = match self.variable(variable) {
            Some(base) => PathBuf::from(base),
            None => Path::new(self.variable("HOME")?).join(fallback),
        };
        Some(base.join("runwrit"))
    }

    /// Returns who starts runs: the user behind `sudo`, else the user.
    pub fn starter(&self) -> String {
        let named = self.variable("SUDO_USER").or(self.variable("USER"));
        named.map_or_else(
            || format!("uid {}", rustix::process::getuid().as_raw()),
            |name| name.to_owned(),
        )
    }
}

impl Ambient {
    /// Returns who answers for something, as `user@host`.
    pub fn operator(&self) -> String {
        match host_name().as_str() {
            "" => self.starter(),
            host => format!("{}@{host}", self.starter()),
        }
    }
}

/// Returns the name of this machine; nothing where the kernel does not tell it.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Returns milliseconds since 1970-01-01 UTC.
#[expect(clippy::disallowed_methods, reason = "this is where the clock enters")]
pub fn now_unix_ms() -> u64 {
    let now = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    now.saturating_add_signed(runwrit_model::breakable::clock_shift_ms())
}

/// Returns a point in time for measuring durations.
#[expect(clippy::disallowed_methods, reason = "this is where the clock enters")]
pub fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Returns random bytes that are fit for secrets.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// Fills bytes with randomness that is fit for secrets.
#[expect(clippy::disallowed_methods, reason = "this is where randomness enters")]
pub fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("Linux gives randomness once it has booted");
}

/// Returns the path of this program.
#[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
pub fn program() -> PathBuf {
    // The kernel's own link stays right while an update replaces the file.
    let link = PathBuf::from("/proc/self/exe");
    if exists(&link) { link } else { std::env::current_exe().unwrap_or(link) }
}

/// Returns the file that this program was started from, for others to start it again.
#[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
pub fn program_file() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("runwrit"))
}

/// The clock of the host.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        now_unix_ms()
    }

    fn sleep_until(&self, until: UnixMs) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The clock may be set meanwhile, forward or backward; that moves no wait.
            let left = until.saturating_sub(now_unix_ms());
            tokio::time::sleep(Duration::from_millis(left)).await;
        })
    }

    fn ticks(&self) -> u64 {
        static BEGAN: OnceLock<std::time::Instant> = OnceLock::new();
        let passed = now().duration_since(*BEGAN.get_or_init(now));
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }
}

impl runwrit_capabilities::hetzner::clock::Clock for SystemClock {
    fn now_unix_ms(&self) -> u64 {
        now_unix_ms()
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(pause))
    }
}

/// Reads a file of at most `bytes_max` bytes; `what` names it in errors, for example `grant`. It
/// may be a pipe, as shells make them of `<(…)`.
pub fn read(what: &str, path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let wrong = |source: io::Error| {
        Error::usage(format!("the {what} `{}` cannot be read: {source}", path.display()))
    };
    let file = Patient::open(path, limits::PIPE_WAIT_MAX).map_err(wrong)?;
    let mut bytes = file.room(bytes_max);
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("the {what} `{}` is too large", path.display());
        return Err(Error::usage(message).hint(format!("at most {bytes_max} bytes are read")));
    }
    Ok(bytes)
}

/// Reads a text file; see [`read`].
pub fn read_text(what: &str, path: &Path, bytes_max: u64) -> Result<String, Error> {
    String::from_utf8(read(what, path, bytes_max)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::usage(format!("the {what} `{}` is not UTF-8 at byte {at}", path.display()))
    })
}

/// Reads a file that nobody else may read; anything but mode 0600 or 0400 is refused.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn read_private(what: &str, path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let metadata = std::fs::metadata(path).map_err(|source| {
        Error::usage(format!("the {what} `{}` cannot be read: {source}", path.display()))
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o177 != 0 {
        let shown = path.display();
        return Err(Error::usage(format!("the {what} `{shown}` has mode {mode:04o}"))
            .hint(format!("`chmod 600 {shown}`: a secret is readable by its owner alone")));
    }
    read(what, path, bytes_max)
}

/// Writes a file of mode 0600 whole or not at all. One that stands there already is left alone.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn write_private_once(what: &str, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link, not a rename: of two processes that make it at once, the first one wins.
        let linked = std::fs::hard_link(&partial, path);
        std::fs::remove_file(&partial)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    };
    write().map_err(|source: io::Error| {
        Error::usage(format!("the {what} `{}` cannot be written: {source}", path.display())).hint(
            "free space, check the owner of the directory, or choose another with `--state DIR`",
        )
    })
}

/// Writes a file whole or not at all, in place of one that stands there.
pub fn write_whole(what: &str, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with_mode(what, path, bytes, 0o666)
}

/// Writes a file of mode 0600 whole or not at all, in place of one that stands there.
pub fn write_private_whole(what: &str, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with_mode(what, path, bytes, 0o600)
}

#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
fn write_with_mode(what: &str, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(mode);
        let mut file = options.open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().map_err(|source: io::Error| {
        // What was begun is worth nothing.
        let _ = std::fs::remove_file(&partial);
        Error::usage(format!("the {what} `{}` cannot be written: {source}", path.display()))
            .hint("free space, or name a file in a directory that can be written")
    })
}

/// Makes sure that a new file can be written where `path` will be, and leaves nothing there.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn probe_beside(what: &str, path: &Path) -> Result<(), Error> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".probe-{}", std::process::id()));
    let probe = path.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&probe);
    made.and_then(|_| std::fs::remove_file(&probe)).map_err(|source| {
        Error::usage(format!("the {what} `{}` cannot be written: {source}", path.display()))
            .hint("name a file in a directory that can be written; nothing was changed")
    })
}

/// Returns whether something stands at `path`.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Returns the names in a directory, sorted; nothing where it cannot be read.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn names_in(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Makes a directory that only this user may enter, with those above it.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn make_private_directory(what: &str, path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| {
        Error::usage(format!("the {what} `{}` cannot be made: {source}", path.display()))
            .hint("choose another with `--state DIR`")
    })
}

/// Returns the mode of a file or directory; nothing where there is none.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o777)
}

/// Returns whether this user may write to a file, or make files in a directory.
pub fn may_write(path: &Path) -> bool {
    let flags = rustix::fs::AtFlags::EACCESS;
    rustix::fs::accessat(rustix::fs::CWD, path, rustix::fs::Access::WRITE_OK, flags).is_ok()
}

/// Returns the size of a file; nothing where there is none.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.len())
}

/// Returns how many bytes and files are free where `path` lies.
pub fn free(path: &Path) -> io::Result<(u64, u64)> {
    let found = rustix::fs::statvfs(path)?;
    // File systems without a fixed number of files tell zero of zero.
    let files = if found.f_files == 0 { u64::MAX } else { found.f_favail };
    Ok((found.f_bavail.saturating_mul(found.f_frsize), files))
}

/// Asks another program one question and returns its first line; nothing where there is no such
/// program. No credential is handed on.
#[expect(clippy::disallowed_methods, reason = "this is where other programs enter")]
pub async fn ask_program(
    ambient: &Ambient,
    program: &str,
    arguments: &[&str],
    wait_max: Duration,
) -> Option<Result<String, String>> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env_clear().stdin(std::process::Stdio::null()).kill_on_drop(true);
    for name in ["PATH", "HOME", "DOCKER_HOST", "XDG_RUNTIME_DIR"] {
        if let Some(value) = ambient.variable(name) {
            command.env(name, value);
        }
    }
    let first = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
    };
    match tokio::time::timeout(wait_max, command.output()).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Ok(Err(error)) => Some(Err(error.to_string())),
        Ok(Ok(output)) if output.status.success() => Some(Ok(first(&output.stdout))),
        Ok(Ok(output)) => Some(Err(first(&output.stderr))),
        Err(_) => Some(Err(format!("no answer within {} s", wait_max.as_secs()))),
    }
}

/// A directory that vanishes with this value.
#[derive(Debug)]
pub struct ThrowAway {
    path: PathBuf,
}

impl ThrowAway {
    /// Makes one below the directory for temporary files.
    #[expect(clippy::disallowed_methods, reason = "this is where files enter")]
    pub fn new() -> Result<Self, Error> {
        let name = format!("runwrit-{}-{}", std::process::id(), now_unix_ms());
        let path = std::env::temp_dir().join(name);
        // Not recursive: a directory that somebody else made before is an error.
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path }),
            Err(source) => {
                let shown = path.display();
                Err(Error::usage(format!(
                    "the throw-away store `{shown}` cannot be made: {source}"
                ))
                .hint("set `TMPDIR` to a directory that can be written"))
            }
        }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ThrowAway {
    #[expect(clippy::disallowed_methods, reason = "this is where files enter")]
    fn drop(&mut self) {
        // It lies below the directory for temporary files, which is cleaned by the system as well.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Ends the process at once. What was in flight is settled by `resume`.
#[expect(clippy::disallowed_methods, reason = "a second Ctrl-C must not wait for anything")]
pub fn exit_now(exit: runwrit_model::exit::Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}

/// Returns what the host of a cell has put in the place of standard input.
pub fn handed() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}
