//! Somewhere packages are kept, and how a whole one is taken from there or put there.

use runwrit_model::id::Digest;
use runwrit_model::limits;

use crate::artifact::{Artifact, Companion};
use crate::error::TransferError;
use crate::layout::{Layout, described};
use crate::manifest::{
    Descriptor, Manifest, ROOT_TYPE, SIGNATURE_TYPE, WASM_CONFIG_TYPE, WASM_TYPE,
};
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

/// What may be about a package, and how much of it is taken.
struct Kind {
    name: &'static str,
    media_type: &'static str,
    count_max: usize,
    bytes_max: u64,
}

const SIGNATURES: Kind = Kind {
    name: "signatures",
    media_type: SIGNATURE_TYPE,
    count_max: limits::SIGNATURES_MAX,
    bytes_max: limits::SIGNATURE_BYTES_MAX as u64,
};

const ROOTS: Kind = Kind {
    name: "roots",
    media_type: ROOT_TYPE,
    count_max: limits::ROOTS_MAX,
    bytes_max: limits::ROOT_BYTES_MAX as u64,
};

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

    /// Takes a package with all its signatures and roots. Each byte is one that a digest vouches
    /// for; whether anybody vouches for the package is not asked here.
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
        let signatures = self.companions(&digest, &SIGNATURES, &what).await?;
        let roots = self.companions(&digest, &ROOTS, &what).await?;
        Ok(Artifact { manifest, config, component, signatures, roots }.sorted())
    }

    /// Takes everything of one kind that is about a package.
    async fn companions(
        &self,
        subject: &Digest,
        kind: &Kind,
        what: &str,
    ) -> Result<Vec<Companion>, TransferError> {
        let listed = match self {
            Self::Registry(registry) => registry.referrers(subject, kind.media_type).await?,
            Self::Layout(layout) => layout.referrers(subject)?,
        };
        let mut companions = Vec::new();
        for descriptor in listed {
            // Older lists do not say what they list.
            let told = descriptor.artifact_type.as_deref();
            if told.is_some_and(|told| told != kind.media_type) {
                continue;
            }
            let manifest = self.blob_of_manifest(&descriptor).await?;
            let Some((config, layer)) = kind.parts(&manifest, subject) else { continue };
            if companions.len() == kind.count_max {
                let (what, of, max) = (what.to_owned(), kind.name, kind.count_max);
                return Err(TransferError::TooMany { what, of, max });
            }
            let config = self.blob(&config, kind.bytes_max).await?;
            let file = self.blob(&layer, kind.bytes_max).await?;
            companions.push(Companion { manifest, config, file });
        }
        Ok(companions)
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
        for companion in artifact.signatures.iter().chain(&artifact.roots) {
            self.put_blob(&companion.config).await?;
            self.put_blob(&companion.file).await?;
            let about = (&subject, &companion.descriptor());
            self.put_manifest(&companion.manifest, None, Some(about)).await?;
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

impl Kind {
    /// Returns configuration and file of something about `subject`; nothing where it is no such.
    fn parts(&self, manifest: &[u8], subject: &Digest) -> Option<(Descriptor, Descriptor)> {
        let manifest = Manifest::decode(manifest).ok()?;
        let is_about = manifest.subject.as_ref().is_some_and(|it| it.digest == *subject);
        let is_this = manifest.artifact_type.as_deref() == Some(self.media_type);
        match manifest.layers.as_slice() {
            [layer] if is_about && is_this && layer.media_type == self.media_type => {
                Some((manifest.config, layer.clone()))
            }
            _ => None,
        }
    }
}
