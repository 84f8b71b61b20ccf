//! The documents of a registry: descriptors, manifests and lists of them.
//!
//! Source: the OCI image and distribution specifications, 1.1. Readers must ignore what they do not
//! know in these documents, so that is what happens here; what is used is checked.

use std::collections::BTreeMap;

use runwrit_model::id::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a manifest says of itself.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a list of manifests says of itself.
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// What describes a component.
pub const WASM_CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// A component.
pub const WASM_TYPE: &str = "application/wasm";
/// The file of a signer.
pub const SIGNATURE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// A root that says who may sign.
pub const ROOT_TYPE: &str = "application/vnd.runwrit.root.v1+json";
/// The configuration of what has none.
pub const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// The bytes of the configuration of what has none.
pub const EMPTY: &[u8] = b"{}";
/// The annotation that says what a signature is about.
pub const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
/// The annotation that says in what a signature is wrapped.
pub const CONTENT: &str = "dev.sigstore.bundle.content";
/// The annotation that names the file that a layer was.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The annotation that gives a name to a manifest in a layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Bytes, by type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What they are.
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
    /// How many.
    pub size: u64,
    /// What a manifest is about, where this describes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What describes the layers.
    pub config: Descriptor,
    /// What it holds.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of manifests. What stands in it is kept as it is, known or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// The descriptors.
    pub manifests: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Value>,
}

impl Descriptor {
    /// Describes bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// Lists what a manifest holds.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST_TYPE.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Returns the bytes: the same for the same content.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest holds only texts and numbers")
    }

    /// Reads a manifest; the error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is no manifest of one artifact: {error}"))?;
        let kind = manifest.media_type.as_deref().unwrap_or(MANIFEST_TYPE);
        if kind != MANIFEST_TYPE || manifest.schema_version != 2 {
            let kind = runwrit_model::text::escape(kind);
            return Err(format!("it is of the type `{kind}`, not `{MANIFEST_TYPE}`"));
        }
        Ok(manifest)
    }
}

impl Default for Index {
    fn default() -> Self {
        let media_type = Some(INDEX_TYPE.to_owned());
        Self { schema_version: 2, media_type, manifests: Vec::new(), annotations: None }
    }
}

impl Index {
    /// Returns the bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an index holds only JSON")
    }

    /// Reads a list; the error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let index: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is no list of manifests: {error}"))?;
        let kind = index.media_type.as_deref().unwrap_or(INDEX_TYPE);
        match kind == INDEX_TYPE && index.schema_version == 2 {
            true => Ok(index),
            false => {
                let kind = runwrit_model::text::escape(kind);
                Err(format!("it is of the type `{kind}`, not `{INDEX_TYPE}`"))
            }
        }
    }

    /// Returns the descriptors of manifests; what has a digest of another kind is not ours.
    pub fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        let read = |value: &Value| serde_json::from_value::<Descriptor>(value.clone()).ok();
        self.manifests.iter().filter_map(read).filter(|it| it.media_type == MANIFEST_TYPE)
    }

    /// Adds a descriptor, unless a manifest of that digest is listed. Returns whether it was new.
    pub fn add(&mut self, descriptor: &Descriptor) -> bool {
        if self.descriptors().any(|known| known.digest == descriptor.digest) {
            return false;
        }
        let value = serde_json::to_value(descriptor).expect("only texts and numbers");
        self.manifests.push(value);
        true
    }

    /// Gives a tag to a manifest, and takes it from whatever had it.
    pub fn tag(&mut self, descriptor: &Descriptor, tag: &str) {
        let is_tagged = |value: &Value| value["annotations"][REF_NAME] == tag;
        let digest = descriptor.digest.to_string();
        self.manifests.retain(|value| {
            let is_bare =
                value["digest"] == digest.as_str() && value["annotations"][REF_NAME].is_null();
            !is_tagged(value) && !is_bare
        });
        let mut tagged = descriptor.clone();
        tagged.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
        let value = serde_json::to_value(tagged).expect("only texts and numbers");
        self.manifests.push(value);
    }
}
