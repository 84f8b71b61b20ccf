//! Public keys: what verifies a signature, and the hint by which a signature names its key.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use pkcs8::der::pem;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What stands before the point of a P-256 key in its `SubjectPublicKeyInfo` (RFC 5480).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point of P-256.
const P256_BYTES: usize = 65;
/// What stands before an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// An Ed25519 key.
const ED25519_BYTES: usize = 32;
/// How PEM names a public key.
const PEM_LABEL: &str = "PUBLIC KEY";

/// With what a key signs. It follows from the trusted key and never from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    P256,
    /// Ed25519.
    Ed25519,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::P256 => "ecdsa-p256",
            Self::Ed25519 => "ed25519",
        })
    }
}

/// A public key, as its `SubjectPublicKeyInfo` in DER. Two keys are the same when all bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    algorithm: Algorithm,
    spki: Vec<u8>,
}

/// Bytes or a text that are no public key that this host can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: expected the public half of an ECDSA P-256 or Ed25519 key")]
pub struct PublicKeyError(String);

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` in DER. Compressed points and other curves are refused.
    pub fn from_spki(der: &[u8]) -> Result<Self, PublicKeyError> {
        let algorithm = match (der.strip_prefix(&P256_PREFIX), der.strip_prefix(&ED25519_PREFIX)) {
            (Some(point), _) if point.len() == P256_BYTES && point[0] == 4 => Algorithm::P256,
            (_, Some(key)) if key.len() == ED25519_BYTES => Algorithm::Ed25519,
            _ => return Err(PublicKeyError("this key has another type".to_owned())),
        };
        Ok(Self { algorithm, spki: der.to_owned() })
    }

    /// Puts the key itself, as algorithms know it, into its `SubjectPublicKeyInfo`.
    pub fn from_raw(algorithm: Algorithm, key: &[u8]) -> Result<Self, PublicKeyError> {
        let prefix: &[u8] = match algorithm {
            Algorithm::P256 => &P256_PREFIX,
            Algorithm::Ed25519 => &ED25519_PREFIX,
        };
        Self::from_spki(&[prefix, key].concat())
    }

    /// Reads a PEM file, as `runwrit key generate` and `openssl pkey -pubout` write it.
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyError> {
        let (label, der) = pem::decode_vec(text.as_bytes())
            .map_err(|error| PublicKeyError(format!("this is no PEM file ({error})")))?;
        match label {
            PEM_LABEL => Self::from_spki(&der),
            other => Err(PublicKeyError(format!("this PEM file holds `{other}`"))),
        }
    }

    /// Returns the key as a PEM file.
    pub fn to_pem(&self) -> String {
        pem::encode_string(PEM_LABEL, pem::LineEnding::LF, &self.spki)
            .expect("a key of 91 bytes fits a PEM file")
    }

    /// Returns the `SubjectPublicKeyInfo` in DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns with what it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the name by which signatures refer to it.
    pub fn hint(&self) -> Hint {
        Hint(BASE64.encode(&Sha256::digest(&self.spki)))
    }

    /// Returns whether `signature` over `message` was made with the private half.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, prefix): (&'static dyn VerificationAlgorithm, usize) = match self.algorithm
        {
            Algorithm::P256 => (&ECDSA_P256_SHA256_ASN1, P256_PREFIX.len()),
            Algorithm::Ed25519 => (&ED25519, ED25519_PREFIX.len()),
        };
        UnparsedPublicKey::new(algorithm, &self.spki[prefix..]).verify(message, signature).is_ok()
    }
}

/// One line, as it stands in a keyring.
impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE64.encode(&self.spki))
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let der = BASE64.decode(text.as_bytes());
        Self::from_spki(&der.map_err(|_| PublicKeyError("this is no Base64".to_owned()))?)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// The name of a key in signatures: Base64 of the SHA-256 of its `SubjectPublicKeyInfo`. It only
/// looks keys up; what counts is the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hint(String);

/// A key of the keyring: what people call it, and what files and other hosts know it by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signer {
    /// What the keyring calls it.
    pub id: String,
    /// The key.
    pub hint: Hint,
}

impl Signer {
    /// Reads one from a record; what names no key in it is nobody.
    pub(crate) fn recorded((id, hint): (&String, &String)) -> Option<Self> {
        Some(Self { id: id.clone(), hint: hint.parse().ok()? })
    }
}

/// Says by which hints the keys are known that a refusal is about, each once.
pub(crate) fn named<'a>(keys: impl Iterator<Item = &'a Signer>) -> Vec<String> {
    let keys: BTreeSet<&Signer> = keys.collect();
    keys.into_iter().map(|key| format!("the key `{}` is {}", key.id, key.hint)).collect()
}

/// A text that names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key hint: expected Base64 of 32 bytes, as `runwrit key show` prints it")]
pub struct HintError(String);

impl Hint {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns eight characters that fit a file name.
    pub fn short(&self) -> String {
        let bytes = BASE64.decode(self.0.as_bytes()).unwrap_or_default();
        data_encoding::HEXLOWER.encode(&bytes).chars().take(8).collect()
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Hint {
    type Err = HintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match BASE64.decode(text.as_bytes()) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(HintError(runwrit_model::text::escape(text))),
        }
    }
}

impl TryFrom<String> for Hint {
    type Error = HintError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Hint> for String {
    fn from(hint: Hint) -> Self {
        hint.0
    }
}
