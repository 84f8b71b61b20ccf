//! The envelope of a signature (DSSE): a payload, its type, and one signature over both.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::private_key::{PrivateKey, PrivateKeyError};
use crate::public_key::{Hint, PublicKey};

/// The type of the payload of all our envelopes.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope with exactly one signature, as the bundle format demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What is signed.
    pub payload: Vec<u8>,
    /// The key that it names.
    pub hint: Hint,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The envelope as JSON writes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSignature {
    sig: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
}

/// Why an envelope is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Another type of payload: what was signed was not meant for us.
    #[error("its payload has the type `{0}`, not `{PAYLOAD_TYPE}`")]
    PayloadType(String),
    /// The format demands one.
    #[error("it holds {0} signatures, and a file holds exactly one")]
    Count(usize),
    /// Not Base64.
    #[error("its `{0}` is no Base64")]
    Base64(&'static str),
    /// It names two keys.
    #[error("its `keyid` names another key than its `hint`")]
    OtherKey,
}

/// Returns the bytes that a signature covers: the type and the payload, each with its length
/// (the pre-authentication encoding of DSSE 1.0).
pub fn to_be_signed(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// Signs a payload.
    pub fn sign(payload: Vec<u8>, key: &PrivateKey) -> Result<Self, PrivateKeyError> {
        let signature = key.sign(&to_be_signed(&payload))?;
        Ok(Self { payload, hint: key.public().hint(), signature })
    }

    /// Returns whether `key` made it.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        key.verifies(&to_be_signed(&self.payload), &self.signature)
    }

    pub(crate) fn write(&self) -> Written {
        Written {
            payload: BASE64.encode(&self.payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![WrittenSignature {
                sig: BASE64.encode(&self.signature),
                keyid: Some(self.hint.as_str().to_owned()),
            }],
        }
    }

    pub(crate) fn read(written: Written, hint: Hint) -> Result<Self, EnvelopeError> {
        let Written { payload, payload_type, signatures } = written;
        if payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType(runwrit_model::text::escape(&payload_type)));
        }
        let [signature] = signatures.as_slice() else {
            return Err(EnvelopeError::Count(signatures.len()));
        };
        // Some signers leave the id out; none may name another key.
        if signature.keyid.as_ref().is_some_and(|id| !id.is_empty() && id != hint.as_str()) {
            return Err(EnvelopeError::OtherKey);
        }
        let decode = |field, text: &str| {
            BASE64.decode(text.as_bytes()).map_err(|_| EnvelopeError::Base64(field))
        };
        let payload = decode("payload", &payload)?;
        Ok(Self { payload, hint, signature: decode("sig", &signature.sig)? })
    }
}
