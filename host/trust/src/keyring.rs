//! The keyring, `trust.toml`: who may sign what, until when, and how many of them it takes.

mod schema;

pub use schema::SCHEMA;

use std::collections::BTreeSet;

use jiff::Timestamp;
use runwrit_model::document::{Fault, Faults, Lines, read, settle};
use runwrit_model::id::Digest;
use serde::{Deserialize, Serialize};
use toml::value::Datetime;

use crate::public_key::{Hint, PublicKey, Signer};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keyring {
    /// The version of the format.
    pub version: u32,
    /// What this host puts up with.
    #[serde(default)]
    pub policy: Policy,
    /// Where the chain of roots begins that says who may sign.
    pub root: Option<Pin>,
    /// How many different keys a role takes.
    #[serde(default)]
    pub threshold: Threshold,
    /// The keys.
    #[serde(default, rename = "key")]
    pub keys: Vec<Key>,
    /// What nobody vouches for any more.
    #[serde(default)]
    pub revoked: Vec<Revoked>,
    /// Sequences below which nothing runs.
    #[serde(default, rename = "floor")]
    pub floors: Vec<Floor>,
    /// The root that its keys come from, where they come from one.
    #[serde(skip)]
    pub newest: Option<Newest>,
}

/// `[root]`: the first root of a chain. Whoever can write the keyring decides where it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pin {
    /// The file, relative to the keyring.
    pub path: String,
    /// The digest of the file.
    pub digest: Digest,
}

/// The root that keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Its number.
    pub version: u64,
    /// Until when it counts.
    pub expires: Timestamp,
}

/// `[policy]`; whatever is left out is the strictest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Policy {
    /// Whether `--allow-unsigned` lets an unsigned package through.
    pub unsigned: Unsigned,
    /// What a release leads to that has expired.
    pub expired_release: ExpiredRelease,
    /// What a root leads to that has expired.
    pub expired_root: ExpiredRoot,
    /// Whether runs that nobody watches may have a grant that nobody signed.
    pub allow_unsigned_grants: bool,
    /// Whether another keyring may be named where this one stands at the fixed path.
    pub other_keyrings: OtherKeyrings,
    /// Whether a version that wants more than the one before needs `runwrit trust approve`.
    pub reapprove_wider: bool,
    /// The largest step that a sequence may take at once.
    pub max_sequence_jump: Option<u64>,
    /// How many days old the newest release may be before its age is told.
    pub max_age_days: Option<u32>,
    /// Where floors are remembered, relative to the file.
    pub state: Option<String>,
}

/// Whether unsigned packages may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsigned {
    /// Never.
    #[default]
    Deny,
    /// With `--allow-unsigned`.
    Flag,
}

/// What an expired release leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredRelease {
    /// It does not run.
    #[default]
    Deny,
    /// It runs, and its age is told: an offline host may have no newer one.
    Warn,
}

/// What an expired root leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredRoot {
    /// Nothing that rests on it runs.
    #[default]
    Deny,
    /// It counts, and its age is told: an offline host may not get the next one in time.
    Warn,
}

/// Whether `--trust` and `RUNWRIT_TRUST` may name another keyring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherKeyrings {
    /// No.
    #[default]
    Deny,
    /// Yes.
    Allow,
}

/// `[threshold]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Threshold {
    /// For runbooks.
    pub runbook: usize,
    /// For bundles.
    pub bundle: usize,
    /// For grants.
    pub grant: usize,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { runbook: 1, bundle: 1, grant: 1 }
    }
}

/// What a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runbooks.
    Runbook,
    /// Bundles.
    Bundle,
    /// Grants for runs that nobody watches.
    Grant,
    /// What this host says of itself.
    Host,
}

impl Role {
    /// Returns the word of the keyring.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runbook => "runbook",
            Self::Bundle => "bundle",
            Self::Grant => "grant",
            Self::Host => "host",
        }
    }
}

/// One of `[[key]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Key {
    /// What people call it.
    pub id: String,
    /// The key.
    pub public: PublicKey,
    /// What it may sign.
    pub roles: Vec<Role>,
    /// The packages that it may speak for: `acme:provision`, or `acme:*`.
    #[serde(default)]
    pub names: Vec<String>,
    not_before: Option<Datetime>,
    not_after: Option<Datetime>,
    /// Where runs may act that rest on it.
    pub endpoints: Option<Endpoints>,
}

/// Where runs may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoints {
    /// On this machine alone.
    Loopback,
}

/// One of `[[revoked]]`: a key, a component, or a package in all or some versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Revoked {
    /// A key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hint>,
    /// A component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// A package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// These versions of the package alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Vec<String>>,
    /// Why.
    pub reason: String,
}

/// One of `[[floor]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Floor {
    /// The package.
    pub package: String,
    /// The channel.
    pub channel: String,
    /// The lowest sequence that runs.
    pub sequence: u64,
}

impl Keyring {
    /// Reads a `trust.toml`. `file` is its name for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let (keyring, lines): (Self, Lines) = read(file, text, SCHEMA)?;
        settle(file, &lines, keyring.faults())?;
        Ok(keyring)
    }

    /// Returns one that trusts nobody.
    pub fn empty() -> Self {
        Self {
            version: 1,
            policy: Policy::default(),
            root: None,
            threshold: Threshold::default(),
            keys: Vec::new(),
            revoked: Vec::new(),
            floors: Vec::new(),
            newest: None,
        }
    }

    /// Returns it if a file could say the same: what comes from elsewhere obeys the same rules.
    pub(crate) fn checked(self) -> Result<Self, Faults> {
        let refused = |error: toml::ser::Error| Faults {
            document: "root".to_owned(),
            faults: vec![Fault::new("document", error.to_string(), "correct it".to_owned())],
        };
        let text = toml::to_string(&self).map_err(refused)?;
        Self::parse("root", &text).map_err(|mut faults| {
            // There is no file with these lines.
            faults.faults.iter_mut().for_each(|fault| fault.line = None);
            faults
        })
    }

    /// Returns what counts on this host: who may sign by `root`, and on top of that what this file
    /// withholds. It can take away and ask for more, and it can add nobody.
    pub fn under(&self, root: &Self, newest: Newest) -> Self {
        let (own, theirs) = (&self.threshold, &root.threshold);
        Self {
            version: self.version,
            policy: self.policy.clone(),
            root: self.root.clone(),
            threshold: Threshold {
                runbook: own.runbook.max(theirs.runbook),
                bundle: own.bundle.max(theirs.bundle),
                grant: own.grant.max(theirs.grant),
            },
            keys: root.keys.clone(),
            revoked: [self.revoked.as_slice(), &root.revoked].concat(),
            floors: [self.floors.as_slice(), &root.floors].concat(),
            newest: Some(newest),
        }
    }

    /// Returns how many different keys a role takes.
    pub fn needed(&self, role: Role) -> usize {
        match role {
            Role::Runbook => self.threshold.runbook,
            Role::Bundle => self.threshold.bundle,
            Role::Grant => self.threshold.grant,
            Role::Host => 1,
        }
    }

    /// Returns the keys that may sign in a role and are not revoked, but for names and dates.
    pub fn holders(&self, role: Role) -> impl Iterator<Item = &Key> {
        let counts = |key: &&Key| self.revoked_key(&key.public.hint()).is_none();
        self.keys.iter().filter(move |key| key.has(role)).filter(counts)
    }

    /// Returns the key that a signature names.
    pub fn key(&self, hint: &Hint) -> Option<&Key> {
        self.keys.iter().find(|key| key.public.hint() == *hint)
    }

    /// Returns why a key is revoked, where it is.
    pub fn revoked_key(&self, hint: &Hint) -> Option<&str> {
        let entry = self.revoked.iter().find(|entry| entry.key.as_ref() == Some(hint));
        entry.map(|entry| entry.reason.as_str())
    }

    /// Returns why a component is revoked, where it is.
    pub fn revoked_digest(&self, digest: &Digest) -> Option<&str> {
        let entry = self.revoked.iter().find(|entry| entry.digest.as_ref() == Some(digest));
        entry.map(|entry| entry.reason.as_str())
    }

    /// Returns why a version of a package is revoked, where it is.
    pub fn revoked_package(&self, package: &str, version: &str) -> Option<&str> {
        let is_it = |entry: &&Revoked| {
            let versions = entry.versions.as_ref();
            entry.package.as_deref() == Some(package)
                && versions.is_none_or(|versions| versions.iter().any(|it| it == version))
        };
        self.revoked.iter().find(is_it).map(|entry| entry.reason.as_str())
    }

    /// Returns the floor that the keyring sets, zero where it sets none.
    pub fn floor(&self, package: &str, channel: &str) -> u64 {
        let is_it = |floor: &&Floor| floor.package == package && floor.channel == channel;
        self.floors.iter().filter(is_it).map(|floor| floor.sequence).max().unwrap_or_default()
    }

    /// Returns the keys that may sign a package as runbooks, but for dates.
    pub fn signers<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a Key> {
        let counts = |key: &&Key| self.revoked_key(&key.public.hint()).is_none();
        self.named_for(package).filter(counts)
    }

    /// Returns the namespaces in which some key that counts may sign a package of this bare name.
    pub fn namespaces_of(&self, name: &str) -> Vec<String> {
        let names = self.holders(Role::Runbook).flat_map(|key| &key.names);
        let of =
            |(space, rest): (&str, &str)| (rest == "*" || rest == name).then(|| space.to_owned());
        let spaces: BTreeSet<String> =
            names.filter_map(|it| it.split_once(':').and_then(of)).collect();
        spaces.into_iter().collect()
    }

    /// Returns the keys that speak for a package in the role of runbooks, revoked or not.
    pub fn named_for<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.has(Role::Runbook) && key.speaks_for(package))
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.root.is_some() && !self.keys.is_empty() {
            let problem = "stands beside `[root]`, which says who may sign".to_owned();
            let fix = "remove one of the two: a chain brings its keys along".to_owned();
            faults.push(Fault::new("key", problem, fix));
        }
        let (mut ids, mut publics) = (BTreeSet::new(), BTreeSet::new());
        for (place, key) in self.keys.iter().enumerate() {
            let path = format!("key[{place}]");
            faults.extend(key.faults(&path));
            let mut again = |name: &str, is_new: bool| {
                let fix = "list each key once, under one id".to_owned();
                let fault = Fault::new(format!("{path}.{name}"), "is listed twice".into(), fix);
                faults.extend((!is_new).then_some(fault));
            };
            again("id", ids.insert(&key.id));
            again("public", publics.insert(key.public.hint()));
        }
        for (place, entry) in self.revoked.iter().enumerate() {
            if entry.versions.is_some() && entry.package.is_none() {
                let fix = "name the `package`, or remove it".to_owned();
                let field = format!("revoked[{place}].versions");
                faults.push(Fault::new(field, "belongs to a package".into(), fix));
            }
        }
        faults
    }
}

impl Key {
    pub(crate) fn new(id: String, public: PublicKey, roles: Vec<Role>) -> Self {
        let (not_before, not_after, endpoints) = (None, None, None);
        Self { id, public, roles, names: Vec::new(), not_before, not_after, endpoints }
    }

    pub(crate) fn named(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    pub(crate) fn dated(self, from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        let time = |time: Timestamp| time.to_string().parse().ok();
        Self { not_before: from.and_then(time), not_after: until.and_then(time), ..self }
    }

    pub(crate) fn within(self, endpoints: Option<Endpoints>) -> Self {
        Self { endpoints, ..self }
    }

    /// Returns it as a signer.
    pub fn signer(&self) -> Signer {
        Signer { id: self.id.clone(), hint: self.public.hint() }
    }

    /// Returns whether it has the hint.
    pub fn is(&self, hint: &str) -> bool {
        self.public.hint().as_str() == hint
    }

    /// Returns whether it may sign in a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Returns whether it may speak for a package.
    pub fn speaks_for(&self, package: &str) -> bool {
        let space = package.split_once(':').map(|(space, _)| space);
        self.names.iter().any(|name| match name.strip_suffix(":*") {
            Some(all_of) => space == Some(all_of),
            None => name == package,
        })
    }

    /// Returns from when it counts.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before.as_ref().and_then(instant)
    }

    /// Returns until when it counts.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after.as_ref().and_then(instant)
    }

    fn faults(&self, path: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, problem: &str, fix: &str| {
            let field = format!("{path}.{field}");
            faults.push(Fault::new(field, problem.to_owned(), fix.to_owned()));
        };
        if self.roles.is_empty() {
            fault("roles", "is an empty list", "name at least one, such as `runbook`");
        }
        if self.has(Role::Runbook) && self.has(Role::Grant) {
            let problem = "has both `runbook` and `grant`";
            fault("roles", problem, "who writes code must not also say what code may do");
        }
        if self.has(Role::Runbook) && self.names.is_empty() {
            fault("names", "names no package", "name what it may speak for, such as `\"acme:*\"`");
        }
        if let (Some(from), Some(until)) = (self.not_before(), self.not_after())
            && from >= until
        {
            fault("not-after", "is not later than `not-before`", "swap the two");
        }
        faults
    }
}

/// The schema has let only times with an offset pass.
fn instant(time: &Datetime) -> Option<Timestamp> {
    time.to_string().parse().ok()
}
