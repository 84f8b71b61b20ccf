//! Who vouched for a runbook and its grant, as the journal of a run remembers it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// Who vouched for a runbook when its run was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// Enough of those who may.
    Signed(Box<Signed>),
    /// Nobody: keyring and `--allow-unsigned` let it through.
    Unsigned(Unsigned),
}

/// What was signed, by whom, and by which keyring that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Signed {
    /// Namespace and name.
    pub package: String,
    /// The version.
    pub version: String,
    /// The line of releases.
    pub channel: String,
    /// Its place in that line.
    pub sequence: u64,
    /// The digest of the statement that was signed.
    pub statement: Digest,
    /// The keys, by what the keyring called them.
    pub signers: BTreeMap<String, String>,
    /// The digest of the keyring.
    pub keyring: Digest,
    /// `runbook.toml` as it was signed; nothing in journals of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// What was signed, with the signatures: whoever reads a journal can judge it anew, and need not
/// believe what the journal says of signers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Proof {
    /// The exact text of the file.
    pub text: String,
    /// The files of those signers who counted, by their names.
    pub signatures: BTreeMap<String, String>,
}

impl Proof {
    /// Keeps a file and those of its signers. All of them are text: what is none, is refused where
    /// it is parsed.
    pub fn of<'a>(file: &[u8], signatures: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let signatures = signatures.map(|(name, bytes)| (name.to_owned(), text(bytes)));
        Self { text: text(file), signatures: signatures.collect() }
    }

    /// Returns the files of the signers.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.signatures.iter();
        files.map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect()
    }
}

/// By which keyring something unsigned was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unsigned {
    /// The digest of the keyring.
    pub keyring: Digest,
}

/// Who answered for the grant when a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endorsement {
    /// Enough of those who may sign grants.
    Signed(Box<SignedGrant>),
    /// A person at the terminal.
    Person(Person),
    /// Nobody: the keyring puts up with grants that are not signed.
    Nobody(Unsigned),
}

/// Which grant was signed, by whom, and by which keyring that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SignedGrant {
    /// The digest of the file.
    pub grant: Digest,
    /// The digest of the statement that was signed.
    pub statement: Digest,
    /// The keys, by what the keyring called them.
    pub signers: BTreeMap<String, String>,
    /// The digest of the keyring.
    pub keyring: Digest,
    /// The grant as it was signed; nothing in journals of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// Who sat at the terminal, as far as the host knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Person {
    /// User and host.
    pub name: String,
    /// The digest of the keyring.
    pub keyring: Digest,
}
