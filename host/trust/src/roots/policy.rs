//! What a root says of keys beyond TUF: roles, namespaces, dates, revocations and floors.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::refusal::RootError;
use super::root::Holders;
use crate::keyring::{Endpoints, Floor, Key, Keyring, Revoked, Role, Threshold};
use crate::public_key::PublicKey;

/// The field of our own in root metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Policy {
    /// What else is to be known of keys, by their ids.
    pub keys: BTreeMap<String, About>,
    /// Who may sign what.
    pub roles: BTreeMap<Role, Holders>,
    /// What nobody vouches for any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
    /// Sequences below which nothing runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<Floor>,
}

/// What is to be known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct About {
    /// What people call it.
    pub id: String,
    /// The packages that it may speak for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// From when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// Where its runs may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
}

impl Policy {
    /// Returns it in the words of a keyring, by whose rules it is judged.
    pub fn keyring(&self, keys: &BTreeMap<String, PublicKey>) -> Result<Keyring, RootError> {
        if let Some(id) = self.keys.keys().find(|id| !keys.contains_key(*id)) {
            return Err(RootError::Field {
                field: "x-runwrit-policy.keys".to_owned(),
                value: runwrit_model::text::escape(id),
                expected: "keys that stand under `keys`",
            });
        }
        let has = |id: &String, role: &Role| {
            self.roles.get(role).is_some_and(|holders| holders.keyids.contains(id))
        };
        let key = |(id, public): (&String, &PublicKey)| {
            let roles: Vec<Role> =
                self.roles.keys().filter(|role| has(id, role)).copied().collect();
            (!roles.is_empty()).then(|| self.key(id, public, roles))
        };
        let needed = |role| self.roles.get(&role).map_or(1, |holders| holders.threshold);
        let keyring = Keyring {
            keys: keys.iter().filter_map(key).collect(),
            threshold: Threshold {
                runbook: needed(Role::Runbook),
                bundle: needed(Role::Bundle),
                grant: needed(Role::Grant),
            },
            revoked: self.revoked.clone(),
            floors: self.floors.clone(),
            ..Keyring::empty()
        };
        keyring.checked().map_err(RootError::Policy)
    }

    fn key(&self, id: &str, public: &PublicKey, roles: Vec<Role>) -> Key {
        let short = || id.chars().take(8).collect();
        match self.keys.get(id) {
            None => Key::new(short(), public.clone(), roles),
            Some(about) => Key::new(about.id.clone(), public.clone(), roles)
                .named(about.names.clone())
                .dated(about.not_before, about.not_after)
                .within(about.endpoints),
        }
    }

    /// Returns what it says, a line each.
    pub fn explain(&self, named: &dyn Fn(&[String]) -> String) -> Vec<String> {
        let mut lines = Vec::new();
        for (role, Holders { keyids, threshold }) in &self.roles {
            let role = role.as_str();
            lines.push(format!("{role:<10} {threshold} of {}", named(keyids)));
        }
        for About { id, names, not_before, not_after, endpoints } in self.keys.values() {
            if names.is_empty() && not_before.or(*not_after).is_none() && endpoints.is_none() {
                continue;
            }
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(" ") };
            let from = not_before.map_or(String::new(), |time| format!(", from {time}"));
            let until = not_after.map_or(String::new(), |time| format!(", until {time}"));
            let reach = if endpoints.is_some() { ", loopback only" } else { "" };
            lines.push(format!("key        {id} speaks for {names}{from}{until}{reach}"));
        }
        for Revoked { key, digest, package, versions, reason } in &self.revoked {
            let what = [
                key.as_ref().map(ToString::to_string),
                digest.as_ref().map(ToString::to_string),
                package.clone(),
                versions.as_ref().map(|versions| versions.join(" ")),
            ];
            let what: Vec<String> = what.into_iter().flatten().collect();
            lines.push(format!("revoked    {}: {reason}", what.join(" ")));
        }
        for Floor { package, channel, sequence } in &self.floors {
            lines.push(format!("floor      {package} {channel} {sequence}"));
        }
        lines
    }
}
