//! Building guests: cargo makes core modules, and this tool makes components and packages of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use wit_component::ComponentEncoder;

use crate::command;
use crate::development::Development;
use crate::failure::Failure;
use crate::place::Place;
use crate::toolchain::{TARGET, Toolchain};

/// The workspaces of guests, in the order in which they are built.
const WORKSPACES: [&str; 3] = ["runbooks", "examples", "tests/guests"];

/// Returns the folders of the workspaces that this clone has.
pub fn workspaces(place: &Place) -> Vec<PathBuf> {
    let folders = WORKSPACES.iter().map(|workspace| place.root().join(workspace));
    folders.filter(|folder| folder.join("Cargo.toml").is_file()).collect()
}

/// What runbooks in Rust are written with, as their workspace knows it.
const SDK: &str = "runwrit-sdk";

/// Builds all guests, packs them as `target/packages/<name>/{runbook.toml,component.wasm}`, and
/// signs them with the development key.
/// `only` names workspaces; all are built where it is empty.
pub fn build(place: &Place, toolchain: &Toolchain, only: &[String]) -> Result<(), Failure> {
    let development = Development::open(place)?;
    let wanted = |folder: &PathBuf| only.is_empty() || only.iter().any(|it| folder.ends_with(it));
    for folder in workspaces(place).into_iter().filter(wanted) {
        let mut guests = compile(&folder, place, *toolchain)?;
        guests.extend(written_as_text(&folder)?);
        for guest in &guests {
            guest.pack(place, &development)?;
        }
        let shown = folder.strip_prefix(place.root()).unwrap_or(&folder).display();
        eprintln!("guests: {} of `{shown}` packed", guests.len());
    }
    Ok(())
}

/// Lints the guests and runs their unit tests on this machine, beside what was built for Wasm, so
/// that macros are compiled once. Returns what could not be checked.
pub fn check(place: &Place, toolchain: &Toolchain) -> Result<Option<String>, Failure> {
    let has_clippy = command::succeeds(Command::new("cargo").args(["clippy", "--version"]));
    let is_linted = has_clippy && *toolchain == Toolchain::Plain;
    let test = |folder: &Path, what: &[&str]| {
        let mut test = Command::new("cargo");
        test.args(["test", "--quiet", "--release", "--lib"]).args(what).arg("--target-dir");
        command::run(test.arg(place.guest_target()).current_dir(folder))
    };
    // It is no member of a workspace, so that a runbook anywhere can depend on its folder.
    test(&place.root().join(WORKSPACES[0]), &["--package", SDK])?;
    for folder in workspaces(place) {
        test(&folder, &["--workspace"])?;
        if is_linted {
            let mut clippy = Command::new("cargo");
            clippy.args(["clippy", "--quiet", "--release", "--workspace", "--all-targets"]);
            clippy.args(["--target", TARGET, "--target-dir"]).arg(place.guest_target());
            clippy.args(["--", "--deny", "warnings"]).current_dir(&folder);
            command::run(&mut clippy)?;
        }
    }
    Ok((!is_linted).then(|| "the lints of guests (no `cargo clippy` for Wasm)".to_owned()))
}

/// A guest that is ready to be packed.
struct Guest {
    name: String,
    source: Source,
    /// The folder of its `runbook.toml`; a guest without one is a component and no package.
    folder: Option<PathBuf>,
}

/// What a component is made of.
enum Source {
    /// A core module, with its world in a custom section.
    Module(PathBuf),
    /// The text format.
    Text(PathBuf),
}

/// The lines of cargo that name a built artifact; other lines have other reasons.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    filenames: Option<Vec<PathBuf>>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    crate_types: Vec<String>,
    src_path: PathBuf,
}

fn compile(folder: &Path, place: &Place, toolchain: Toolchain) -> Result<Vec<Guest>, Failure> {
    let mut cargo = toolchain.cargo_build();
    cargo.current_dir(folder).args(["--workspace", "--lib", "--examples", "--target-dir"]);
    cargo.arg(place.guest_target());
    cargo.arg("--message-format=json-render-diagnostics");
    let printed = command::read(&mut cargo)?;
    Ok(printed.lines().filter_map(|line| Guest::from_line(line, folder)).collect())
}

impl Guest {
    fn from_line(line: &str, workspace: &Path) -> Option<Self> {
        let message: Message = serde_json::from_str(line).ok()?;
        let target = message.target?;
        if message.reason != "compiler-artifact" || !target.crate_types.contains(&"cdylib".into()) {
            return None;
        }
        let module = message.filenames?.into_iter().find(|file| has_extension(file, "wasm"))?;
        let package = message.manifest_path?.parent()?.to_owned();
        if !package.starts_with(workspace) {
            return None;
        }
        let is_example = target.kind.iter().any(|kind| kind == "example");
        let name = if is_example { target.name } else { target.name.replace('_', "-") };
        let holds_runbook = |folder: &&Path| folder.join("runbook.toml").is_file();
        let mut folders =
            target.src_path.ancestors().skip(1).take_while(|up| up.starts_with(&package));
        let folder = folders.find(holds_runbook).map(Path::to_owned);
        Some(Self { name, source: Source::Module(module), folder })
    }

    /// Writes the component, and the package where there is a `runbook.toml`.
    fn pack(&self, place: &Place, development: &Development) -> Result<(), Failure> {
        let component = self.component()?;
        write(&place.components().join(format!("{}.wasm", self.name)), &component)?;
        let Some(folder) = &self.folder else { return Ok(()) };
        let package = place.packages().join(&self.name);
        let manifest = folder.join("runbook.toml");
        let text = fs::read(&manifest).map_err(Failure::file(&manifest, "read"))?;
        write(&package.join("runbook.toml"), &text)?;
        write(&package.join("component.wasm"), &component)?;
        development.sign(&package)
    }

    fn component(&self) -> Result<Vec<u8>, Failure> {
        let (Source::Module(path) | Source::Text(path)) = &self.source;
        let bytes = fs::read(path).map_err(Failure::file(path, "read"))?;
        let made = match self.source {
            Source::Module(_) => ComponentEncoder::default()
                .validate(true)
                .module(&bytes)
                .and_then(|mut encoder| encoder.encode())
                .map_err(|error| format!("{error:#}")),
            Source::Text(_) => wat::Parser::new()
                .parse_bytes(Some(path), &bytes)
                .map(|bytes| bytes.into_owned())
                .map_err(|error| error.to_string()),
        };
        made.map_err(|cause| Failure::Component { name: self.name.clone(), cause })
    }
}

/// Finds the guests that stand as `<name>/guest.wat`: what no compiler would make.
fn written_as_text(workspace: &Path) -> Result<Vec<Guest>, Failure> {
    let entries = fs::read_dir(workspace).map_err(Failure::file(workspace, "read"))?;
    let folders = entries.flatten().map(|entry| entry.path());
    let guest = |folder: PathBuf| {
        let text = folder.join("guest.wat");
        let name = folder.file_name()?.to_string_lossy().into_owned();
        let is_guest = text.is_file();
        let guest = Guest { name, source: Source::Text(text), folder: Some(folder) };
        is_guest.then_some(guest)
    };
    Ok(folders.filter_map(guest).collect())
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Writes a file whole or not at all: a test may be reading the old one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Failure::file(folder, "made"))?;
    let draft = path.with_extension("draft");
    fs::write(&draft, bytes).map_err(Failure::file(&draft, "written"))?;
    fs::rename(&draft, path).map_err(Failure::file(path, "written"))
}
