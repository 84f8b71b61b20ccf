//! A package as bytes, before anybody has vouched for it: nothing of it is parsed here.

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
