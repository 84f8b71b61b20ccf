//! A package as registries keep it: one Wasm artifact, and an artifact for each signer and for each
//! root that says who may sign.
//!
//! The layout is that of the CNCF for WebAssembly: a configuration that tells what the component
//! imports and exports, and one layer, the component. `runbook.toml` stands in the configuration,
//! so that one digest pins both files and other tools read the artifact as any other. Nothing in it
//! depends on the time, so the same package has the same digest everywhere.

use std::collections::BTreeMap;

use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_trust::bundle;
use runwrit_trust::parcel::{MANIFEST, Parcel, SIGNATURE_EXTENSION};
use runwrit_trust::roots;
use runwrit_trust::statement::RELEASE_TYPE;
use serde::{Deserialize, Serialize};

use crate::manifest::{
    CONTENT, Descriptor, EMPTY, EMPTY_TYPE, MANIFEST_TYPE, Manifest, PREDICATE_TYPE, ROOT_TYPE,
    SIGNATURE_TYPE, TITLE, WASM_CONFIG_TYPE, WASM_TYPE,
};

/// Readers expect a time, and a real one would give each push another digest.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// The version of what we add to the configuration.
const VERSION: u32 = 1;
/// Digits of a digest that tell files of one signer apart.
const DIGITS: usize = 12;

/// A package, as it travels: the bytes of all its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its manifest.
    pub manifest: Vec<u8>,
    /// What describes the component, with `runbook.toml`.
    pub config: Vec<u8>,
    /// The component.
    pub component: Vec<u8>,
    /// What its signers say, sorted by the digest of the manifest.
    pub signatures: Vec<Companion>,
    /// The roots that travel with it, sorted in the same way.
    pub roots: Vec<Companion>,
}

/// A file about a package, as it travels: that of a signer, or a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Its manifest, which names the manifest of the package.
    pub manifest: Vec<u8>,
    /// What configures it, which most often is nothing.
    pub config: Vec<u8>,
    /// The file.
    pub file: Vec<u8>,
}

/// The files of a package that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The package.
    pub parcel: Parcel,
    /// The roots that came with it, by number.
    pub roots: Vec<(u64, Vec<u8>)>,
}

/// What a component imports and exports, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Surface {
    /// What it exports.
    pub exports: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
    /// The world that it was built for.
    pub target: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 1],
    component: &'a Surface,
    runwrit: Own,
}

/// What we add.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    version: u32,
    #[serde(rename = "runbook.toml")]
    runbook: String,
}

/// The part of a configuration that we read; the rest is for other tools.
#[derive(Deserialize)]
struct Read {
    runwrit: Option<Own>,
}

/// What cannot be packed; the text says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// `runbook.toml` is no text.
    #[error("`{MANIFEST}` is not UTF-8")]
    NotText,
    /// A file beside the signatures that is none.
    #[error("`signatures/{file}` is no signature")]
    NotASignature {
        /// The file.
        file: String,
        /// Why.
        source: bundle::BundleError,
    },
}

impl Artifact {
    /// Packs a package, with its roots by number: the same bytes for the same files.
    pub fn pack(
        parcel: &Parcel,
        roots: &[(u64, Vec<u8>)],
        surface: &Surface,
    ) -> Result<Self, PackError> {
        let runbook = String::from_utf8(parcel.manifest.clone()).map_err(|_| PackError::NotText)?;
        let config = Config {
            created: CREATED,
            architecture: "wasm",
            os: "wasip2",
            layer_digests: [Digest::of(&parcel.component)],
            component: surface,
            runwrit: Own { version: VERSION, runbook },
        };
        let config = serde_json::to_vec(&config).expect("only texts, lists and numbers");
        let layer = Descriptor::of(WASM_TYPE, &parcel.component);
        let manifest = Manifest::new(Descriptor::of(WASM_CONFIG_TYPE, &config), vec![layer]);
        let manifest = manifest.encode();
        let subject = Descriptor::of(MANIFEST_TYPE, &manifest);
        let mut signatures = Vec::new();
        for (file, bytes) in &parcel.signatures {
            let not = |source| PackError::NotASignature { file: file.clone(), source };
            bundle::decode(bytes).map_err(not)?;
            signatures.push(Companion::signature(&subject, bytes));
        }
        let root = |(version, bytes): &(u64, Vec<u8>)| Companion::root(&subject, *version, bytes);
        let roots = roots.iter().map(root).collect();
        let component = parcel.component.clone();
        Ok(Self { manifest, config, component, signatures, roots }.sorted())
    }

    /// Puts what is about the package into its one order.
    pub fn sorted(mut self) -> Self {
        for companions in [&mut self.signatures, &mut self.roots] {
            companions.sort_by_cached_key(|companion| Digest::of(&companion.manifest));
            companions.dedup();
        }
        self
    }

    /// Returns the digest by which it is asked for.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Returns the files of the package; the error says what is wrong with the artifact.
    pub fn unpack(self) -> Result<Unpacked, String> {
        let read: Read = serde_json::from_slice(&self.config)
            .map_err(|error| format!("its configuration cannot be read: {error}"))?;
        let Some(own) = read.runwrit else {
            return Err(format!("its configuration holds no `{MANIFEST}`, so it is no runbook"));
        };
        if own.version != VERSION {
            let found = own.version;
            return Err(format!("it has version {found}, and this host reads version {VERSION}"));
        }
        let (bytes, max) = (own.runbook.len() as u64, limits::DOCUMENT_BYTES_MAX);
        if bytes > max {
            return Err(format!("its `{MANIFEST}` has {bytes} bytes, and at most {max} are read"));
        }
        let mut roots: Vec<_> = self.roots.into_iter().filter_map(numbered).collect();
        roots.sort();
        let signatures = named(self.signatures);
        let manifest = own.runbook.into_bytes();
        let parcel = Parcel { manifest, component: self.component, signatures };
        Ok(Unpacked { parcel, roots })
    }
}

impl Companion {
    fn signature(subject: &Descriptor, file: &[u8]) -> Self {
        let notes = [(CONTENT, "dsse-envelope"), (PREDICATE_TYPE, RELEASE_TYPE)];
        Self::of(subject, Descriptor::of(SIGNATURE_TYPE, file), file, &notes)
    }

    fn root(subject: &Descriptor, version: u64, file: &[u8]) -> Self {
        let mut layer = Descriptor::of(ROOT_TYPE, file);
        layer.annotations = noted(&[(TITLE, &roots::file_name(version))]);
        Self::of(subject, layer, file, &[])
    }

    /// Makes the artifact of a file about a package.
    fn of(subject: &Descriptor, layer: Descriptor, file: &[u8], notes: &[(&str, &str)]) -> Self {
        let kind = layer.media_type.clone();
        let mut manifest = Manifest::new(Descriptor::of(EMPTY_TYPE, EMPTY), vec![layer]);
        manifest.artifact_type = Some(kind);
        manifest.subject = Some(subject.clone());
        manifest.annotations = noted(notes);
        Self { manifest: manifest.encode(), config: EMPTY.to_vec(), file: file.to_vec() }
    }

    /// Returns the descriptor by which it is listed.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::of(MANIFEST_TYPE, &self.manifest);
        // A list repeats what the manifest says, which others may have written.
        if let Ok(manifest) = Manifest::decode(&self.manifest) {
            descriptor.artifact_type = manifest.artifact_type;
            descriptor.annotations = manifest.annotations;
        }
        descriptor
    }
}

fn noted(notes: &[(&str, &str)]) -> BTreeMap<String, String> {
    notes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns a root with the number that its file had; nothing where the name is none of a root.
fn numbered(root: Companion) -> Option<(u64, Vec<u8>)> {
    let manifest = Manifest::decode(&root.manifest).ok()?;
    let name = manifest.layers.first()?.annotations.get(TITLE)?;
    Some((roots::version_of(name)?, root.file))
}

/// Returns whether a signature, by what its manifest says, is about something else than a release,
/// for example a bill of materials.
fn is_other(signature: &Companion) -> bool {
    let manifest = Manifest::decode(&signature.manifest);
    let kind = manifest.ok().and_then(|it| it.annotations.get(PREDICATE_TYPE).cloned());
    kind.is_some_and(|kind| kind != RELEASE_TYPE)
}

/// Names the files of signers as `runwrit sign` does. What cannot be read gets a name as well:
/// whoever judges the package is to see it.
fn named(signatures: Vec<Companion>) -> Vec<(String, Vec<u8>)> {
    let mut files: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for signature in signatures.into_iter().filter(|signature| !is_other(signature)) {
        let name = match bundle::decode(&signature.file) {
            Ok(envelope) => bundle::file_name(&envelope.hint),
            Err(_) => format!("unreadable{SIGNATURE_EXTENSION}"),
        };
        files.entry(name).or_default().push(signature.file);
    }
    let mut named = Vec::new();
    for (name, bundles) in files {
        let stem = name.strip_suffix(SIGNATURE_EXTENSION).unwrap_or(&name);
        let is_only = bundles.len() == 1 && stem != "unreadable";
        for bundle in bundles {
            let digits = &Digest::of(&bundle).hex()[..DIGITS];
            let name = match is_only {
                true => name.clone(),
                false => format!("{stem}-{digits}{SIGNATURE_EXTENSION}"),
            };
            named.push((name, bundle));
        }
    }
    named.sort();
    named.dedup();
    named
}
