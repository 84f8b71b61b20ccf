//! Finds the package that a RUNBOOK argument means.

use std::path::{Path, PathBuf};

use runwrit_engine::admission::{Package, PackageError, collect};
use runwrit_trust::parcel::Hashed;

use crate::ambient;
use crate::configuration::Configuration;
use crate::error::{Error, chain};

/// Reads the package at a path, or that of a name with an optional `@version` in the directories of
/// the configuration. `judge` decides over the bytes before anything of them is parsed; what it
/// returns comes back with the package.
pub fn find<V>(
    runbook: &str,
    configuration: &Configuration,
    judge: impl Fn(&Path, &Hashed<'_>) -> Result<V, Error>,
) -> Result<(Package, V), Error> {
    let is_path = runbook.contains('/') || runbook == "." || runbook == "..";
    if is_path || ambient::exists(&Path::new(runbook).join("runbook.toml")) {
        return read(Path::new(runbook), judge);
    }
    let (name, version) = match runbook.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (runbook, None),
    };
    let mut others = Vec::new();
    for folder in configuration.package_directories() {
        for candidate in candidates(&folder, name, version) {
            let found = read(&candidate, &judge)?;
            let manifest = &found.0.manifest;
            if manifest.name != name {
                continue;
            }
            if version.is_none_or(|version| manifest.runbook_version == version) {
                return Ok(found);
            }
            others.push(format!("`{name}@{}`", manifest.runbook_version));
        }
    }
    Err(not_found(runbook, &others, configuration))
}

/// A folder holds `NAME`, or `NAME@VERSION` where several versions stand side by side.
fn candidates(folder: &Path, name: &str, version: Option<&str>) -> Vec<PathBuf> {
    let names = ambient::names_in(folder).into_iter().filter(|found| match found.split_once('@') {
        None => found == name,
        Some((base, tail)) => base == name && version.is_none_or(|version| tail == version),
    });
    let mut paths: Vec<PathBuf> = names.map(|found| folder.join(found)).collect();
    // The newest first, as far as names tell: `0.10.0` comes after `0.9.0`.
    paths.sort_by_cached_key(|path| std::cmp::Reverse(numbers(path)));
    paths
}

/// Returns the numbers of a version at the end of a path.
fn numbers(path: &Path) -> Vec<u64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version = name.split_once('@').map_or("", |(_, version)| version);
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

fn read<V>(
    folder: &Path,
    judge: impl Fn(&Path, &Hashed<'_>) -> Result<V, Error>,
) -> Result<(Package, V), Error> {
    let parcel = collect(folder).map_err(unusable)?;
    let hashed = Hashed::of(&parcel);
    let (verdict, digest) = (judge(folder, &hashed)?, hashed.component());
    Ok((Package::of_hashed(folder, parcel, digest).map_err(unusable)?, verdict))
}

/// Says why a folder is no package.
pub fn unusable(error: PackageError) -> Error {
    match error {
        PackageError::Manifest(faults) => faults.into(),
        other => {
            let exit = other.exit();
            Error::new(exit, chain(&other))
        }
    }
}

fn not_found(runbook: &str, others: &[String], configuration: &Configuration) -> Error {
    let directories = configuration.package_directories();
    let shown: Vec<_> = directories.iter().map(|path| format!("`{}`", path.display())).collect();
    let error = Error::usage(format!("there is no runbook `{runbook}`"));
    if !others.is_empty() {
        return error.hint(format!("there is {}", others.join(", ")));
    }
    match shown.is_empty() {
        true => error
            .hint("give the path of a package, or name directories as `packages` in runwrit.toml"),
        false => {
            error.hint(format!("looked in {}; or give the path of a package", shown.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::numbers;

    #[test]
    fn a_version_is_newer_by_its_numbers() {
        let rows = [("a@0.9.0", "a@0.10.0"), ("a", "a@0.1.0"), ("a@1.0", "a@1.0.1")];
        for (older, newer) in rows {
            assert!(numbers(Path::new(older)) < numbers(Path::new(newer)), "{older} {newer}");
        }
    }
}
