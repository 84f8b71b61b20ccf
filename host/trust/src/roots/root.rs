//! One `root.json`: root metadata of TUF 1.0, with what this product adds in a field of its own.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_model::text::escape;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::canonical::Json;
use super::policy::Policy;
use super::refusal::RootError;
use crate::keyring::{Keyring, Newest};
use crate::public_key::{Algorithm, PublicKey, Signer};

/// The field that holds what this product adds; TUF has readers keep such fields.
pub const POLICY: &str = "x-runwrit-policy";
/// The roles that the format demands.
const ROLES: [&str; 4] = ["root", "snapshot", "targets", "timestamp"];
/// Where an Ed25519 key begins in its `SubjectPublicKeyInfo`.
const ED25519_OFFSET: usize = 12;

/// Root metadata that is well formed; whether it is to be followed is for the chain to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// Its number in the chain.
    pub version: u64,
    /// Until when it counts.
    pub expires: Timestamp,
    /// The digest of what is signed: two files with other signatures are the same root.
    pub digest: Digest,
    /// What it says of keys, in the words of a keyring.
    pub keyring: Keyring,
    /// The keys of the root role, by their ids.
    pub(super) holders: BTreeMap<String, PublicKey>,
    /// How many of them it takes.
    pub(super) threshold: usize,
    pub(super) written: Signed,
    signed: Json,
    signatures: Vec<WrittenSignature>,
}

/// What is signed, as the format writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    #[serde(rename = "_type")]
    pub kind: String,
    pub spec_version: String,
    pub version: u64,
    pub expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent_snapshot: Option<bool>,
    pub keys: BTreeMap<String, WrittenKey>,
    pub roles: BTreeMap<String, Holders>,
    #[serde(rename = "x-runwrit-policy", default)]
    pub policy: Policy,
}

/// A key, as the format writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenKey {
    pub keytype: String,
    pub scheme: String,
    pub keyval: KeyValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyValue {
    pub public: String,
}

/// Who holds a role, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Holders {
    pub keyids: Vec<String>,
    pub threshold: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSignature {
    keyid: String,
    sig: String,
}

impl Root {
    /// Reads a file. Nothing in it is believed yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, RootError> {
        if bytes.len() > limits::ROOT_BYTES_MAX {
            return Err(RootError::TooLarge(bytes.len()));
        }
        let file = Json::parse(bytes).map_err(malformed)?;
        let Json::Object(mut fields) = file else {
            return Err(RootError::Malformed("it is no object".to_owned()));
        };
        let mut take = |name: &str| {
            let missing = || RootError::Malformed(format!("`{name}` is missing"));
            fields.remove(name).ok_or_else(missing)
        };
        let (signed, signatures) = (take("signed")?, take("signatures")?);
        if let Some(name) = fields.keys().next() {
            let text = format!("`{}` does not belong there", escape(name));
            return Err(RootError::Malformed(text));
        }
        let signatures = serde_json::from_value(signatures.into()).map_err(malformed)?;
        Self::of(signed, signatures)
    }

    fn of(signed: Json, signatures: Vec<WrittenSignature>) -> Result<Self, RootError> {
        // Extensions of others are signed like the rest, and say nothing here.
        let known = signed.clone().without(|name| name.starts_with("x-") && name != POLICY);
        let written: Signed = serde_json::from_value(known.into()).map_err(malformed)?;
        written.check()?;
        let ids: BTreeSet<&str> = signatures.iter().map(|it| it.keyid.as_str()).collect();
        if ids.len() < signatures.len() {
            let text = "a key signs it twice".to_owned();
            return Err(RootError::Malformed(text));
        }
        let keys = written.public_keys()?;
        let keyring = written.policy.keyring(&keys)?;
        let root = &written.roles["root"];
        let holders: BTreeMap<String, PublicKey> =
            root.keyids.iter().map(|id| (id.clone(), keys[id].clone())).collect();
        let is_revoked = |key: &&PublicKey| keyring.revoked_key(&key.hint()).is_some();
        if let Some(key) = holders.values().find(is_revoked) {
            return Err(RootError::Field {
                field: format!("{POLICY}.revoked"),
                value: key.hint().to_string(),
                expected: "no key that holds the root in the same file",
            });
        }
        Ok(Self {
            version: written.version,
            expires: written.expires,
            digest: Digest::of(&signed.canonical()),
            keyring,
            holders,
            threshold: root.threshold,
            written,
            signed,
            signatures,
        })
    }

    /// Returns what it says of keys, under what the file of a keyring adds to it.
    pub fn over(&self, own: &Keyring) -> Keyring {
        own.under(&self.keyring, Newest { version: self.version, expires: self.expires })
    }

    /// Returns the bytes that signatures cover.
    pub fn to_be_signed(&self) -> Vec<u8> {
        self.signed.canonical()
    }

    /// Returns the file, a line for each field.
    pub fn encode(&self) -> Vec<u8> {
        let file = json!({
            "signatures": self.signatures, "signed": Value::from(self.signed.clone()),
        });
        let mut bytes = serde_json::to_vec_pretty(&file).expect("only texts, numbers and lists");
        bytes.push(b'\n');
        bytes
    }

    /// Makes a root without any signature.
    pub(super) fn unsigned(written: &Signed) -> Result<Self, RootError> {
        let text = serde_json::to_vec(written).expect("only texts, numbers and lists");
        Self::of(Json::parse(&text).map_err(malformed)?, Vec::new())
    }

    /// Returns the same with one signature more; an earlier one of this key goes.
    pub fn signed_by(mut self, key: &PublicKey, signature: &[u8]) -> Self {
        let keyid = self.id_of(key);
        self.signatures.retain(|it| it.keyid != keyid);
        self.signatures.push(WrittenSignature { keyid, sig: HEXLOWER.encode(signature) });
        self.signatures.sort_by(|one, other| one.keyid.cmp(&other.keyid));
        self
    }

    /// Returns whether a key holds the root role.
    pub fn is_held_by(&self, key: &PublicKey) -> bool {
        self.holders.values().any(|holder| holder == key)
    }

    /// Returns under which id a key is listed here, or would be.
    fn id_of(&self, key: &PublicKey) -> String {
        let mut listed = self.holders.iter().filter(|(_, holder)| *holder == key);
        listed.next().map_or_else(|| key_id(key), |(id, _)| id.clone())
    }

    /// Checks the signatures of `next` by the keys of this root, each of which counts once, and
    /// those that are out not at all.
    pub fn vouches_for(
        &self,
        next: &Self,
        is_out: &dyn Fn(&PublicKey) -> bool,
    ) -> Result<(), RootError> {
        let message = next.to_be_signed();
        let is_valid = |(id, key): &(&String, &PublicKey)| {
            let mut given = next.signatures.iter().filter(|it| it.keyid == **id);
            given.any(|it| {
                HEXLOWER.decode(it.sig.as_bytes()).is_ok_and(|sig| key.verifies(&message, &sig))
            })
        };
        let (valid, missing): (Vec<_>, Vec<_>) =
            self.holders.iter().filter(|(_, key)| !is_out(key)).partition(is_valid);
        if valid.len() >= self.threshold {
            return Ok(());
        }
        let named = |keys: Vec<(&String, &PublicKey)>| {
            let mut ids: Vec<_> = keys.into_iter().map(|(id, _)| self.name_of(id)).collect();
            ids.sort();
            ids
        };
        let signer = |(id, key): (&String, &PublicKey)| {
            let (id, hint) = (self.name_of(id), key.hint());
            Signer { id, hint }
        };
        Err(RootError::TooFew {
            keys: self.holders.iter().map(signer).collect(),
            version: next.version,
            of: self.version,
            needed: self.threshold,
            valid: named(valid),
            missing: named(missing),
        })
    }

    /// Returns what people call a key.
    pub(super) fn name_of(&self, id: &str) -> String {
        let about = self.written.policy.keys.get(id);
        about.map_or_else(|| escape(id).chars().take(8).collect(), |about| about.id.clone())
    }

    /// Returns what it says, a line each, for whoever is to sign it.
    pub fn explain(&self) -> Vec<String> {
        let named = |ids: &[String]| {
            let mut ids: Vec<_> = ids.iter().map(|id| self.name_of(id)).collect();
            ids.sort();
            ids.join(", ")
        };
        let root = &self.written.roles["root"];
        let mut lines = vec![
            format!("expires    {}", self.expires),
            format!("root       {} of {}", root.threshold, named(&root.keyids)),
        ];
        lines.extend(self.written.policy.explain(&named));
        for (id, key) in self.written.public_keys().unwrap_or_default() {
            lines.push(format!("key        {} is {}", self.name_of(&id), key.hint()));
        }
        lines
    }
}

impl Signed {
    fn check(&self) -> Result<(), RootError> {
        let wrong = |field: &str, value: String, expected| {
            let (field, value) = (field.to_owned(), escape(&value));
            Err(RootError::Field { field, value, expected })
        };
        if self.kind != "root" {
            return wrong("_type", self.kind.clone(), "`root`");
        }
        if self.spec_version.split('.').next() != Some("1") {
            return wrong("spec_version", self.spec_version.clone(), "1.0, the version of TUF");
        }
        if self.version == 0 {
            return wrong("version", "0".to_owned(), "a number that counts up from 1");
        }
        for name in ROLES {
            let Some(role) = self.roles.get(name) else {
                let expected = "who holds it, since the format demands it";
                return wrong(&format!("roles.{name}"), "missing".to_owned(), expected);
            };
            self.check_role(&format!("roles.{name}"), role)?;
        }
        let policy = &self.policy.roles;
        policy.iter().try_for_each(|(role, holders)| {
            self.check_role(&format!("{POLICY}.roles.{}", role.as_str()), holders)
        })
    }

    fn check_role(&self, path: &str, role: &Holders) -> Result<(), RootError> {
        let wrong = |field: &str, value: String, expected| {
            let field = format!("{path}.{field}");
            Err(RootError::Field { field, value: escape(&value), expected })
        };
        let ids: BTreeSet<&String> = role.keyids.iter().collect();
        if ids.len() < role.keyids.len() {
            return wrong("keyids", role.keyids.join(", "), "each key once");
        }
        if let Some(id) = role.keyids.iter().find(|id| !self.keys.contains_key(*id)) {
            return wrong("keyids", id.clone(), "keys that stand under `keys`");
        }
        if role.threshold == 0 || role.threshold > limits::SIGNATURES_MAX {
            return wrong("threshold", role.threshold.to_string(), "1 to 64 different keys");
        }
        Ok(())
    }

    /// Reads the keys. One key under two ids would count twice, so that is refused.
    pub fn public_keys(&self) -> Result<BTreeMap<String, PublicKey>, RootError> {
        let mut found: BTreeMap<String, PublicKey> = BTreeMap::new();
        for (id, written) in &self.keys {
            let key = written.read().ok_or_else(|| RootError::Field {
                field: format!("keys.{}", escape(id)),
                value: escape(&format!("{} {}", written.keytype, written.scheme)),
                expected: "an ECDSA P-256 key as PEM, or an Ed25519 key in hexadecimal",
            })?;
            if found.values().any(|known| *known == key) {
                return Err(RootError::Field {
                    field: format!("keys.{}", escape(id)),
                    value: key.hint().to_string(),
                    expected: "each key once, under one id",
                });
            }
            found.insert(id.clone(), key);
        }
        Ok(found)
    }
}

impl WrittenKey {
    pub fn of(key: &PublicKey) -> Self {
        let (keytype, scheme, public) = match key.algorithm() {
            Algorithm::P256 => ("ecdsa", "ecdsa-sha2-nistp256", key.to_pem()),
            Algorithm::Ed25519 => {
                ("ed25519", "ed25519", HEXLOWER.encode(&key.spki()[ED25519_OFFSET..]))
            }
        };
        let keyval = KeyValue { public };
        Self { keytype: keytype.to_owned(), scheme: scheme.to_owned(), keyval }
    }

    fn read(&self) -> Option<PublicKey> {
        let public = &self.keyval.public;
        match (self.keytype.as_str(), self.scheme.as_str()) {
            // The second is what older writers say.
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                let key = PublicKey::from_pem(public).ok()?;
                (key.algorithm() == Algorithm::P256).then_some(key)
            }
            ("ed25519", "ed25519") => {
                let raw = HEXLOWER.decode(public.as_bytes()).ok()?;
                PublicKey::from_raw(Algorithm::Ed25519, &raw).ok()
            }
            _ => None,
        }
    }
}

/// Returns the id of a key: the digest of its canonical form, as TUF recommends.
pub(super) fn key_id(key: &PublicKey) -> String {
    let written = serde_json::to_vec(&WrittenKey::of(key)).expect("three texts");
    let canonical = Json::parse(&written).expect("it was just written").canonical();
    HEXLOWER.encode(&Sha256::digest(&canonical))
}

fn malformed(error: serde_json::Error) -> RootError {
    RootError::Malformed(escape(&error.to_string()))
}
