//! Somewhere packages are kept, and how a whole one is taken from there or put there.

use runwrit_model::id::Digest;
use runwrit_model::limits;

use crate::artifact::{Artifact, Signature};
use crate::error::TransferError;
use crate::layout::{Layout, described};
use crate::manifest::{Descriptor, Manifest, SIGNATURE_TYPE, WASM_CONFIG_TYPE, WASM_TYPE};
use crate::reference::{Place, Reference};
use crate::registry::{Credential, Registry};

/// Somewhere packages are kept.
#[derive(Debug)]
pub enum Shelf {
    /// A repository of a registry.
    Registry(Box<Registry>),
    /// A layout.
    Layout(Layout),
}

impl Shelf {
    /// Opens a place to take from.
    pub fn open(place: &Place, credential: Option<Credential>) -> Result<Self, TransferError> {
        match (place, Layout::open(place)?) {
            (_, Some(layout)) => Ok(Self::Layout(layout)),
            (place, None) => Self::registry(place, credential, false),
        }
    }

    /// Opens a place to put to; a layout is made where none stands.
    pub fn begin(place: &Place, credential: Option<Credential>) -> Result<Self, TransferError> {
        match (place, Layout::begin(place)?) {
            (_, Some(layout)) => Ok(Self::Layout(layout)),
            (place, None) => Self::registry(place, credential, true),
        }
    }

    fn registry(
        place: &Place,
        credential: Option<Credential>,
        is_written: bool,
    ) -> Result<Self, TransferError> {
        let Place::Registry { host, repository } = place else {
            return Err(TransferError::NotFound(place.to_string()));
        };
        let registry = Registry::new(host, repository, credential, is_written)?;
        Ok(Self::Registry(Box::new(registry)))
    }

    /// Takes a package with all its signatures. Each byte is one that a digest vouches for; whether
    /// anybody vouches for the package is not asked here.
    pub async fn take(&self, reference: &Reference) -> Result<Artifact, TransferError> {
        let what = reference.to_string();
        let refused = |why| TransferError::NotAPackage { what: what.clone(), why };
        let manifest = match self {
            Self::Registry(registry) => registry.manifest(reference).await?,
            Self::Layout(layout) => layout.manifest(reference)?,
        };
        let (config, layer) = parts(&manifest).map_err(refused)?;
        let config = self.blob(&config, limits::OCI_CONFIG_BYTES_MAX).await?;
        let component = self.blob(&layer, limits::COMPONENT_BYTES_MAX).await?;
        let digest = Digest::of(&manifest);
        let signatures = self.signatures(&digest, &what).await?;
        Ok(Artifact { manifest, config, component, signatures }.sorted())
    }

    async fn signatures(
        &self,
        subject: &Digest,
        what: &str,
    ) -> Result<Vec<Signature>, TransferError> {
        let listed = match self {
            Self::Registry(registry) => registry.referrers(subject).await?,
            Self::Layout(layout) => layout.referrers(subject)?,
        };
        let mut signatures = Vec::new();
        for descriptor in listed {
            let kind = descriptor.artifact_type.as_deref();
            // Older lists do not say what they list.
            if kind.is_some_and(|kind| kind != SIGNATURE_TYPE) {
                continue;
            }
            if signatures.len() == limits::SIGNATURES_MAX {
                let (what, max) = (what.to_owned(), limits::SIGNATURES_MAX);
                return Err(TransferError::TooMany { what, of: "signatures", max });
            }
            let manifest = self.blob_of_manifest(&descriptor).await?;
            let Some((config, layer)) = signature_parts(&manifest, subject) else { continue };
            let config = self.blob(&config, limits::SIGNATURE_BYTES_MAX as u64).await?;
            let bundle = self.blob(&layer, limits::SIGNATURE_BYTES_MAX as u64).await?;
            signatures.push(Signature { manifest, config, bundle });
        }
        Ok(signatures)
    }

    async fn blob_of_manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, TransferError> {
        match self {
            Self::Registry(registry) => registry.listed_manifest(descriptor).await,
            Self::Layout(layout) => layout.blob(descriptor, limits::OCI_MANIFEST_BYTES_MAX),
        }
    }

    async fn blob(&self, descriptor: &Descriptor, max: u64) -> Result<Vec<u8>, TransferError> {
        match self {
            Self::Registry(registry) => registry.blob(descriptor, max).await,
            Self::Layout(layout) => layout.blob(descriptor, max),
        }
    }

    /// Puts a package there. Its tag comes last: whoever finds the package finds its signatures.
    pub async fn put(
        mut self,
        artifact: &Artifact,
        tag: Option<&str>,
    ) -> Result<(), TransferError> {
        self.put_blob(&artifact.config).await?;
        self.put_blob(&artifact.component).await?;
        let subject = artifact.digest();
        self.put_manifest(&artifact.manifest, None, None).await?;
        for signature in &artifact.signatures {
            self.put_blob(&signature.config).await?;
            self.put_blob(&signature.bundle).await?;
            let about = (&subject, &signature.descriptor());
            self.put_manifest(&signature.manifest, None, Some(about)).await?;
        }
        if tag.is_some() {
            self.put_manifest(&artifact.manifest, tag, None).await?;
        }
        match self {
            Self::Registry(_) => Ok(()),
            Self::Layout(layout) => layout.finish(),
        }
    }

    async fn put_blob(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        match self {
            Self::Registry(registry) => registry.put_blob(bytes).await,
            Self::Layout(layout) => layout.put_blob(bytes),
        }
    }

    async fn put_manifest(
        &mut self,
        bytes: &[u8],
        tag: Option<&str>,
        about: Option<(&Digest, &Descriptor)>,
    ) -> Result<(), TransferError> {
        match self {
            Self::Registry(registry) => registry.put_manifest(bytes, tag, about).await,
            Self::Layout(layout) => {
                let descriptor = about.map_or_else(|| described(bytes), |(_, it)| it.clone());
                layout.put_manifest(bytes, &descriptor, tag)
            }
        }
    }
}

/// Returns configuration and component of a package; the error says what is wrong with it.
fn parts(manifest: &[u8]) -> Result<(Descriptor, Descriptor), String> {
    let manifest = Manifest::decode(manifest)?;
    let escape = runwrit_model::text::escape;
    if manifest.config.media_type != WASM_CONFIG_TYPE {
        let found = escape(&manifest.config.media_type);
        return Err(format!("its `config` is of the type `{found}`, not `{WASM_CONFIG_TYPE}`"));
    }
    let [layer] = manifest.layers.as_slice() else {
        let count = manifest.layers.len();
        return Err(format!("it has {count} layers, and a component is one"));
    };
    match layer.media_type == WASM_TYPE {
        true => Ok((manifest.config.clone(), layer.clone())),
        false => {
            let found = escape(&layer.media_type);
            Err(format!("its layer is of the type `{found}`, not `{WASM_TYPE}`"))
        }
    }
}

/// Returns configuration and file of a signature about `subject`; nothing where it is no such.
fn signature_parts(manifest: &[u8], subject: &Digest) -> Option<(Descriptor, Descriptor)> {
    let manifest = Manifest::decode(manifest).ok()?;
    let is_about = manifest.subject.as_ref().is_some_and(|it| it.digest == *subject);
    let is_signature = manifest.artifact_type.as_deref() == Some(SIGNATURE_TYPE);
    match manifest.layers.as_slice() {
        [layer] if is_about && is_signature && layer.media_type == SIGNATURE_TYPE => {
            Some((manifest.config, layer.clone()))
        }
        _ => None,
    }
}
