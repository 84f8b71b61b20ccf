//! The next root, before anybody has signed it.

use std::str::FromStr;

use jiff::Timestamp;

use super::policy::{About, Policy};
use super::refusal::RootError;
use super::root::{Holders, Root, Signed, WrittenKey, key_id};
use crate::keyring::{Endpoints, Floor, Revoked, Role};
use crate::public_key::PublicKey;

/// The version of TUF whose format is written.
const SPECIFICATION: &str = "1.0.31";

/// What a key may be made responsible for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Office {
    /// Making the next root.
    Root,
    /// Signing something.
    Signing(Role),
}

impl FromStr for Office {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let roles = [Role::Runbook, Role::Bundle, Role::Grant, Role::Host];
        match roles.into_iter().find(|role| role.as_str() == text) {
            Some(role) => Ok(Self::Signing(role)),
            None if text == "root" => Ok(Self::Root),
            None => Err("expected `root`, `runbook`, `bundle`, `grant` or `host`".to_owned()),
        }
    }
}

/// A root that is being made. Keys go by what people call them.
#[derive(Debug, Clone)]
pub struct Draft {
    signed: Signed,
}

impl Draft {
    /// Begins a chain.
    pub fn first(expires: Timestamp) -> Self {
        let nobody = || Holders { keyids: Vec::new(), threshold: 1 };
        let signed = Signed {
            kind: "root".to_owned(),
            spec_version: SPECIFICATION.to_owned(),
            version: 1,
            expires,
            consistent_snapshot: Some(true),
            keys: Default::default(),
            roles: [("root".to_owned(), nobody())].into(),
            policy: Policy::default(),
        };
        Self { signed }
    }

    /// Begins with what the root before says.
    pub fn after(root: &Root, expires: Timestamp) -> Self {
        let mut signed = root.written.clone();
        (signed.version, signed.expires) = (root.version + 1, expires);
        SPECIFICATION.clone_into(&mut signed.spec_version);
        Self { signed }
    }

    /// Brings a key in; it may do nothing yet.
    pub fn key(&mut self, id: &str, key: &PublicKey) -> Result<(), RootError> {
        let hint = key.hint().to_string();
        let (keyid, again) = (key_id(key), "each key once, under one name");
        let is_known = self.signed.keys.contains_key(&keyid);
        if is_known || self.id_of(id).is_some() {
            let field = format!("key {id}");
            return Err(RootError::Field { field, value: hint, expected: again });
        }
        self.signed.keys.insert(keyid.clone(), WrittenKey::of(key));
        let about = About {
            id: id.to_owned(),
            names: Vec::new(),
            not_before: None,
            not_after: None,
            endpoints: None,
        };
        self.signed.policy.keys.insert(keyid, about);
        Ok(())
    }

    /// Has a key hold an office.
    pub fn appoint(&mut self, office: Office, id: &str) -> Result<(), RootError> {
        let keyid = self.known(id)?;
        let holders = self.holders(office);
        if !holders.keyids.contains(&keyid) {
            holders.keyids.push(keyid);
            holders.keyids.sort();
        }
        Ok(())
    }

    /// Takes a key out, with all its offices.
    pub fn remove(&mut self, id: &str) -> Result<(), RootError> {
        let keyid = self.known(id)?;
        self.signed.keys.remove(&keyid);
        self.signed.policy.keys.remove(&keyid);
        let roles = self.signed.roles.values_mut().chain(self.signed.policy.roles.values_mut());
        roles.for_each(|holders| holders.keyids.retain(|it| *it != keyid));
        self.signed.policy.roles.retain(|_, holders| !holders.keyids.is_empty());
        Ok(())
    }

    /// Sets how many different keys an office takes.
    pub fn threshold(&mut self, office: Office, threshold: usize) {
        self.holders(office).threshold = threshold;
    }

    /// Lets a key speak for a package or a namespace.
    pub fn speaks_for(&mut self, id: &str, package: &str) -> Result<(), RootError> {
        let names = &mut self.about(id)?.names;
        if !names.iter().any(|name| name == package) {
            names.push(package.to_owned());
        }
        Ok(())
    }

    /// Sets until when a key counts.
    pub fn not_after(&mut self, id: &str, until: Timestamp) -> Result<(), RootError> {
        self.about(id)?.not_after = Some(until);
        Ok(())
    }

    /// Lets runs that rest on a key act on their machine alone.
    pub fn loopback_only(&mut self, id: &str) -> Result<(), RootError> {
        self.about(id)?.endpoints = Some(Endpoints::Loopback);
        Ok(())
    }

    /// Takes something out of service.
    pub fn revoke(&mut self, revoked: Revoked) {
        self.signed.policy.revoked.push(revoked);
    }

    /// Sets the lowest sequence that runs.
    pub fn floor(&mut self, floor: Floor) {
        let is_same = |it: &Floor| it.package == floor.package && it.channel == floor.channel;
        self.signed.policy.floors.retain(|it| !is_same(it));
        self.signed.policy.floors.push(floor);
    }

    /// Returns the root without signatures, if those who hold it could make the next one.
    pub fn finish(mut self) -> Result<Root, RootError> {
        let root = self.holders(Office::Root).clone();
        if root.keyids.len() < root.threshold {
            return Err(RootError::Field {
                field: "roles.root".to_owned(),
                value: format!("{} of {} keys", root.threshold, root.keyids.len()),
                expected: "at least as many keys as signatures are needed",
            });
        }
        for (role, holders) in &self.signed.policy.roles {
            if holders.keyids.len() < holders.threshold {
                return Err(RootError::Field {
                    field: format!("role {}", role.as_str()),
                    value: format!("{} of {} keys", holders.threshold, holders.keyids.len()),
                    expected: "at least as many keys as signatures are needed",
                });
            }
        }
        // The format demands these roles; nothing here uses them, so nobody else may.
        for name in ["snapshot", "targets", "timestamp"] {
            self.signed.roles.insert(name.to_owned(), root.clone());
        }
        Root::unsigned(&self.signed)
    }

    fn holders(&mut self, office: Office) -> &mut Holders {
        let nobody = Holders { keyids: Vec::new(), threshold: 1 };
        match office {
            Office::Root => self.signed.roles.entry("root".to_owned()).or_insert(nobody),
            Office::Signing(role) => self.signed.policy.roles.entry(role).or_insert(nobody),
        }
    }

    fn id_of(&self, id: &str) -> Option<String> {
        let mut keys = self.signed.policy.keys.iter();
        keys.find(|(_, about)| about.id == id).map(|(keyid, _)| keyid.clone())
    }

    fn known(&self, id: &str) -> Result<String, RootError> {
        self.id_of(id).ok_or_else(|| RootError::Field {
            field: "key".to_owned(),
            value: runwrit_model::text::escape(id),
            expected: "what one of the keys of this root is called; `--key ID=FILE` brings one in",
        })
    }

    fn about(&mut self, id: &str) -> Result<&mut About, RootError> {
        let keyid = self.known(id)?;
        Ok(self.signed.policy.keys.get_mut(&keyid).expect("it was just found there"))
    }
}
