//! `cargo xtask setup`: what building and testing needs, found or made; again changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::development::Development;
use crate::failure::Failure;
use crate::place::Place;
use crate::toolchain::{self, Choice, DEBIAN_LINKER, Toolchain};

/// Debian's compiler has some 400 MiB; a slow mirror must still end some time.
const APT_LIMIT: Duration = Duration::from_secs(1_800);
/// The clients of outsiders have some 30 packages.
const PIP_LIMIT: Duration = Duration::from_secs(600);

/// Packages of Debian that build guests where rustup cannot help.
const DEBIAN_TOOLCHAIN: [&str; 4] = ["cargo-web", "rust-web-llvm", "rust-web-src", "rustc-web"];
/// The package of Debian without which Python makes no environments.
const DEBIAN_VENV: &str = "python3-venv";

/// The package of Debian whose registry keeps what we push, in tests. It is unpacked below
/// `target`: where it is installed, Debian starts it as a service.
const DEBIAN_REGISTRY: &str = "docker-registry";

/// Programs of others that tests need.
struct Tool {
    /// What they are called.
    name: &'static str,
    /// The packages of Debian that bring them.
    packages: &'static [&'static str],
    is_there: fn() -> bool,
    /// What tests cannot do without them.
    purpose: &'static str,
}

const TOOLS: [Tool; 7] = [
    Tool {
        name: "nft",
        packages: &["nftables"],
        // It stands where only root looks for programs.
        is_there: || stands(&["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"]),
        purpose: "loading the host rules of servers",
    },
    Tool {
        name: "age",
        packages: &["age"],
        is_there: || answers(&["age", "age-keygen"], "--version"),
        purpose: "backups, opened by the programs of age",
    },
    Tool {
        name: "jq and openssl",
        packages: &["jq", "openssl"],
        is_there: || answers(&["jq"], "--version") && answers(&["openssl"], "version"),
        purpose: "signatures, verified without anything of ours",
    },
    Tool {
        name: "skopeo",
        packages: &["skopeo"],
        is_there: || answers(&["skopeo"], "--version"),
        purpose: "pushed packages, read by another program",
    },
    Tool {
        name: "npm",
        packages: &["npm"],
        is_there: || answers(&["node", "npm"], "--version"),
        purpose: "signatures and roots, read by the libraries of sigstore and TUF for JavaScript",
    },
    Tool {
        name: "faketime",
        packages: &["faketime"],
        is_there: || answers(&["faketime"], "--version"),
        purpose: "roots that expire, by the conformance suite of TUF",
    },
    Tool {
        name: "kill",
        packages: &["procps"],
        is_there: || stands(&["/bin/kill", "/usr/bin/kill"]),
        purpose: "processes that are stopped and killed",
    },
];

/// What the setup found or made.
pub struct Ready {
    /// What compiles guests.
    pub toolchain: Toolchain,
    /// What is missing, and so what tests will skip.
    pub missing: Vec<String>,
}

/// Finds or makes everything, one line each. Only packages of Debian need root, and they are asked
/// for at once.
pub fn run(place: &Place) -> Result<Ready, Failure> {
    let mut missing = Vec::new();
    let wasm = toolchain::prepare(Choice::Any);
    let needs_venv = outsiders(place).is_some() && !has_venv();
    let mut packages = Vec::new();
    if wasm.is_err() {
        packages.extend(DEBIAN_TOOLCHAIN);
    }
    if needs_venv {
        packages.push(DEBIAN_VENV);
    }
    for tool in TOOLS.iter().filter(|tool| !(tool.is_there)()) {
        packages.extend(tool.packages);
    }
    if !packages.is_empty()
        && let Err(failure) = install(&packages)
    {
        eprintln!("packages: {failure}");
    }
    let toolchain = wasm.or_else(|_| toolchain::prepare(Choice::Debian))?;
    for Tool { name, is_there, purpose, .. } in &TOOLS {
        match is_there() {
            true => eprintln!("{name}: found"),
            false => missing.push(format!("{purpose} (no `{name}`)")),
        }
    }
    match registry(place) {
        Ok(line) => eprintln!("docker-registry: {line}"),
        Err(failure) => {
            eprintln!("docker-registry: {failure}");
            missing.push("a real registry (no `docker-registry`)".to_owned());
        }
    }
    Development::open(place)?;
    eprintln!("development key: `target/development/trust.toml` trusts it");
    if let Some(what) = clients(place) {
        missing.push(what);
    }
    Ok(Ready { toolchain, missing })
}

/// The clients of other people that judge the simulator, where this clone tests them.
fn outsiders(place: &Place) -> Option<PathBuf> {
    let list = place.root().join("tests/it/simulator/requirements.txt");
    list.is_file().then_some(list)
}

fn has_venv() -> bool {
    command::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]))
}

fn stands(paths: &[&str]) -> bool {
    paths.iter().any(|path| Path::new(path).exists())
}

fn answers(programs: &[&str], word: &str) -> bool {
    programs.iter().all(|it| command::succeeds(Command::new(it).arg(word)))
}

/// Finds Debian's registry, or unpacks it below `target`.
fn registry(place: &Place) -> Result<&'static str, Failure> {
    let folder = place.root().join("target/registry");
    if Path::new("/usr/bin/docker-registry").is_file() {
        return Ok("it is installed");
    }
    if folder.join("usr/bin/docker-registry").is_file() {
        return Ok("it is unpacked below `target`");
    }
    fs::create_dir_all(&folder).map_err(Failure::file(&folder, "made"))?;
    let fetch = format!("apt-get download {DEBIAN_REGISTRY}");
    // A fresh machine has no list of packages yet.
    let unpack = format!("dpkg-deb -x {DEBIAN_REGISTRY}_*.deb .");
    let line = format!("{{ {fetch} || {{ apt-get update && {fetch}; }}; }} && {unpack}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(&folder);
    command::run_within(&mut shell, APT_LIMIT)?;
    Ok("unpacked it below `target`")
}

/// Makes the Python environment of the outsiders. Returns what is missing after it.
fn clients(place: &Place) -> Option<String> {
    let list = outsiders(place)?;
    match install_clients(place, &list) {
        Ok(line) => {
            eprintln!("outsiders: {line}");
            None
        }
        Err(failure) => {
            eprintln!("outsiders: {failure}");
            Some("the outsiders' clients that judge the simulator (no Python environment)".into())
        }
    }
}

fn install_clients(place: &Place, list: &PathBuf) -> Result<String, Failure> {
    let folder = place.root().join("target/outsiders/venv");
    let stamp = folder.join("requirements.txt");
    let wanted = fs::read(list).map_err(Failure::file(list, "read"))?;
    if fs::read(&stamp).is_ok_and(|present| present == wanted) {
        return Ok("the pinned clients are installed".to_owned());
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&folder);
    command::run_within(&mut make, PIP_LIMIT)?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(list);
    command::run_within(&mut pip, PIP_LIMIT)?;
    fs::write(&stamp, wanted).map_err(Failure::file(&stamp, "written"))?;
    Ok("installed the pinned clients".to_owned())
}

/// Installs packages of Debian, with root asked for once and named.
pub fn install(packages: &[&str]) -> Result<(), Failure> {
    let list = packages.join(" ");
    // Without the update a fresh machine would get an older compiler than the security archive has.
    // The linker is only recommended, and its package is named as the link to it says.
    let line = format!(
        "apt-get update; install='apt-get install -y --no-install-recommends'; $install {list} && \
         if [ -L {DEBIAN_LINKER} ]; then $install $(basename $(readlink {DEBIAN_LINKER})); fi"
    );
    let mut shell = if is_root() {
        Command::new("sh")
    } else {
        eprintln!("packages: root is needed once, to install {list}; sudo asks for it");
        let mut sudo = Command::new("sudo");
        sudo.arg("sh");
        sudo
    };
    shell.args(["-c", &line]).env("DEBIAN_FRONTEND", "noninteractive");
    command::run_within(&mut shell, APT_LIMIT)?;
    eprintln!("packages: installed {list}");
    Ok(())
}

fn is_root() -> bool {
    command::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
