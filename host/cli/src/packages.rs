//! Finds the package that a RUNBOOK argument means.

use std::path::{Path, PathBuf};

use runwrit_engine::admission::{Package, PackageError};

use crate::ambient;
use crate::configuration::Configuration;
use crate::error::{Error, chain};

/// Reads the package at a path, or that of a name with an optional `@version` in the directories of
/// the configuration.
pub fn find(runbook: &str, configuration: &Configuration) -> Result<Package, Error> {
    let is_path = runbook.contains('/') || runbook == "." || runbook == "..";
    if is_path || ambient::exists(&Path::new(runbook).join("runbook.toml")) {
        return read(Path::new(runbook));
    }
    let (name, version) = match runbook.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (runbook, None),
    };
    for folder in configuration.package_directories() {
        for candidate in candidates(&folder, name, version) {
            let package = read(&candidate)?;
            let manifest = &package.manifest;
            let is_version = version.is_none_or(|version| manifest.runbook_version == version);
            if manifest.name == name && is_version {
                return Ok(package);
            }
        }
    }
    Err(not_found(runbook, configuration))
}

/// A folder holds `NAME`, or `NAME@VERSION` where several versions stand side by side.
fn candidates(folder: &Path, name: &str, version: Option<&str>) -> Vec<PathBuf> {
    let names = ambient::names_in(folder).into_iter().filter(|found| match found.split_once('@') {
        None => found == name,
        Some((base, tail)) => base == name && version.is_none_or(|version| tail == version),
    });
    let mut paths: Vec<PathBuf> = names.map(|found| folder.join(found)).collect();
    // Sorted names: the last one is the newest as far as names tell; versions are exact otherwise.
    paths.reverse();
    paths
}

fn read(folder: &Path) -> Result<Package, Error> {
    Package::read(folder).map_err(|error| match error {
        PackageError::Manifest(faults) => faults.into(),
        other => {
            let exit = other.exit();
            Error::new(exit, chain(&other))
        }
    })
}

fn not_found(runbook: &str, configuration: &Configuration) -> Error {
    let directories = configuration.package_directories();
    let shown: Vec<_> = directories.iter().map(|path| format!("`{}`", path.display())).collect();
    let error = Error::usage(format!("there is no runbook `{runbook}`"));
    match shown.is_empty() {
        true => error
            .hint("give the path of a package, or name directories as `packages` in runwrit.toml"),
        false => {
            error.hint(format!("looked in {}; or give the path of a package", shown.join(", ")))
        }
    }
}
