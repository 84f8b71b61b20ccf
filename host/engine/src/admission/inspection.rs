//! What `runwrit inspect` tells about a package without running anything.

use runwrit_model::manifest::Tier;
use runwrit_model::operations::interface;
use serde::Serialize;

use super::package::Package;
use super::surface::Producer;

/// Everything an operator may want to know before granting anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// Name and version.
    pub runbook: String,
    /// What it does.
    pub description: String,
    /// The digest of the component.
    pub digest: String,
    /// Its size.
    pub bytes: usize,
    /// What it may import besides our packages.
    pub tier: Tier,
    /// The world that it was built for.
    pub world: String,
    /// What a run of it holds alone.
    pub scope: Option<String>,
    /// What it asks for.
    pub asks: Vec<AskLine>,
    /// What it imports.
    pub imports: Vec<ImportLine>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The inputs: name, type and description.
    pub inputs: Vec<(String, String, String)>,
    /// The outputs: name and description.
    pub outputs: Vec<(String, String)>,
    /// The tools that made it, by its own account.
    pub producers: Vec<Producer>,
    /// What stands against its start.
    pub gaps: Vec<String>,
}

/// One interface of the ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AskLine {
    /// For example `hetzner/servers`.
    pub interface: String,
    /// Why, by the author.
    pub why: String,
    /// Whether the component imports it: some languages leave out what they do not call.
    pub is_imported: bool,
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportLine {
    /// For example `runwrit:hetzner/servers@0.1.0`.
    pub name: String,
    /// What it gives to the component.
    pub reach: Reach,
}

/// What an import gives to a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Types alone.
    Types,
    /// The run itself: no grant needed.
    Run,
    /// Something that a grant must allow.
    Granted,
    /// An empty WASI context.
    InertWasi,
    /// Nothing that this host offers.
    Unknown,
}

impl Inspection {
    /// Describes a package.
    pub fn of(package: &Package) -> Self {
        let manifest = &package.manifest;
        let imports: Vec<_> = package.surface.imports.iter().map(ImportLine::of).collect();
        let is_imported =
            |path: &str| imports.iter().any(|line| own_path(&line.name) == Some(path));
        let asks = manifest.ask.iter().map(|ask| AskLine {
            interface: ask.interface.clone(),
            why: ask.why.clone(),
            is_imported: is_imported(&ask.interface),
        });
        let inputs = manifest.inputs.iter().map(|(name, input)| {
            (name.clone(), input.kind.as_str().to_owned(), input.description.clone())
        });
        let outputs = manifest.outputs.iter();
        Self {
            runbook: manifest.id(),
            description: manifest.description.clone(),
            digest: package.digest.to_string(),
            bytes: package.component.len(),
            tier: manifest.tier,
            world: manifest.world.clone(),
            scope: manifest.scope.clone(),
            asks: asks.collect(),
            exports: package.surface.exports.clone(),
            inputs: inputs.collect(),
            outputs: outputs.map(|(name, it)| (name.clone(), it.description.clone())).collect(),
            producers: package.surface.producers.clone(),
            gaps: package.gaps().iter().map(ToString::to_string).collect(),
            imports,
        }
    }
}

impl ImportLine {
    fn of(import: &runwrit_model::admission::Import) -> Self {
        let own = own_path(&import.name);
        let reach = match own.and_then(interface) {
            _ if import.is_type_only => Reach::Types,
            Some(interface) if interface.is_free => Reach::Run,
            Some(_) => Reach::Granted,
            None if import.name.starts_with("wasi:") => Reach::InertWasi,
            None => Reach::Unknown,
        };
        Self { name: import.name.clone(), reach }
    }
}

/// Returns `hetzner/servers` for `runwrit:hetzner/servers@0.1.0`.
fn own_path(name: &str) -> Option<&str> {
    let path = name.strip_prefix("runwrit:")?;
    Some(path.split_once('@').map_or(path, |(path, _)| path))
}
