//! The claim on a scope: one object with a unique name in the project, so that two state
//! directories never work on one tenant.
//!
//! Its labels name the installation, the machine, and an epoch: of two copies of one state
//! directory the one that was restored later wins. Of two that imported one run the first one
//! wins: each takes over only what was claimed before the run left.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::id::Scope;
use crate::journal::UnixMs;
use crate::labels::{BY, Foreign, HostKey, MAC, TENANT, proof, prove, scope_value};
use crate::limits::{CLOCK_MIN, EPOCH_AHEAD_MAX};
use crate::timing::after;

/// Begins the name of each claim.
pub const PREFIX: &str = "runwrit-claim-";
/// The label that tells a claim; its value is the epoch.
pub const EPOCH: &str = "runwrit/claim";
/// The machine that the installation worked on, for people.
pub const HOST: &str = "runwrit/host";
/// A label holds no more.
const HOST_CHARS_MAX: usize = 63;
/// What the proof is about.
const DOMAIN: &str = "claim";

/// Who claims: an installation at a point of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// When this copy of the state directory came to be, in milliseconds since 1970 UTC; zero
    /// where it was never copied.
    pub epoch: u64,
    /// The name of the machine.
    pub host: String,
    /// What came with runs that were imported: for each scope, by the value of its label.
    pub successions: BTreeMap<String, Succession>,
}

/// How a state directory claims a scope that came to it with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Succession {
    /// The epoch by which it claims this scope.
    pub epoch: u64,
    /// The epoch of the last claim that it may take over: that of the directory which the run left.
    /// Whatever was claimed after it is a second import's. Nothing where the file did not say it.
    pub after: Option<u64>,
}

impl Claimant {
    /// Returns how it claims a scope.
    pub fn on(&self, scope: &Scope) -> Succession {
        let native = Succession { epoch: self.epoch, after: None };
        self.successions.get(&scope_value(scope)).copied().unwrap_or(native)
    }

    /// Returns whether the scope came to it with a run.
    pub fn is_successor(&self, scope: &Scope) -> bool {
        self.successions.contains_key(&scope_value(scope))
    }

    /// Returns the latest of its epochs: a copy of it begins after that.
    pub fn latest(&self) -> u64 {
        let epochs = self.successions.values().map(|succession| succession.epoch);
        epochs.chain([self.epoch]).max().unwrap_or_default()
    }

    /// Returns how it claims a scope from the import of a run on, which left a directory of the
    /// epoch `left`. `has_worked` says whether it could claim that scope before.
    pub fn succeed(
        &self,
        scope: &Scope,
        left: Option<u64>,
        has_worked: bool,
        now: UnixMs,
    ) -> Succession {
        let own = self.on(scope);
        // A second run of one scope, or a second try of one import.
        let is_known = self.is_successor(scope) && left.is_some() && left <= own.after;
        if is_known {
            return own;
        }
        let before = if has_worked { own.epoch } else { 0 };
        // Behind an epoch that cannot be, every claim would count as an earlier one.
        let after = left.map(|left| if is_possible(left, now) { left.max(before) } else { before });
        Succession { epoch: begin(own.epoch.max(left.unwrap_or_default()), now), after }
    }
}

/// Who holds a claim, as its labels say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The installation.
    pub by: String,
    /// The machine.
    pub host: String,
}

/// How a claim stands to this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is held as it should be.
    Held,
    /// It is ours, by an earlier copy of this state directory: it is taken over.
    Earlier,
    /// It is ours, by a later copy of this state directory, or by another one that a run of the
    /// scope was imported into: this one must not act any more.
    Later(Holder),
    /// Another installation holds it.
    Others(Holder),
    /// Its labels prove nothing.
    Unproven,
}

/// Returns the name of the claim on a scope; nothing for one that no other run can have.
pub fn name(scope: &Scope) -> Option<String> {
    scope.tenant_id().map(|tenant| format!("{PREFIX}{tenant}"))
}

/// Returns the labels of a claim on `scope`.
pub fn labels(key: &HostKey, scope: &Scope, claimant: &Claimant) -> BTreeMap<String, String> {
    let lent = key.lend(scope);
    let host = label(&claimant.host);
    let (tenant, epoch) = (scope_value(scope), claimant.on(scope).epoch.to_string());
    let parts = [&tenant, &lent.installation, &epoch, &host];
    let mac = proof(&lent.key, DOMAIN, &parts);
    let pairs = [(BY, lent.installation), (TENANT, tenant), (EPOCH, epoch), (HOST, host)];
    let pairs = pairs.into_iter().chain([(MAC, mac)]);
    pairs.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Judges the labels of the claim on a scope.
///
/// An epoch that a wrong clock wrote, in 2099 perhaps, must not lock a scope until then: one that
/// cannot be counts as earlier than each that can.
pub fn judge(
    key: &HostKey,
    scope: &Scope,
    claimant: &Claimant,
    labels: &BTreeMap<String, String>,
    now: UnixMs,
) -> Standing {
    let Ok((holder, epoch)) = verify(key, labels, &scope_value(scope)) else {
        return others(labels);
    };
    let own = claimant.on(scope);
    match (is_possible(epoch, now), is_possible(own.epoch, now)) {
        (false, true) => Standing::Earlier,
        // It may have been restored before or after this directory, and only a person knows.
        (true, false) if epoch > 0 => Standing::Later(holder),
        _ => match epoch.cmp(&own.epoch) {
            // Somebody imported the run before this directory did.
            Ordering::Less if own.after.is_some_and(|after| epoch > after) => {
                Standing::Later(holder)
            }
            Ordering::Less => Standing::Earlier,
            Ordering::Equal => Standing::Held,
            Ordering::Greater => Standing::Later(holder),
        },
    }
}

/// Returns whether an epoch can have been written by a clock that was right. A clock that is wrong
/// itself cannot tell.
pub fn is_possible(epoch: u64, now: UnixMs) -> bool {
    now < CLOCK_MIN || epoch <= after(now, EPOCH_AHEAD_MAX)
}

/// Returns the epoch of a copy of a state directory that comes to be now: later than that of the
/// directory it was copied from, unless that one cannot be.
pub fn begin(copied: u64, now: UnixMs) -> u64 {
    match is_possible(copied, now) {
        true => now.max(copied.saturating_add(1)),
        false => now,
    }
}

/// Returns who holds a claim of this installation on the scope of that label value, and its epoch.
pub fn verify(
    key: &HostKey,
    labels: &BTreeMap<String, String>,
    tenant: &str,
) -> Result<(Holder, u64), Foreign> {
    let read = |name| labels.get(name).cloned().ok_or(Foreign::Incomplete(name));
    let (by, epoch, host, mac) = (read(BY)?, read(EPOCH)?, read(HOST)?, read(MAC)?);
    if read(TENANT)? != tenant {
        return Err(Foreign::Forged);
    }
    let Some(own) = key.key_of(tenant, &by) else {
        return Err(Foreign::OtherInstallation(by));
    };
    prove(&own, DOMAIN, &[tenant, &by, &epoch, &host], &mac)?;
    let epoch = epoch.parse().map_err(|_| Foreign::Incomplete(EPOCH))?;
    Ok((Holder { by, host }, epoch))
}

/// Tells another installation from labels that somebody typed.
fn others(labels: &BTreeMap<String, String>) -> Standing {
    let read = |name| labels.get(name).cloned().unwrap_or_default();
    let is_whole = [BY, TENANT, EPOCH, HOST, MAC].iter().all(|name| labels.contains_key(*name));
    match is_whole {
        true => Standing::Others(Holder { by: read(BY), host: read(HOST) }),
        false => Standing::Unproven,
    }
}

/// Makes a name of a machine fit a label.
fn label(host: &str) -> String {
    let is_fit = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
    let text: String = host.chars().filter(|it| is_fit(*it)).take(HOST_CHARS_MAX).collect();
    let text = text.trim_matches(['.', '-']);
    if text.is_empty() { "unnamed".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In 2026.
    const NOW: UnixMs = 1_780_000_000_000;
    /// In 2099.
    const FUTURE: u64 = 4_070_908_800_000;

    #[test]
    fn an_epoch_of_a_wrong_clock_locks_nobody_out_and_lets_no_older_copy_in() {
        let acme = Scope::tenant("acme");
        let holder = || Holder { by: key(1).installation(), host: "ops1".to_owned() };
        let rows = [
            ("restored again today", FUTURE, NOW, NOW, Standing::Earlier),
            ("never restored", FUTURE, 0, NOW, Standing::Earlier),
            ("its own", FUTURE, FUTURE, NOW, Standing::Held),
            ("restored in the future over what never was", 0, FUTURE, NOW, Standing::Earlier),
            ("one of both is the later", NOW - 5, FUTURE, NOW, Standing::Later(holder())),
            (
                "a clock that is late by a week",
                NOW,
                0,
                NOW - 604_800_000,
                Standing::Later(holder()),
            ),
            ("a clock without a battery", NOW, 0, 5, Standing::Later(holder())),
        ];
        for (name, claimed, own, now, expected) in rows {
            let claim = labels(&key(1), &acme, &at(claimed));
            assert_eq!(judge(&key(1), &acme, &at(own), &claim, now), expected, "{name}");
        }
        let rows =
            [(0, NOW, NOW), (NOW + 5, NOW, NOW + 6), (FUTURE, NOW, NOW), (FUTURE, 5, FUTURE + 1)];
        for (copied, now, expected) in rows {
            assert_eq!(begin(copied, now), expected, "{copied} {now}");
        }
    }

    fn key(byte: u8) -> HostKey {
        HostKey::from_bytes([byte; 32])
    }

    fn at(epoch: u64) -> Claimant {
        Claimant { epoch, host: "ops1".to_owned(), successions: BTreeMap::new() }
    }

    /// Returns a directory of epoch 3 into which a run of `acme` came.
    fn heir(epoch: u64, after: Option<u64>) -> Claimant {
        let successions = [("acme".to_owned(), Succession { epoch, after })].into();
        Claimant { successions, ..at(3) }
    }

    #[test]
    fn of_two_directories_that_imported_one_run_only_one_takes_the_claim() {
        let acme = Scope::tenant("acme");
        let holder = || Holder { by: key(1).installation(), host: "ops1".to_owned() };
        let rows = [
            ("of the directory that the run left", 4, heir(9, Some(4)), Standing::Earlier),
            ("of one before that", 2, heir(9, Some(4)), Standing::Earlier),
            ("its own", 9, heir(9, Some(4)), Standing::Held),
            ("of a second import, made first", 7, heir(9, Some(4)), Standing::Later(holder())),
            ("of a second import, made later", 11, heir(9, Some(4)), Standing::Later(holder())),
            ("what a file of version 1 came with", 7, heir(9, None), Standing::Earlier),
        ];
        for (name, claimed, claimant, expected) in rows {
            let claim = labels(&key(1), &acme, &at(claimed));
            assert_eq!(judge(&key(1), &acme, &claimant, &claim, NOW), expected, "{name}");
        }
        let elsewhere = Scope::tenant("bolt");
        let claim = labels(&key(1), &elsewhere, &heir(9, Some(4)));
        assert_eq!(claim[EPOCH], "3", "another scope is claimed as ever");
        assert_eq!(labels(&key(1), &acme, &heir(9, Some(4)))[EPOCH], "9");
    }

    #[test]
    fn an_import_begins_after_the_directory_that_the_run_left() {
        let acme = Scope::tenant("acme");
        let rows = [
            ("into a fresh one", at(0), Some(0), false, (NOW, Some(0))),
            ("into a restored one", at(NOW - 9), Some(4), false, (NOW, Some(4))),
            ("back into the one it left", at(4), Some(NOW - 9), true, (NOW, Some(NOW - 9))),
            ("back into one that was restored", at(NOW - 3), Some(4), true, (NOW, Some(NOW - 3))),
            ("with a second run", heir(9, Some(4)), Some(4), true, (9, Some(4))),
            ("again, after it went on", heir(9, Some(4)), Some(20), true, (NOW, Some(20))),
            ("from a clock ahead", at(0), Some(NOW + 5), false, (NOW + 6, Some(NOW + 5))),
            ("from a clock of 2099", at(0), Some(FUTURE), false, (NOW, Some(0))),
            ("by a file of version 1", at(0), None, false, (NOW, None)),
        ];
        for (name, claimant, left, has_worked, (epoch, after)) in rows {
            let succession = claimant.succeed(&acme, left, has_worked, NOW);
            assert_eq!(succession, Succession { epoch, after }, "{name}");
        }
        assert_eq!((heir(9, None).latest(), heir(1, None).latest()), (9, 3));
    }

    #[test]
    fn a_claim_is_held_taken_over_or_left_alone() {
        let acme = Scope::tenant("acme");
        let claim = labels(&key(1), &acme, &at(5));
        let lent = key(2).with_lent(&acme, key(1).lend(&acme));
        let holder = || Holder { by: key(1).installation(), host: "ops1".to_owned() };
        let changed = |name: &str, value: &str| {
            let mut claim = claim.clone();
            claim.insert(name.to_owned(), value.to_owned());
            claim
        };
        let mut bare = claim.clone();
        bare.remove(MAC);
        let rows = [
            ("its own", key(1), at(5), claim.clone(), Standing::Held),
            ("before a restore", key(1), at(6), claim.clone(), Standing::Earlier),
            ("after a restore", key(1), at(4), claim.clone(), Standing::Later(holder())),
            ("another's", key(2), at(9), claim.clone(), Standing::Others(holder())),
            ("what moved here", lent, at(6), claim.clone(), Standing::Earlier),
            ("not proven", key(1), at(5), bare, Standing::Unproven),
            ("no labels", key(1), at(5), BTreeMap::new(), Standing::Unproven),
        ];
        for (name, key, claimant, labels, expected) in rows {
            assert_eq!(judge(&key, &acme, &claimant, &labels, NOW), expected, "{name}");
        }
        for (name, value) in [(EPOCH, "4"), (HOST, "evil"), (MAC, "x"), (TENANT, "bolt")] {
            let judged = judge(&key(1), &acme, &at(5), &changed(name, value), NOW);
            assert!(matches!(judged, Standing::Others(_)), "{name}: {judged:?}");
        }
        let bolt = judge(&key(1), &Scope::tenant("bolt"), &at(5), &claim, NOW);
        assert!(matches!(bolt, Standing::Others(_)), "a claim moved to another tenant: {bolt:?}");
    }

    #[test]
    fn only_a_tenant_is_claimed_and_its_labels_fit() {
        let run = crate::id::RunId::new(1, [1; 10]);
        assert_eq!(name(&Scope::run(&run)), None);
        assert_eq!(name(&Scope::tenant("acme")).as_deref(), Some("runwrit-claim-acme"));
        let long = "x".repeat(99);
        let rows = [
            ("ops1.example.org", "ops1.example.org"),
            ("-a_b c.", "abc"),
            ("", "unnamed"),
            ("хост", "unnamed"),
            (long.as_str(), &long[..63]),
        ];
        for (host, expected) in rows {
            assert_eq!(label(host), expected, "{host}");
        }
    }
}
