//! Readers of what anybody may have written, as targets of a fuzzer. Whatever is read once is read
//! the same way again, and nothing panics.
//!
//! The tests of `host/trust` replay its corpus through them; `cargo xtask fuzz` lets libFuzzer look
//! for more.

use runwrit_model::id::Digest;
use runwrit_model::manifest::Manifest;
use runwrit_trust::bundle;
use runwrit_trust::endorsement::GrantStatement;
use runwrit_trust::floors::Floors;
use runwrit_trust::keyring::Keyring;
use runwrit_trust::roots::{Chain, Root};
use runwrit_trust::statement::Statement;

/// A reader, for bytes that anybody may have written.
pub type Reader = fn(&[u8]);

/// What reads each folder of the corpus.
pub const READERS: [(&str, Reader); 7] = [
    ("bundle", bundle),
    ("statement", statement),
    ("grant", grant),
    ("root", root),
    ("keyring", keyring),
    ("memory", memory),
    ("manifest", manifest),
];

/// The file of a signer.
pub fn bundle(bytes: &[u8]) {
    if let Ok(envelope) = bundle::decode(bytes) {
        assert_eq!(bundle::decode(&bundle::encode(&envelope)), Ok(envelope));
    }
}

/// What signers of packages sign.
pub fn statement(bytes: &[u8]) {
    if let Ok(statement) = Statement::decode(bytes) {
        assert_eq!(Statement::decode(&statement.encode()), Ok(statement));
    }
}

/// What signers of grants sign.
pub fn grant(bytes: &[u8]) {
    if let Ok(statement) = GrantStatement::decode(bytes) {
        assert_eq!(GrantStatement::decode(&statement.encode()), Ok(statement));
    }
}

/// A root, signed by nobody whom a fuzzer knows.
pub fn root(bytes: &[u8]) {
    if let Ok(root) = Root::decode(bytes) {
        let again = Root::decode(&root.encode()).expect("what was read can be written");
        assert_eq!(again.digest, root.digest);
        // Nobody here holds a key, so nothing is ever followed.
        assert!(Chain::pinned(bytes, &Digest::of(bytes)).is_err());
    }
}

/// A keyring.
pub fn keyring(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = Keyring::parse("trust.toml", text);
    }
}

/// What a host remembers of what ran on it.
pub fn memory(bytes: &[u8]) {
    if let Ok(floors) = Floors::decode(bytes) {
        assert_eq!(Floors::decode(&floors.encode()), Ok(floors));
    }
}

/// A `runbook.toml`.
pub fn manifest(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = Manifest::parse("runbook.toml", text);
    }
}
