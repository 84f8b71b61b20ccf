//! The seed of a run: it needs both the store and the host key, and is gone when the run is over.

use hkdf::Hkdf;
use runwrit_model::id::RunId;
use runwrit_model::labels::HostKey;
use sha2::Sha256;

/// What the store keeps of a run that began here, and the first half of what it keeps of others.
const SALT_BYTES: usize = 32;

/// Derives the seed from what the store keeps apart from the journal. Without the host key the
/// stored bytes tell nothing; once they are destroyed, the host key tells nothing either.
pub fn open(key: &HostKey, run: &RunId, sealed: &[u8]) -> [u8; 32] {
    match sealed.split_at_checked(SALT_BYTES) {
        Some((salt, masked)) if masked.len() == SALT_BYTES => {
            let mask = derived(key, run, salt);
            std::array::from_fn(|place| masked[place] ^ mask[place])
        }
        _ => derived(key, run, sealed),
    }
}

/// Seals the seed of a run that began under another host key. `salt` is random and used once.
pub fn seal(key: &HostKey, run: &RunId, seed: [u8; 32], salt: [u8; SALT_BYTES]) -> Vec<u8> {
    let mask = derived(key, run, &salt);
    let masked = seed.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
    salt.iter().copied().chain(masked).collect()
}

fn derived(key: &HostKey, run: &RunId, sealed: &[u8]) -> [u8; 32] {
    let secret = key.derive("seed");
    let mut seed = [0; 32];
    let derived =
        Hkdf::<Sha256>::new(Some(sealed), &secret).expand(run.as_str().as_bytes(), &mut seed);
    derived.expect("32 bytes are far below what HKDF can derive");
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stays_the_same_under_another_host_key() {
        let [one, two] = [1, 2].map(|byte| HostKey::from_bytes([byte; 32]));
        let run = RunId::new(1, [1; 10]);
        let seed = open(&one, &run, &[7; 32]);
        let moved = seal(&two, &run, seed, [9; 32]);
        assert_eq!(open(&two, &run, &moved), seed);
        assert_ne!(open(&one, &run, &moved), seed);
        assert!(!moved.windows(32).any(|bytes| bytes == seed), "it is not kept in clear");
    }
}
