//! Where a measurement works: a folder with a configuration, and the programs that it starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use tempfile::TempDir;

/// A folder of its own, on a disk unless it says otherwise.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// Makes one where a flush costs what it costs.
    pub fn on_disk() -> Result<Self, String> {
        let folder = tempfile::tempdir_in(root().join("target")).map_err(told("a folder"))?;
        runwrit_keyring::install(folder.path());
        Ok(Self { folder })
    }

    /// Makes one in memory.
    pub fn in_memory() -> Result<Self, String> {
        let folder = tempfile::tempdir_in("/dev/shm").map_err(told("a folder in memory"))?;
        Ok(Self { folder })
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) -> Result<(), String> {
        fs::write(self.path().join(name), text).map_err(told(name))
    }

    /// Copies a program here, as whoever installs it does. What a linker has just written lies in
    /// memory page by page, and starts a tenth slower until it is read from the disk again.
    pub fn install(&self, program: &Path) -> Result<PathBuf, String> {
        let installed = self.path().join(program.file_name().unwrap_or_default());
        fs::copy(program, &installed).map_err(told("a program"))?;
        Ok(installed)
    }

    /// Returns a command in this folder with nothing of the environment but what finds programs.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", self.path());
        command.env("RUNWRIT_CONFIG", self.path().join("runwrit.toml")).env("USER", "bench");
        command.env("RUNWRIT_TRUST", self.path().join("trust.toml"));
        command
    }
}

/// Returns the root of the sources.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the measurements stand two folders below the root")
}

/// Returns the product, as it is released.
pub fn product() -> Result<PathBuf, String> {
    let named = env::var_os("RUNWRIT_BIN").map(PathBuf::from);
    named.ok_or_else(|| "`RUNWRIT_BIN` does not name the product; use `cargo xtask bench`".into())
}

/// Returns the folder of Ansible's programs.
pub fn ansible() -> Result<PathBuf, String> {
    let named = env::var_os("RUNWRIT_BENCH_ANSIBLE").map(PathBuf::from);
    named.ok_or_else(|| "`RUNWRIT_BENCH_ANSIBLE` names no folder; use `cargo xtask bench`".into())
}

/// Returns another program of this build.
pub fn beside(name: &str) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(told("this program"))?;
    Ok(own.with_file_name(name))
}

/// Runs a command to a good end.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(told("a program"))?;
    if output.status.success() {
        return Ok(output);
    }
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (said, printed) = (shown(&output.stderr), shown(&output.stdout));
    Err(format!("{command:?} ended with {}: {said} {printed}", output.status))
}

/// Says what failed.
pub fn told<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}
