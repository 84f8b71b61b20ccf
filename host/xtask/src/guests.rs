//! Building guests: cargo makes core modules, and this tool makes components and packages of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wit_component::ComponentEncoder;

use crate::command;
use crate::failure::Failure;
use crate::place::Place;
use crate::toolchain::Toolchain;

/// The workspaces of guests, in the order in which they are built.
const WORKSPACES: [&str; 3] = ["runbooks", "examples", "tests/guests"];

/// Builds all guests and packs them as `target/packages/<name>/{runbook.toml,component.wasm}`.
pub fn build(place: &Place, toolchain: &Toolchain) -> Result<(), Failure> {
    for workspace in WORKSPACES {
        let folder = place.root().join(workspace);
        if !folder.join("Cargo.toml").is_file() {
            eprintln!("guests: no `{workspace}` here, skipped");
            continue;
        }
        let guests = compile(&folder, place, *toolchain)?;
        for guest in &guests {
            guest.pack(place)?;
        }
        eprintln!("guests: {} of `{workspace}` packed", guests.len());
    }
    Ok(())
}

/// A guest whose core module is built.
struct Guest {
    name: String,
    module: PathBuf,
    /// The folder of its `runbook.toml`; a guest without one is a component and no package.
    folder: Option<PathBuf>,
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
        Some(Self { name, module, folder })
    }

    /// Writes the component, and the package where there is a `runbook.toml`.
    fn pack(&self, place: &Place) -> Result<(), Failure> {
        let component = self.component()?;
        write(&place.components().join(format!("{}.wasm", self.name)), &component)?;
        let Some(folder) = &self.folder else { return Ok(()) };
        let package = place.packages().join(&self.name);
        let manifest = folder.join("runbook.toml");
        let text = fs::read(&manifest).map_err(Failure::file(&manifest, "read"))?;
        write(&package.join("runbook.toml"), &text)?;
        write(&package.join("component.wasm"), &component)
    }

    fn component(&self) -> Result<Vec<u8>, Failure> {
        let module = fs::read(&self.module).map_err(Failure::file(&self.module, "read"))?;
        ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|encoder| encoder.encode())
            .map_err(|error| Failure::Component {
                name: self.name.clone(),
                cause: format!("{error:#}"),
            })
    }
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
