//! A package as bytes, before anybody has vouched for it: nothing of it is parsed here.

use ring::digest::{SHA256, digest};
use runwrit_model::id::Digest;

/// The file that says what a runbook is.
pub const MANIFEST: &str = "runbook.toml";
/// The file with its code.
pub const COMPONENT: &str = "component.wasm";
/// The folder with one file for each signer.
pub const SIGNATURES: &str = "signatures";
/// How the file of a signer ends.
pub const SIGNATURE_EXTENSION: &str = ".sigstore.json";

/// The files of a package, each read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// `runbook.toml`.
    pub manifest: Vec<u8>,
    /// `component.wasm`.
    pub component: Vec<u8>,
    /// What stands in `signatures/`, by file name, sorted.
    pub signatures: Vec<(String, Vec<u8>)>,
}

/// A package with the digests of its files, each taken once: that is most of what verifying costs.
#[derive(Debug, Clone, Copy)]
pub struct Hashed<'a> {
    parcel: &'a Parcel,
    manifest: Digest,
    component: Digest,
}

impl<'a> Hashed<'a> {
    /// Takes the digests of a package.
    pub fn of(parcel: &'a Parcel) -> Self {
        let digest = |bytes: &[u8]| {
            let bytes = <[u8; 32]>::try_from(digest(&SHA256, bytes).as_ref());
            Digest::from(bytes.expect("SHA-256 has 32 bytes"))
        };
        Self { parcel, manifest: digest(&parcel.manifest), component: digest(&parcel.component) }
    }

    /// Returns the package.
    pub fn parcel(&self) -> &'a Parcel {
        self.parcel
    }

    /// Returns the digest of `runbook.toml`.
    pub fn manifest(&self) -> Digest {
        self.manifest
    }

    /// Returns the digest of the component.
    pub fn component(&self) -> Digest {
        self.component
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_its_file() {
        let (manifest, component) = (b"version = 1".to_vec(), vec![7; 100_000]);
        let parcel = Parcel { manifest, component, signatures: Vec::new() };
        let hashed = Hashed::of(&parcel);
        assert_eq!(hashed.manifest(), Digest::of(&parcel.manifest));
        assert_eq!(hashed.component(), Digest::of(&parcel.component));
    }
}
