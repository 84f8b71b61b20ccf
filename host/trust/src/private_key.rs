//! Private keys: made, kept behind a passphrase, and used to sign.

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::{SecretDocument, pem};
use pkcs8::pkcs5::{pbes2, scrypt};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use runwrit_model::secret::Secret;

use crate::public_key::{Algorithm, PublicKey};

/// How PEM names a private key behind a passphrase.
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// How PEM names a bare private key.
const BARE_LABEL: &str = "PRIVATE KEY";
/// The cost of guessing a passphrase: 16 MiB a guess, the most that OpenSSL 3 reads by default.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
/// What stands before the seed of an Ed25519 key in PKCS#8 version 1, which all readers know.
const ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// A shorter passphrase is guessed too soon.
pub const PASSPHRASE_CHARS_MIN: usize = 10;

/// A private key. Nothing shows it.
pub struct PrivateKey {
    pair: Pair,
    pkcs8: SecretDocument,
}

enum Pair {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// The randomness that keeps two keys with one passphrase apart.
pub struct Salt {
    /// What the passphrase is mixed with.
    pub salt: [u8; 16],
    /// What encryption begins with.
    pub iv: [u8; 16],
}

/// Why there is no private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Not the format.
    #[error("it is no PKCS#8 PEM file: {0}")]
    Format(String),
    /// A passphrase is needed.
    #[error("it is kept behind a passphrase, and none was given")]
    Locked,
    /// Another passphrase.
    #[error("the passphrase does not open it")]
    Passphrase,
    /// A key of another type.
    #[error("it is neither an ECDSA P-256 key with its public half nor an Ed25519 key")]
    Algorithm,
    /// A passphrase that protects nothing.
    #[error("a passphrase has at least {PASSPHRASE_CHARS_MIN} characters")]
    Short,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

impl PrivateKey {
    /// Makes a new key.
    pub fn generate(algorithm: Algorithm) -> Result<Self, PrivateKeyError> {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::P256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
                Self::from_pkcs8(made.map_err(|_| PrivateKeyError::Randomness)?.as_ref())
            }
            Algorithm::Ed25519 => {
                let mut seed = [0; 32];
                random.fill(&mut seed).map_err(|_| PrivateKeyError::Randomness)?;
                Self::from_pkcs8(&[ED25519_PREFIX.as_slice(), &seed].concat())
            }
        }
    }

    /// Reads a PEM file, as this host and OpenSSL write it.
    pub fn from_pem(text: &str, passphrase: Option<&Secret>) -> Result<Self, PrivateKeyError> {
        let format = |error: pem::Error| PrivateKeyError::Format(error.to_string());
        let (label, der) = pem::decode_vec(text.as_bytes()).map_err(format)?;
        match (label, passphrase) {
            (BARE_LABEL, _) => Self::from_pkcs8(&der),
            (ENCRYPTED_LABEL, None) => Err(PrivateKeyError::Locked),
            (ENCRYPTED_LABEL, Some(passphrase)) => {
                let format = |error| PrivateKeyError::Format(format!("{error}"));
                let locked = EncryptedPrivateKeyInfoRef::try_from(der.as_slice());
                let opened = locked.map_err(format)?.decrypt(passphrase.expose());
                Self::from_pkcs8(opened.map_err(|_| PrivateKeyError::Passphrase)?.as_bytes())
            }
            (other, _) => Err(PrivateKeyError::Format(format!("it holds `{other}`"))),
        }
    }

    /// Returns whether a PEM file needs a passphrase.
    pub fn is_locked(text: &str) -> bool {
        text.contains(&format!("-----BEGIN {ENCRYPTED_LABEL}-----"))
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        let random = SystemRandom::new();
        let wrong = |_| PrivateKeyError::Algorithm;
        let pair = match EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random) {
            Ok(pair) => Pair::P256(Box::new(pair)),
            // OpenSSL leaves the public half of an Ed25519 key out; it follows from the other.
            Err(_) => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(wrong)?;
                Pair::Ed25519(Box::new(pair))
            }
        };
        let pkcs8 = SecretDocument::try_from(der)
            .map_err(|error| PrivateKeyError::Format(error.to_string()))?;
        Ok(Self { pair, pkcs8 })
    }

    /// Returns the key as a PEM file behind a passphrase (PBES2 with scrypt and AES-256).
    pub fn to_locked_pem(
        &self,
        passphrase: &Secret,
        salt: &Salt,
    ) -> Result<Secret, PrivateKeyError> {
        if passphrase.expose().chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(PrivateKeyError::Short);
        }
        let format = |text: String| PrivateKeyError::Format(text);
        let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
            .map_err(|error| format(error.to_string()))?;
        let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt.salt, salt.iv)
            .map_err(|error| format(error.to_string()))?;
        let info = pkcs8::PrivateKeyInfoRef::try_from(self.pkcs8.as_bytes())
            .map_err(|error| format(error.to_string()))?;
        let locked = info
            .encrypt_with_params(parameters, passphrase.expose())
            .map_err(|error| format(error.to_string()))?;
        let text = locked.to_pem(ENCRYPTED_LABEL, pem::LineEnding::LF);
        Ok(Secret::new(text.map_err(|error| format(error.to_string()))?.as_str()))
    }

    /// Returns the key as a PEM file that whoever can read it can use.
    pub fn to_bare_pem(&self) -> Result<Secret, PrivateKeyError> {
        let text = self.pkcs8.to_pem(BARE_LABEL, pem::LineEnding::LF);
        Ok(Secret::new(text.map_err(|error| PrivateKeyError::Format(error.to_string()))?.as_str()))
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        let made = match &self.pair {
            Pair::P256(pair) => PublicKey::from_raw(Algorithm::P256, pair.public_key().as_ref()),
            Pair::Ed25519(pair) => {
                PublicKey::from_raw(Algorithm::Ed25519, pair.public_key().as_ref())
            }
        };
        made.expect("a key pair has a public half of its own type")
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        match &self.pair {
            Pair::P256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message);
                Ok(signed.map_err(|_| PrivateKeyError::Randomness)?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}
