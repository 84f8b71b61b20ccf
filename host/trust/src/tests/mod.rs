//! Packages made and signed in memory, and what becomes of them.

mod corpus;
mod documents;
mod endorsements;
mod floors;
mod followers;
mod keys;
mod mutations;
mod roots;
mod verdicts;

use runwrit_model::journal::UnixMs;

use crate::bundle;
use crate::envelope::Envelope;
use crate::floors::Floors;
use crate::keyring::Keyring;
use crate::parcel::{Hashed, Parcel};
use crate::private_key::PrivateKey;
use crate::public_key::Algorithm;
use crate::refusal::Refusal;
use crate::statement::{Release, Statement};
use crate::verdict::{Bench, Vouched, judge};

/// 2026-11-21T12:00:00Z.
pub const NOW: UnixMs = 1_795_262_400_000;

/// Somebody with a key.
pub struct Person {
    pub id: &'static str,
    pub key: PrivateKey,
}

pub fn person(id: &'static str) -> Person {
    Person { id, key: PrivateKey::generate(Algorithm::P256).unwrap() }
}

impl Person {
    /// Returns the entry of the keyring, with `rest` in it.
    pub fn entry(&self, rest: &str) -> String {
        let (id, public) = (self.id, self.key.public());
        let names = if rest.contains("names") { "" } else { "names = [\"acme:*\"]\n" };
        let roles = if rest.contains("roles") { "" } else { "roles = [\"runbook\"]\n" };
        format!("[[key]]\nid = \"{id}\"\npublic = \"{public}\"\n{roles}{names}{rest}\n")
    }

    /// Signs a statement about these files.
    pub fn sign(&self, parcel: &Parcel, release: &Release) -> (String, Vec<u8>) {
        let statement = Statement::new(&parcel.manifest, &parcel.component, release.clone());
        self.sign_bytes(statement.encode())
    }

    pub fn sign_bytes(&self, payload: Vec<u8>) -> (String, Vec<u8>) {
        let envelope = Envelope::sign(payload, &self.key).unwrap();
        (bundle::file_name(&envelope.hint), bundle::encode(&envelope))
    }
}

pub fn keyring(entries: &[String]) -> Keyring {
    let text = format!("version = 1\n{}", entries.join("\n"));
    Keyring::parse("trust.toml", &text).unwrap_or_else(|faults| panic!("{faults}"))
}

pub fn release(sequence: u64) -> Release {
    Release {
        package: "acme:provision".to_owned(),
        version: "0.1.0".to_owned(),
        channel: "stable".to_owned(),
        sequence,
        created_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        expires_at: None,
        world: "acme:provision/runbook@0.1.0".to_owned(),
        asks: vec!["hetzner/servers".to_owned()],
        critical: Vec::new(),
    }
}

pub fn parcel() -> Parcel {
    let manifest = b"name = \"provision\"\n".to_vec();
    Parcel { manifest, component: b"\0asm code".to_vec(), signatures: Vec::new() }
}

pub fn signed(people: &[&Person], release: &Release) -> Parcel {
    let mut parcel = parcel();
    parcel.signatures = people.iter().map(|person| person.sign(&parcel, release)).collect();
    parcel.signatures.sort();
    parcel
}

pub fn verdict(parcel: &Parcel, keyring: &Keyring) -> Result<Vouched, Refusal> {
    judge(&Hashed::of(parcel), Bench { keyring, floors: &Floors::default(), clock: NOW })
}
