//! The labels that prove who made a thing: set by the host alone, sealed with an HMAC.
//!
//! A label typed by somebody else adopts nothing and sweeps nothing, because it cannot carry the
//! right `runwrit/mac`.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::call::CallId;
use crate::id::{LOWER_BASE32, RunId, Scope};

/// The prefix that belongs to the host.
pub const PREFIX: &str = "runwrit/";
/// The run, by its short name.
pub const RUN: &str = "runwrit/run";
/// The call.
pub const CALL: &str = "runwrit/call";
/// The scope.
pub const TENANT: &str = "runwrit/tenant";
/// The installation.
pub const BY: &str = "runwrit/by";
/// The proof over all of them, the kind and the name.
pub const MAC: &str = "runwrit/mac";
/// The type that a server was ordered as, whichever candidate that was: a fact for comparisons. The
/// proof does not cover it.
pub const TYPE: &str = "runwrit/type";

/// 160 bits of the HMAC: a forgery needs 2^160 tries, and 32 characters fit a label.
const MAC_BYTES: usize = 20;
/// 80 bits: installations are few.
const INSTALLATION_BYTES: usize = 10;

/// The 32 random bytes of this installation, and what others lent it with runs that moved here.
/// Whoever has them can claim every resource, so they have neither `Display` nor `Serialize`.
///
/// Each scope has a key of its own, derived from those bytes: what is lent proves one scope only.
#[derive(Clone)]
pub struct HostKey {
    own: [u8; 32],
    /// Derived from them, once: each label names it.
    installation: String,
    lent: BTreeMap<String, Lent>,
}

/// What an installation lends of its key: it proves what belongs to one scope, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Lent {
    /// The installation that lends it.
    pub installation: String,
    /// The key of the scope.
    pub key: [u8; 32],
}

impl fmt::Debug for Lent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lent({}, ..)", self.installation)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HostKey(..)")
    }
}

/// What the labels of a thing say, once verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// For example `hetzner.server`.
    pub kind: String,
    /// The name of the thing.
    pub name: String,
    /// The run, by [`RunId::short`].
    pub run: String,
    /// The call that made it.
    pub call: CallId,
    /// The scope, by [`scope_value`].
    pub tenant: String,
    /// The installation.
    pub by: String,
}

/// Who made a thing, as proven by its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The run, by [`RunId::short`].
    pub run: String,
    /// The call.
    pub call: CallId,
    /// The scope, by [`scope_value`].
    pub tenant: String,
}

/// Why a thing does not count as made by this installation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It has no labels of the host.
    #[error("it carries no `runwrit/` labels")]
    Unlabelled,
    /// It lacks one of them.
    #[error("its label `{0}` is missing or malformed")]
    Incomplete(&'static str),
    /// Another installation made it.
    #[error("it belongs to the installation `{0}`, not to this one")]
    OtherInstallation(String),
    /// The proof is wrong: somebody typed or changed a label, or renamed the thing.
    #[error("its `runwrit/mac` does not match: a label or the name was changed by somebody else")]
    Forged,
}

impl HostKey {
    /// Wraps the bytes of the key file.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let id = tag(&bytes, "installation", &["id"]);
        let installation = LOWER_BASE32.encode(&id[..INSTALLATION_BYTES]);
        Self { own: bytes, installation, lent: BTreeMap::new() }
    }

    /// Adds what another installation lent for a scope.
    pub fn with_lent(mut self, scope: &Scope, lent: Lent) -> Self {
        self.lent.insert(scope_value(scope), lent);
        self
    }

    /// Returns what to lend so that another installation can prove what belongs to `scope`.
    pub fn lend(&self, scope: &Scope) -> Lent {
        let tenant = scope_value(scope);
        let own = || Lent { installation: self.installation.clone(), key: self.own_key(&tenant) };
        self.lent.get(&tenant).cloned().unwrap_or_else(own)
    }

    /// Derives a key for another purpose, such as the MAC of the code cache.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.tag("derive", &[purpose])
    }

    /// Returns the id of this installation: sixteen characters that tell nothing about the key.
    pub fn installation(&self) -> String {
        self.installation.clone()
    }

    /// Returns the installation in whose name things of `scope` are made: this one, but for a scope
    /// whose key was lent.
    pub fn installation_for(&self, scope: &Scope) -> String {
        let lent = self.lent.get(&scope_value(scope));
        lent.map_or_else(|| self.installation(), |lent| lent.installation.clone())
    }

    /// Describes what a call of a run of this installation makes.
    pub fn ownership(&self, scope: &Scope, run: &RunId, call: CallId, thing: Thing) -> Ownership {
        Ownership {
            kind: thing.kind.to_owned(),
            name: thing.name.to_owned(),
            run: run.short(),
            call,
            tenant: scope_value(scope),
            by: self.installation_for(scope),
        }
    }

    /// Returns the labels that prove `ownership`.
    pub fn labels_for(&self, ownership: &Ownership) -> BTreeMap<String, String> {
        let Ownership { run, call, tenant, by, .. } = ownership.clone();
        let mac = LOWER_BASE32.encode(&self.mac(ownership)[..MAC_BYTES]);
        let call = call.to_string();
        [(RUN, run), (CALL, call), (TENANT, tenant), (BY, by), (MAC, mac)]
            .map(|(key, value)| (key.to_owned(), value))
            .into()
    }

    /// Returns who made the thing of this kind and name that carries `labels`.
    pub fn verify(
        &self,
        labels: &BTreeMap<String, String>,
        kind: &str,
        name: &str,
    ) -> Result<Owner, Foreign> {
        if !labels.keys().any(|key| key.starts_with(PREFIX)) {
            return Err(Foreign::Unlabelled);
        }
        let read = |key| labels.get(key).cloned().ok_or(Foreign::Incomplete(key));
        let claimed = Ownership {
            kind: kind.to_owned(),
            name: name.to_owned(),
            run: read(RUN)?,
            call: read(CALL)?.parse().map_err(|_| Foreign::Incomplete(CALL))?,
            tenant: read(TENANT)?,
            by: read(BY)?,
        };
        let Some(key) = self.key_of(&claimed.tenant, &claimed.by) else {
            return Err(Foreign::OtherInstallation(claimed.by));
        };
        prove(&key, "labels", &claimed.parts(), &read(MAC)?)?;
        Ok(Owner { run: claimed.run, call: claimed.call, tenant: claimed.tenant })
    }

    fn mac(&self, ownership: &Ownership) -> [u8; 32] {
        let Ownership { tenant, by, .. } = ownership;
        // Who describes what it does not own gets labels that prove nothing.
        let key = self.key_of(tenant, by).unwrap_or_else(|| self.own_key(tenant));
        tag(&key, "labels", &ownership.parts())
    }

    /// Returns the key by which the installation `by` proves what belongs to a scope, where this
    /// one has it.
    pub(crate) fn key_of(&self, tenant: &str, by: &str) -> Option<[u8; 32]> {
        match self.lent.get(tenant) {
            Some(lent) if lent.installation == by => Some(lent.key),
            _ => (by == self.installation).then(|| self.own_key(tenant)),
        }
    }

    fn own_key(&self, tenant: &str) -> [u8; 32] {
        self.tag("scope", &[tenant])
    }

    fn tag<P: AsRef<str>>(&self, domain: &str, parts: &[P]) -> [u8; 32] {
        tag(&self.own, domain, parts)
    }
}

/// Compares in constant time, so that no timing tells how much of a guess was right.
pub(crate) fn prove<P: AsRef<str>>(
    key: &[u8; 32],
    domain: &str,
    parts: &[P],
    mac: &str,
) -> Result<(), Foreign> {
    let given = LOWER_BASE32.decode(mac.as_bytes()).map_err(|_| Foreign::Forged)?;
    if given.len() != MAC_BYTES {
        return Err(Foreign::Forged);
    }
    if crate::breakable::is_broken("label-mac") {
        return Ok(());
    }
    state(key, domain, parts).verify_truncated_left(&given).map_err(|_| Foreign::Forged)
}

/// Returns the proof over these parts as a label carries it.
pub(crate) fn proof<P: AsRef<str>>(key: &[u8; 32], domain: &str, parts: &[P]) -> String {
    LOWER_BASE32.encode(&tag(key, domain, parts)[..MAC_BYTES])
}

fn tag<P: AsRef<str>>(key: &[u8; 32], domain: &str, parts: &[P]) -> [u8; 32] {
    state(key, domain, parts).finalize().into_bytes().into()
}

/// The domain and each part come with their lengths, so no two inputs read the same.
fn state<P: AsRef<str>>(key: &[u8; 32], domain: &str, parts: &[P]) -> Hmac<Sha256> {
    let mut state = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any size");
    state.update(b"\0runwrit-host-key-v1\0");
    for part in std::iter::once(domain).chain(parts.iter().map(AsRef::as_ref)) {
        state.update(&(part.len() as u64).to_be_bytes());
        state.update(part.as_bytes());
    }
    state
}

impl Ownership {
    fn parts(&self) -> [String; 6] {
        let Self { kind, name, run, call, tenant, by } = self.clone();
        [kind, name, run, call.to_string(), tenant, by]
    }
}

/// A kind and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thing<'a> {
    /// For example `hetzner.server`.
    pub kind: &'a str,
    /// For example `acme-db`.
    pub name: &'a str,
}

/// Returns the value of `runwrit/tenant` for a scope. A label value holds no `:`, and a tenant id
/// no `.`, so the two forms never meet.
pub fn scope_value(scope: &Scope) -> String {
    match scope.tenant_id() {
        Some(tenant) => tenant.to_owned(),
        None => scope.as_str().replace(':', "."),
    }
}

/// Returns the label selector that finds what this scope of this installation owns.
pub fn scope_selector(key: &HostKey, scope: &Scope) -> String {
    format!("{BY}={},{TENANT}={}", key.installation_for(scope), scope_value(scope))
}

/// Why a label cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The prefix of the host.
    #[error("label `{0}` is refused: the prefix `runwrit/` belongs to the host")]
    Reserved(String),
    /// A key that Hetzner refuses.
    #[error(
        "label key `{0}` is malformed: expected `[prefix/]name` with 1 to 63 of \
             `A-Za-z0-9._-` between letters or digits, and no prefix `hetzner.cloud`"
    )]
    Key(String),
    /// A value that Hetzner refuses.
    #[error(
        "the value of label `{key}` is malformed: expected nothing, or 1 to 63 of \
             `A-Za-z0-9._-` between letters or digits"
    )]
    Value {
        /// The key.
        key: String,
    },
    /// Twice the same key.
    #[error("label `{0}` is given twice")]
    Duplicate(String),
}

/// Checks the labels that a guest asks for. Case does not get around the prefix of the host.
pub fn from_guest<I>(pairs: I) -> Result<BTreeMap<String, String>, LabelError>
where
    I: IntoIterator<Item = (String, String)>,
{
    let mut labels = BTreeMap::new();
    for (key, value) in pairs {
        check(&key, &value)?;
        if labels.insert(key.clone(), value).is_some() {
            return Err(LabelError::Duplicate(key));
        }
    }
    Ok(labels)
}

fn check(key: &str, value: &str) -> Result<(), LabelError> {
    if is_reserved(key) && !crate::breakable::is_broken("label-reserved") {
        return Err(LabelError::Reserved(key.to_owned()));
    }
    if !is_key(key) {
        return Err(LabelError::Key(key.to_owned()));
    }
    match value.is_empty() || is_name(value) {
        true => Ok(()),
        false => Err(LabelError::Value { key: key.to_owned() }),
    }
}

/// Returns whether a label key is the host's, in any spelling.
pub fn is_reserved(key: &str) -> bool {
    let prefix = key.split('/').next().unwrap_or_default();
    key.contains('/') && prefix.eq_ignore_ascii_case("runwrit")
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_prefix(prefix) && is_name(name),
        None => is_name(key),
    }
}

fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        is_name(part) && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    prefix.len() <= 253
        && prefix.split('.').all(is_part)
        && !prefix.eq_ignore_ascii_case("hetzner.cloud")
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(is_inner)
        && bytes[0].is_ascii_alphanumeric()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> HostKey {
        HostKey::from_bytes([byte; 32])
    }

    fn labels() -> BTreeMap<String, String> {
        let run = RunId::new(1, [1; 10]);
        let thing = Thing { kind: "hetzner.server", name: "acme-db" };
        let call = CallId::item(4, 1);
        key(1).labels_for(&key(1).ownership(&Scope::tenant("acme"), &run, call, thing))
    }

    #[test]
    fn what_the_host_labels_it_recognizes() {
        let owner = key(1).verify(&labels(), "hetzner.server", "acme-db").unwrap();
        assert_eq!(owner.tenant, "acme");
        assert_eq!(owner.call, CallId::item(4, 1));
        assert_eq!(owner.run, RunId::new(1, [1; 10]).short());
    }

    #[test]
    fn whatever_somebody_changes_makes_it_foreign() {
        type Change = fn(&mut BTreeMap<String, String>);
        let rows: [(&str, Change, Foreign); 9] = [
            ("no labels", |l| l.clear(), Foreign::Unlabelled),
            ("no mac", |l| drop(l.remove(MAC)), Foreign::Incomplete(MAC)),
            ("no run", |l| drop(l.remove(RUN)), Foreign::Incomplete(RUN)),
            ("call", |l| drop(l.insert(CALL.into(), "x".into())), Foreign::Incomplete(CALL)),
            ("run", |l| drop(l.insert(RUN.into(), "aaaaaaaaaaaa".into())), Foreign::Forged),
            ("other call", |l| drop(l.insert(CALL.into(), "4.2".into())), Foreign::Forged),
            ("tenant", |l| drop(l.insert(TENANT.into(), "bolt".into())), Foreign::Forged),
            ("empty mac", |l| drop(l.insert(MAC.into(), String::new())), Foreign::Forged),
            ("short mac", |l| drop(l.insert(MAC.into(), l[MAC][..8].into())), Foreign::Forged),
        ];
        for (name, change, expected) in rows {
            let mut labels = labels();
            change(&mut labels);
            assert_eq!(
                key(1).verify(&labels, "hetzner.server", "acme-db"),
                Err(expected),
                "{name}"
            );
        }
    }

    #[test]
    fn labels_do_not_move_to_another_kind_name_or_installation() {
        let rows = [(1, "hetzner.volume", "acme-db"), (1, "hetzner.server", "acme-gw")];
        for (byte, kind, name) in rows {
            assert_eq!(
                key(byte).verify(&labels(), kind, name),
                Err(Foreign::Forged),
                "{kind} {name}"
            );
        }
        let other = key(2).verify(&labels(), "hetzner.server", "acme-db");
        assert_eq!(other, Err(Foreign::OtherInstallation(key(1).installation())));
    }

    #[test]
    fn what_is_lent_proves_one_scope_only() {
        let (acme, bolt) = (Scope::tenant("acme"), Scope::tenant("bolt"));
        let borrower = key(2).with_lent(&acme, key(1).lend(&acme));
        assert!(borrower.verify(&labels(), "hetzner.server", "acme-db").is_ok());
        assert_eq!(scope_selector(&borrower, &acme), scope_selector(&key(1), &acme));
        let run = RunId::new(1, [1; 10]);
        let thing = Thing { kind: "hetzner.server", name: "x" };
        let of = |key: &HostKey, scope: &Scope| {
            key.labels_for(&key.ownership(scope, &run, CallId::single(7), thing))
        };
        // What either of them makes in that scope, both recognize; elsewhere they are strangers.
        for (made_by, seen_by) in [(&borrower, &key(1)), (&key(1), &borrower)] {
            assert!(seen_by.verify(&of(made_by, &acme), "hetzner.server", "x").is_ok());
            let other = seen_by.verify(&of(made_by, &bolt), "hetzner.server", "x");
            assert!(matches!(other, Err(Foreign::OtherInstallation(_))), "{other:?}");
        }
        let moved = key(3).with_lent(&acme, borrower.lend(&acme));
        assert!(moved.verify(&labels(), "hetzner.server", "acme-db").is_ok(), "lent on");
        let shown = format!("{:?} {:?}", borrower, key(1).lend(&acme));
        assert!(!shown.contains("[1, 1") && !shown.contains("key: ["), "{shown}");
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let one = key(1).tag("labels", &["ab", "c"]);
        assert_ne!(one, key(1).tag("labels", &["a", "bc"]));
        assert_ne!(one, key(1).tag("labelsab", &["c"]));
        assert_ne!(key(1).derive("a"), key(1).derive("b"));
    }

    #[test]
    fn every_label_of_the_host_is_one_that_hetzner_takes() {
        let run = RunId::new(1, [1; 10]);
        for scope in [Scope::tenant("acme"), Scope::run(&run)] {
            let thing = Thing { kind: "hetzner.network", name: "x" };
            let ownership = key(3).ownership(&scope, &run, CallId::single(7), thing);
            for (name, value) in key(3).labels_for(&ownership) {
                assert!(is_key(&name) && is_name(&value), "{name}={value}");
            }
        }
    }

    #[test]
    fn labels_of_guests_follow_the_rules_of_hetzner() {
        let long = "a".repeat(64);
        let rows = [
            ("runwrit/run", "x"),
            ("Runwrit/run", "x"),
            ("RUNWRIT/mac", ""),
            ("runwrit/", "x"),
            ("hetzner.cloud/x", "x"),
            ("", "x"),
            ("-a", "x"),
            ("a-", "x"),
            ("a/b/c", "x"),
            ("a b", "x"),
            ("ключ", "x"),
            (long.as_str(), "x"),
            ("role", "a/b"),
            ("role", "a:b"),
            ("role", " "),
            ("role", "-a"),
            ("role", long.as_str()),
            ("role", "ä"),
            ("_x/y", "x"),
        ];
        for (key, value) in rows {
            let got = from_guest([(key.to_owned(), value.to_owned())]);
            assert!(got.is_err(), "`{key}={value}` was accepted");
        }
        for (key, value) in [("role", "db"), ("example.org/role", ""), ("a", "A.b_c-1")] {
            from_guest([(key.to_owned(), value.to_owned())]).unwrap();
        }
        let twice = [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        assert_eq!(from_guest(twice), Err(LabelError::Duplicate("a".into())));
    }
}
