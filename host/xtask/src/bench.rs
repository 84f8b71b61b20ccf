//! `cargo xtask bench`: speed and size of the released product, beside what others have.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::command;
use crate::failure::Failure;
use crate::guests;
use crate::place::Place;
use crate::setup;

/// Ansible and its collection have some 60 MiB.
const FETCH_LIMIT: Duration = Duration::from_secs(900);
/// The release of Ansible whose collection speaks today's API.
const ANSIBLE: &str = "ansible==14.5.0";
/// Takes one collection out of a wheel.
const UNPACK: &str = "import sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1]); \
    wheel.extractall(sys.argv[2], \
    [name for name in wheel.namelist() if name.startswith('ansible_collections/hetzner/')])";
/// The package of Debian that counts how often a program waits for the disk.
const DEBIAN_STRACE: &str = "strace";
/// What makes a static program. It stands for the flags of `.cargo/config.toml`: it repeats them.
const STATIC: &str = "-C target-feature=+crt-static -C relro-level=partial -C link-arg=-Wl,-z,now";
/// What the table says where a promise is not kept.
const BROKEN: &str = "**no**";
/// Where the table stands in the README.
const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->";

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Only these: `whole`, `tenant`, `permits`, `calls`, `cell`, `store`, `crowd`, `packages`,
    /// `binary`; else all.
    only: Vec<String>,
    /// Build a static release from nothing as well, and measure that.
    #[arg(long)]
    clean_build: bool,
    /// Put the table into the README: all of it, with the build from nothing.
    #[arg(long, requires = "clean_build", conflicts_with = "only")]
    write: bool,
}

/// Builds what is measured, measures it, and prints the table.
pub fn run(place: &Place, settings: &Settings) -> Result<(), Failure> {
    let ready = setup::run(place)?;
    guests::build(place, &ready.toolchain, &[])?;
    let rivals = rivals(place)?;
    let target = target(place);
    build(place, &["--package", "runwrit", "--package", "runwrit-bench"])?;
    let product = target.join("release/runwrit");
    let mut bench = Command::new(target.join("release/bench"));
    bench.current_dir(place.root()).args(&settings.only);
    bench.env("RUNWRIT_BIN", &product).env("RUNWRIT_BENCH_ANSIBLE", rivals.join("bin"));
    if settings.clean_build {
        let (binary, took) = clean_build(place)?;
        bench.env("RUNWRIT_BENCH_STATIC", binary);
        bench.env("RUNWRIT_BENCH_BUILD_SECONDS", took.as_secs().to_string());
    }
    let table = command::read(&mut bench)?;
    print!("{table}");
    if settings.write {
        write(place, &table)?;
    }
    match table.contains(BROKEN) {
        true => Err(Failure::Promise),
        false => Ok(()),
    }
}

fn target(place: &Place) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| place.root().join("target"), PathBuf::from)
}

fn build(place: &Place, what: &[&str]) -> Result<(), Failure> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--release"]).args(what).current_dir(place.root());
    command::run(&mut cargo)
}

/// Builds a static release in an empty folder; returns it, and how long that took.
fn clean_build(place: &Place) -> Result<(PathBuf, Duration), Failure> {
    let folder = place.root().join("target/bench/clean");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder, "removed"))?;
    }
    let host = "x86_64-unknown-linux-gnu";
    let begun = Instant::now();
    let mut cargo = command::cargo();
    cargo.args(["build", "--release", "--package", "runwrit", "--target", host, "--target-dir"]);
    cargo.arg(&folder).env("RUSTFLAGS", STATIC);
    command::run(cargo.current_dir(place.root()))?;
    Ok((folder.join(host).join("release/runwrit"), begun.elapsed()))
}

/// Installs Ansible, its collection and a tracer; returns the environment of Python.
fn rivals(place: &Place) -> Result<PathBuf, Failure> {
    let folder = place.root().join("target/bench");
    let (venv, stamp) = (folder.join("venv"), folder.join("installed.txt"));
    if !command::succeeds(Command::new("strace").arg("--version")) {
        setup::install(&[DEBIAN_STRACE])?;
    }
    let list = place.root().join("tests/bench/ansible/requirements.txt");
    let wanted = fs::read(&list).map_err(Failure::file(&list, "read"))?;
    if fs::read(&stamp).is_ok_and(|present| present == wanted) {
        return Ok(venv);
    }
    let run = |command: &mut Command| command::run_within(command, FETCH_LIMIT);
    let python = venv.join("bin/python3");
    let pip = |words: &[&str]| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).args(words);
        pip
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(pip(&["install", "--requirement"]).arg(&list))?;
    // Its metadata asks for a newer Python than its modules need.
    let any = ["download", "--no-deps", "--only-binary=:all:", "--python-version", "3.13"];
    run(pip(&any).args(["--dest"]).arg(&folder).arg(ANSIBLE))?;
    let wheel = folder.join("ansible-14.5.0-py3-none-any.whl");
    let collections = venv.join("collections");
    run(Command::new(&python).args(["-c", UNPACK]).arg(&wheel).arg(&collections))?;
    fs::remove_file(&wheel).map_err(Failure::file(&wheel, "removed"))?;
    fs::write(&stamp, wanted).map_err(Failure::file(&stamp, "written"))?;
    Ok(venv)
}

/// Puts the table into the README, with its date.
fn write(place: &Place, table: &str) -> Result<(), Failure> {
    let path = place.root().join("README.md");
    let text = fs::read_to_string(&path).map_err(Failure::file(&path, "read"))?;
    let gap = || {
        let what = format!("`{}` has no place for the table", path.display());
        Failure::Missing(what, format!("add the lines `{}` and `{END}`", BEGIN.trim()))
    };
    let (before, rest) = text.split_once(BEGIN).ok_or_else(gap)?;
    let (_, after) = rest.split_once(END).ok_or_else(gap)?;
    let date = command::read(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
    let date = date.trim();
    let new = format!("{before}{BEGIN}Measured on {date}:\n\n{table}{END}{after}");
    fs::write(&path, new).map_err(Failure::file(&path, "written"))
}
