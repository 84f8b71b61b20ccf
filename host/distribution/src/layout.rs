//! An OCI image layout: packages in a folder or a tar archive, for wherever no registry is reached.

mod files;

use std::path::Path;

use runwrit_model::id::Digest;
use runwrit_model::limits;

use self::files::Files;
use crate::error::TransferError;
use crate::manifest::{Descriptor, INDEX_TYPE, Index, MANIFEST_TYPE, Manifest, REF_NAME};
use crate::reference::{Place, Reference};

/// The file that says that a folder is a layout.
const MARK: &str = "oci-layout";
/// What it holds.
const MARK_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The list of what the layout holds.
const INDEX: &str = "index.json";

/// A layout.
#[derive(Debug)]
pub struct Layout {
    files: Files,
    place: Place,
}

impl Layout {
    /// Opens a layout that stands there.
    pub fn open(place: &Place) -> Result<Option<Self>, TransferError> {
        let files = match place {
            Place::Layout(path) => Files::folder(path),
            Place::Archive(path) => Files::archive(path)?,
            Place::Registry { .. } => return Ok(None),
        };
        let layout = Self { files, place: place.clone() };
        if layout.files.read(MARK, limits::REGISTRY_ANSWER_BYTES_MAX)?.is_none() {
            let what = place.to_string();
            return match layout.files.exists() {
                false => Err(TransferError::NotFound(what)),
                true => Err(TransferError::NotAPackage {
                    what,
                    why: format!("it is no OCI layout, which has a file `{MARK}`"),
                }),
            };
        }
        Ok(Some(layout))
    }

    /// Opens a folder to add to, or begins an archive that does not stand there yet.
    pub fn begin(place: &Place) -> Result<Option<Self>, TransferError> {
        let files = match place {
            Place::Layout(path) => Files::new_folder(path)?,
            Place::Archive(path) => Files::new_archive(path)?,
            Place::Registry { .. } => return Ok(None),
        };
        let mut layout = Self { files, place: place.clone() };
        if layout.files.read(MARK, limits::REGISTRY_ANSWER_BYTES_MAX)?.is_none() {
            layout.files.write(MARK, MARK_TEXT)?;
        }
        Ok(Some(layout))
    }

    /// Returns the bytes of the manifest that a reference means.
    pub fn manifest(&self, reference: &Reference) -> Result<Vec<u8>, TransferError> {
        let index = self.index()?;
        let is_meant = |descriptor: &Descriptor| match (&reference.digest, &reference.tag) {
            (Some(digest), _) => descriptor.digest == *digest,
            (None, Some(tag)) => descriptor.annotations.get(REF_NAME) == Some(tag),
            (None, None) => true,
        };
        let mut found: Vec<(Digest, Vec<u8>)> = Vec::new();
        for descriptor in index.descriptors().filter(is_meant) {
            let is_known = found.iter().any(|(digest, _)| *digest == descriptor.digest);
            let bytes = self.blob(&descriptor, limits::OCI_MANIFEST_BYTES_MAX)?;
            // A signature is found by the package that it is about, and is none itself.
            let is_about = Manifest::decode(&bytes).is_ok_and(|it| it.subject.is_some());
            if !is_known && (!is_about || reference.digest.is_some()) {
                found.push((descriptor.digest, bytes));
            }
        }
        match found.len() {
            0 => Err(TransferError::NotFound(reference.to_string())),
            1 => Ok(found.remove(0).1),
            count => Err(TransferError::Ambiguous { what: reference.to_string(), count }),
        }
    }

    /// Returns the descriptors of what is about a manifest.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, TransferError> {
        let index = self.index()?;
        let mut found: Vec<Descriptor> = Vec::new();
        for descriptor in index.descriptors() {
            let bytes = self.blob(&descriptor, limits::OCI_MANIFEST_BYTES_MAX)?;
            let Ok(manifest) = Manifest::decode(&bytes) else { continue };
            let is_known = found.iter().any(|known| known.digest == descriptor.digest);
            if manifest.subject.is_some_and(|it| it.digest == *subject) && !is_known {
                let artifact_type = manifest.artifact_type;
                found.push(Descriptor { artifact_type, ..descriptor });
            }
        }
        Ok(found)
    }

    /// Returns bytes; whether they are those of the digest is checked.
    pub fn blob(&self, descriptor: &Descriptor, max: u64) -> Result<Vec<u8>, TransferError> {
        let what = format!("{}@{}", self.place, descriptor.digest);
        let bytes = self.files.read(&path(&descriptor.digest), max)?;
        let bytes = bytes.ok_or_else(|| TransferError::NotFound(what.clone()))?;
        checked(&what, bytes, descriptor)
    }

    /// Keeps bytes.
    pub fn put_blob(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        let path = path(&Digest::of(bytes));
        match self.files.holds(&path, bytes.len() as u64) {
            true => Ok(()),
            false => self.files.write(&path, bytes),
        }
    }

    /// Keeps a manifest, under a tag where there is one.
    pub fn put_manifest(
        &mut self,
        bytes: &[u8],
        descriptor: &Descriptor,
        tag: Option<&str>,
    ) -> Result<(), TransferError> {
        self.put_blob(bytes)?;
        let mut index = self.index()?;
        match tag {
            Some(tag) => index.tag(descriptor, tag),
            None => drop(index.add(descriptor)),
        }
        if index.manifests.len() > limits::OCI_LAYOUT_MANIFESTS_MAX {
            let (what, max) = (self.place.to_string(), limits::OCI_LAYOUT_MANIFESTS_MAX);
            return Err(TransferError::TooMany { what, of: "manifests", max });
        }
        self.files.write(INDEX, &index.encode())
    }

    /// Has everything on disk.
    pub fn finish(self) -> Result<(), TransferError> {
        self.files.finish()
    }

    fn index(&self) -> Result<Index, TransferError> {
        let Some(bytes) = self.files.read(INDEX, limits::OCI_INDEX_BYTES_MAX)? else {
            return Ok(Index::default());
        };
        let what = self.place.to_string();
        let refused = |why| TransferError::NotAPackage { what: what.clone(), why };
        let index = Index::decode(&bytes).map_err(|why| {
            refused(format!("its `{INDEX}`, which should be of the type `{INDEX_TYPE}`: {why}"))
        })?;
        let max = limits::OCI_LAYOUT_MANIFESTS_MAX;
        match index.manifests.len() > max {
            true => Err(TransferError::TooMany { what: what.clone(), of: "manifests", max }),
            false => Ok(index),
        }
    }
}

/// Returns where bytes lie: a path made of hexadecimal digits, and of nothing that others chose.
fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Returns the bytes, if they are those that a descriptor describes.
pub fn checked(
    what: &str,
    bytes: Vec<u8>,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, TransferError> {
    let (found, expected) = (bytes.len() as u64, descriptor.size);
    if found != expected {
        return Err(TransferError::OtherSize { what: what.to_owned(), expected, found });
    }
    let (found, expected) = (Digest::of(&bytes), descriptor.digest);
    match found == expected {
        true => Ok(bytes),
        false => Err(TransferError::OtherDigest { what: what.to_owned(), expected, found }),
    }
}

/// Describes a manifest by its bytes.
pub fn described(bytes: &[u8]) -> Descriptor {
    Descriptor::of(MANIFEST_TYPE, bytes)
}

/// Returns whether something stands at a path, for errors that tell one case from the other.
fn stands(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
