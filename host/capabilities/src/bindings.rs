//! What `wit/` says, as Rust: generated when this crate is compiled.
//!
//! Calls that reach the gate are async. An error of a capability is a `CallError`: a failure goes
//! to the guest, a stop traps it and can be downcast from the trap.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "runwrit:host/everything",
    imports: {
        "runwrit:run/inputs": trappable,
        "runwrit:run/outputs": trappable,
        "runwrit:run/log": trappable,
        "runwrit:run/random": trappable,
        "runwrit:run/clock.now": trappable,
        "runwrit:run/recovery.last-call": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    // Values that a journal keeps.
    additional_derives: [serde::Serialize, serde::Deserialize],
    trappable_error_type: {
        "runwrit:types/failures.failure" => crate::gate::CallError,
    },
});

#[expect(clippy::disallowed_methods, reason = "these tests look at the files of `wit/`")]
#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::{Path, PathBuf};

    use runwrit_model::id::Digest;
    use wit_parser::{Docs, Resolve, Stability, TypeDefKind};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Returns the files of all packages, by their path from the root.
    fn files() -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in fs::read_dir(root().join("wit/deps")).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
        files
    }

    /// Runbooks in the field were built against these bytes, so a change is a new version folder.
    #[test]
    fn released_packages_are_frozen() {
        let frozen = fs::read_to_string(root().join("wit/frozen.sha256")).unwrap();
        let frozen = frozen.lines().map(|line| line.split_once("  ").expect("digest and path"));
        let frozen: BTreeMap<_, _> = frozen.map(|(digest, path)| (path, digest)).collect();
        let folder = |path: &str| path.rsplit_once('/').expect("a folder").0.to_owned();
        let released: BTreeSet<_> = frozen.keys().map(|path| folder(path)).collect();
        let files = files();
        for (path, digest) in &frozen {
            let bytes = files.get(*path).unwrap_or_else(|| panic!("{path} is frozen but gone"));
            let message = "is frozen: put the change into a folder of a new version";
            assert_eq!(Digest::of(bytes).hex(), **digest, "{path} {message}");
        }
        for path in files.keys().filter(|path| released.contains(&folder(path))) {
            assert!(frozen.contains_key(path.as_str()), "{path} was added to a frozen folder");
        }
    }

    #[test]
    fn the_frozen_list_covers_every_package_of_the_world() {
        let frozen = fs::read_to_string(root().join("wit/frozen.sha256")).unwrap();
        for path in files().keys() {
            let hint = "add it: `sha256sum wit/deps/*/*.wit > wit/frozen.sha256`";
            assert!(frozen.contains(path.as_str()), "{path} is not frozen; {hint}");
        }
    }

    #[test]
    fn every_item_of_the_world_is_documented() {
        let mut resolve = Resolve::default();
        resolve.push_dir(root().join("wit")).unwrap();
        let mut bare = Vec::new();
        let mut expect = |docs: &Docs, what: String| {
            if docs.contents.as_deref().unwrap_or_default().trim().is_empty() {
                bare.push(what);
            }
        };
        for (_, package) in &resolve.packages {
            expect(&package.docs, package.name.to_string());
        }
        for (_, world) in &resolve.worlds {
            expect(&world.docs, format!("world {}", world.name));
        }
        for (_, interface) in &resolve.interfaces {
            let place = interface.name.clone().unwrap_or_default();
            expect(&interface.docs, place.clone());
            assert_eq!(interface.stability, Stability::Unknown, "{place} has no stability marks");
            for (name, function) in &interface.functions {
                expect(&function.docs, format!("{place}.{name}"));
            }
        }
        for (_, definition) in &resolve.types {
            let Some(name) = &definition.name else { continue };
            // A `use` of a type is documented where the type is.
            if matches!(definition.kind, TypeDefKind::Type(_)) {
                continue;
            }
            expect(&definition.docs, name.clone());
            for (part, docs) in parts(&definition.kind) {
                expect(docs, format!("{name}.{part}"));
            }
        }
        assert!(bare.is_empty(), "without a doc comment: {bare:?}");
    }

    /// Returns the fields, cases or flags of a type with their docs.
    fn parts(kind: &TypeDefKind) -> Vec<(&str, &Docs)> {
        match kind {
            TypeDefKind::Record(it) => {
                it.fields.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            TypeDefKind::Variant(it) => {
                it.cases.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            TypeDefKind::Enum(it) => {
                it.cases.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            TypeDefKind::Flags(it) => {
                it.flags.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// JavaScript engines lose or trap on 64-bit integers.
    #[test]
    fn no_interface_speaks_of_64_bit_integers() {
        for (path, bytes) in files() {
            let text = String::from_utf8(bytes).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("///"));
            let found: Vec<_> = code.filter(|l| l.contains("u64") || l.contains("s64")).collect();
            assert!(found.is_empty(), "{path}: {found:?}");
        }
    }

    #[test]
    fn the_linker_offers_every_interface_of_the_world() {
        let world = fs::read_to_string(root().join("wit/world.wit")).unwrap();
        let imports = world.lines().filter_map(|line| line.trim().strip_prefix("import runwrit:"));
        let named: BTreeSet<_> =
            imports.filter_map(|line| line.split_once('@')).map(|(name, _)| name).collect();
        let offered: BTreeSet<_> = crate::linker::INTERFACES.iter().copied().collect();
        let missing: Vec<_> = named.difference(&offered).collect();
        assert!(missing.is_empty(), "not offered: {missing:?}");
    }
}
