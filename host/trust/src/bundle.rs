//! The file of one signer: a Sigstore bundle of version 0.3 with a key that its reader already has.

use runwrit_model::limits;
use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, EnvelopeError, Written};
use crate::public_key::Hint;

/// What a bundle says of itself.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The bundle as JSON writes it. What this host does not judge is refused, never skipped.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Written,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Material {
    public_key: Key,
    /// Other verifiers expect the field; a log needs a network, so there are never entries.
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Stamps>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    hint: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Stamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<serde_json::Value>,
}

/// Why a file is no bundle that this host can judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Larger than any honest one.
    #[error("it has more than {} bytes", limits::SIGNATURE_BYTES_MAX)]
    TooLarge,
    /// Not the format.
    #[error("it is no Sigstore bundle with a key of yours: {0}")]
    Malformed(String),
    /// Of another version.
    #[error("it says `{0}`, and this host reads `{MEDIA_TYPE}`")]
    MediaType(String),
    /// Its hint is none.
    #[error("{0}")]
    Hint(String),
    /// It rests on something else than a key.
    #[error("it carries log entries or time stamps, which this host does not verify")]
    Foreign,
    /// Its envelope is none.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

/// Returns the file for an envelope: the same bytes for the same envelope.
pub fn encode(envelope: &Envelope) -> Vec<u8> {
    let bundle = Bundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material {
            public_key: Key { hint: envelope.hint.as_str().to_owned() },
            tlog_entries: Vec::new(),
            timestamp_verification_data: None,
        },
        dsse_envelope: envelope.write(),
    };
    let mut bytes = serde_json::to_vec(&bundle).expect("a bundle holds only texts and lists");
    bytes.push(b'\n');
    bytes
}

/// Reads the file of a signer. Nothing in it is believed yet.
pub fn decode(bytes: &[u8]) -> Result<Envelope, BundleError> {
    if bytes.len() > limits::SIGNATURE_BYTES_MAX {
        return Err(BundleError::TooLarge);
    }
    let bundle: Bundle =
        serde_json::from_slice(bytes).map_err(|error| BundleError::Malformed(error.to_string()))?;
    if bundle.media_type != MEDIA_TYPE {
        return Err(BundleError::MediaType(runwrit_model::text::escape(&bundle.media_type)));
    }
    let material = bundle.verification_material;
    let stamps = material.timestamp_verification_data;
    let has_stamps = stamps.is_some_and(|stamps| !stamps.rfc3161_timestamps.is_empty());
    if has_stamps || !material.tlog_entries.is_empty() {
        return Err(BundleError::Foreign);
    }
    let hint: Result<Hint, _> = material.public_key.hint.parse();
    let hint = hint.map_err(|error| BundleError::Hint(error.to_string()))?;
    Ok(Envelope::read(bundle.dsse_envelope, hint)?)
}

/// Returns the name of the file of a signer.
pub fn file_name(hint: &Hint) -> String {
    format!("{}{}", hint.short(), crate::parcel::SIGNATURE_EXTENSION)
}
