//! Identifiers, each a type of its own.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Crockford's alphabet: digits and capitals without the letters that look like digits.
const CROCKFORD: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Base 32 of RFC 4648 in lower case, as names and labels of resources like it.
pub(crate) static LOWER_BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("32 different symbols are a base 32 alphabet")
});

/// A run: 26 characters of Crockford base 32, sortable by creation time (the ULID layout).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// A text that is no run id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no run id: expected 26 characters of 0-9 and A-Z without I, L, O and U")]
pub struct RunIdError(String);

impl RunId {
    /// Builds an id from milliseconds since 1970 and 80 random bits.
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bits = u128::from(unix_ms & 0xffff_ffff_ffff) << 80;
        for (place, byte) in random.iter().enumerate() {
            bits |= u128::from(*byte) << (72 - 8 * place);
        }
        let text = (0..26).rev().map(|place| {
            let digit = (bits >> (5 * place)) & 31;
            char::from(CROCKFORD.as_bytes()[digit as usize])
        });
        Self(text.collect())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns when it was made, in milliseconds since 1970.
    pub fn unix_ms(&self) -> u64 {
        let places =
            self.0.bytes().take(10).filter_map(|it| CROCKFORD.bytes().position(|c| c == it));
        places.fold(0, |time, place| time << 5 | place as u64)
    }

    /// Returns twelve lower-case characters that stand for the run in resource names and labels.
    pub fn short(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        LOWER_BASE32.encode(&digest)[..12].to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let is_valid = upper.len() == 26 && upper.chars().all(|letter| CROCKFORD.contains(letter));
        if is_valid { Ok(Self(upper)) } else { Err(RunIdError(text.to_owned())) }
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

/// A SHA-256 digest, written as `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no digest: expected `sha256:` and 64 hexadecimal digits")]
pub struct DigestError(String);

impl Digest {
    /// Computes the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("sha256:")
            .and_then(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| DigestError(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// What one mutating run holds alone, for example `tenant:acme`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope(String);

impl Scope {
    /// Names the scope of a tenant.
    pub fn tenant(id: &str) -> Self {
        Self(format!("tenant:{id}"))
    }

    /// Names the scope of a run without a tenant: the run alone.
    pub fn run(id: &RunId) -> Self {
        Self(format!("run:{id}"))
    }

    /// Returns the scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the tenant, where the scope is one.
    pub fn tenant_id(&self) -> Option<&str> {
        self.0.strip_prefix("tenant:")
    }
}

impl From<String> for Scope {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_round_trip() {
        let early = RunId::new(1_000, [255; 10]);
        let late = RunId::new(1_001, [0; 10]);
        assert!(early < late, "{early} sorts before {late}");
        assert_eq!(early.to_string().to_lowercase().parse::<RunId>().unwrap(), early);
    }

    #[test]
    fn texts_that_are_no_run_ids_are_refused() {
        for text in ["", "01J9", "01J9ZZZZZZZZZZZZZZZZZZZZZI", "01J9ZZZZZZZZZZZZZZZZZZZZZé"] {
            assert!(text.parse::<RunId>().is_err(), "`{text}` was taken for a run id");
        }
    }

    #[test]
    fn digests_round_trip_and_refuse_other_texts() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        for text in ["", "sha256:", "sha512:00", &digest.hex()] {
            assert!(text.parse::<Digest>().is_err(), "`{text}` was taken for a digest");
        }
    }
}
