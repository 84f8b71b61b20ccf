//! Finds the judges that others wrote: a Python environment with pinned packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/it/simulator/requirements.txt");

/// Returns a program of the environment, which is made when it is absent or outdated.
///
/// # Panics
///
/// When the environment cannot be made; the message holds what the installer said.
pub fn program(name: &str) -> PathBuf {
    static READY: OnceLock<PathBuf> = OnceLock::new();
    READY.get_or_init(prepare).join("bin").join(name)
}

fn prepare() -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/outsiders/venv");
    let environment = PathBuf::from(root);
    let wanted = std::fs::read_to_string(REQUIREMENTS).expect("the list of pinned packages");
    // The list that was installed last lies inside, so a changed pin is noticed.
    let stamp = environment.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return environment;
    }
    println!("making {} (once)", environment.display());
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    let pip = environment.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--requirement", REQUIREMENTS]));
    std::fs::write(stamp, wanted).expect("the stamp is written");
    environment
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed; is python3-venv installed?\n{text}");
}

/// Returns a file of this room.
pub fn file(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/it/simulator")).join(name)
}
