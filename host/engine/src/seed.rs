//! The seed of a run: it needs both the store and the host key, and is gone when the run is over.

use hkdf::Hkdf;
use runwrit_model::id::RunId;
use runwrit_model::labels::HostKey;
use sha2::Sha256;

/// Derives the seed from what the store keeps apart from the journal. Without the host key the
/// stored bytes tell nothing; once they are destroyed, the host key tells nothing either.
pub(crate) fn open(key: &HostKey, run: &RunId, sealed: &[u8]) -> [u8; 32] {
    let secret = key.derive("seed");
    let mut seed = [0; 32];
    let derived =
        Hkdf::<Sha256>::new(Some(sealed), &secret).expand(run.as_str().as_bytes(), &mut seed);
    derived.expect("32 bytes are far below what HKDF can derive");
    seed
}
