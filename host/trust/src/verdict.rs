//! The verdict over a package: whether enough of those who may speak for it do, and for just this.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runwrit_model::id::Digest;
use runwrit_model::journal::UnixMs;
use runwrit_model::limits;
use runwrit_model::provenance::Proof;

use crate::bundle;
use crate::envelope::Envelope;
use crate::floors::{Floors, Seen, timestamp};
use crate::keyring::{Endpoints, ExpiredRelease, ExpiredRoot, Key, Keyring, Newest, Role};
use crate::parcel::Hashed;
use crate::public_key::Signer;
use crate::refusal::{Cause, Fault, Refusal, Shortfall};
use crate::statement::{Release, Statement};

/// What a package is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// Who may sign what.
    pub keyring: &'a Keyring,
    /// What ran here before.
    pub floors: &'a Floors,
    /// What the clock says.
    pub clock: UnixMs,
}

impl Bench<'_> {
    /// Returns whether something has expired by what this host remembers, and not by its clock.
    pub(crate) fn is_ahead(&self, until: Timestamp) -> bool {
        timestamp(self.clock) < until
    }
}

/// A package that enough of those vouch for who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// What they vouch for.
    pub release: Release,
    /// The digest of the statement that they signed.
    pub statement: Digest,
    /// Who signed, each once.
    pub signers: Vec<Signer>,
    /// Whether too few would be left without keys that are good for this machine alone.
    pub is_loopback_only: bool,
    /// What is not in order and does not stand against it.
    pub warnings: Vec<String>,
    /// What others need to judge it anew.
    pub proof: Proof,
}

/// A signature that counts.
struct Valid<'a> {
    file: &'a str,
    bytes: &'a [u8],
    key: &'a Key,
    statement: Statement,
    digest: Digest,
}

impl Vouched {
    /// Returns what the host is to remember once it runs.
    pub fn seen(&self) -> Seen {
        Seen {
            package: self.release.package.clone(),
            channel: self.release.channel.clone(),
            sequence: self.release.sequence,
            statement: self.statement,
            signers: self.signers.iter().map(|signer| signer.hint.clone()).collect(),
        }
    }

    /// Compares the statement with what `runbook.toml` says, now that it may be parsed.
    pub fn agrees(
        &self,
        name: &str,
        version: &str,
        world: &str,
        asks: &[String],
    ) -> Result<(), Refusal> {
        agrees(&self.release, (name, version, world), asks)
    }
}

/// Compares what a statement says with name, version, world and ask of `runbook.toml`.
pub fn agrees(
    release: &Release,
    (name, version, world): (&str, &str, &str),
    asks: &[String],
) -> Result<(), Refusal> {
    let sorted = |asks: &[String]| {
        let mut asks = asks.to_vec();
        asks.sort();
        asks.join(", ")
    };
    let rows = [
        ("the name", release.name().to_owned(), name.to_owned()),
        ("the version", release.version.clone(), version.to_owned()),
        ("the world", release.world.clone(), world.to_owned()),
        ("the ask", sorted(&release.asks), sorted(asks)),
    ];
    let differing = rows.into_iter().find(|(_, signed, found)| signed != found);
    differing
        .map_or(Ok(()), |(field, signed, found)| Err(Refusal::Mismatch { field, signed, found }))
}

/// Returns what one signer of a package said, if the signature is one that counts: by a key of the
/// keyring that may sign it, over these very bytes.
pub fn stated(bytes: &[u8], hashed: &Hashed<'_>, bench: Bench<'_>) -> Result<Statement, Cause> {
    signature("", bytes, hashed, bench).map(|valid| valid.statement)
}

/// Judges a package by its bytes alone; nothing of it is parsed but what its signers signed.
pub fn judge(hashed: &Hashed<'_>, bench: Bench<'_>) -> Result<Vouched, Refusal> {
    if bench.clock < limits::CLOCK_MIN {
        return Err(Refusal::Clock(timestamp(bench.clock)));
    }
    // Revoked code stays revoked, whoever vouches for it.
    let (component, signatures) = (hashed.component(), &hashed.parcel().signatures);
    if let Some(reason) = bench.keyring.revoked_digest(&component) {
        let (digest, reason) = (component.to_string(), reason.to_owned());
        return Err(Refusal::RevokedDigest { digest, reason });
    }
    match signatures.len() {
        0 => return Err(Refusal::Unsigned),
        count if count > limits::SIGNATURES_MAX => return Err(Refusal::TooMany(count)),
        _ => {}
    }
    let age = root_age(bench).map_err(|newest| Refusal::RootExpired {
        version: newest.version,
        until: newest.expires,
        is_ahead: bench.is_ahead(newest.expires),
    })?;
    let mut vouched = count(hashed, bench)?;
    within_rules(&vouched, bench)?;
    vouched.warnings.extend(age);
    Ok(vouched)
}

/// Looks whether the root still counts that says who may sign; returns a warning where it does only
/// because the keyring puts up with it.
pub(crate) fn root_age(bench: Bench<'_>) -> Result<Option<String>, Newest> {
    let now = bench.floors.time(bench.clock);
    let Some(newest) = bench.keyring.newest.filter(|newest| newest.expires <= now) else {
        return Ok(None);
    };
    match bench.keyring.policy.expired_root {
        ExpiredRoot::Deny => Err(newest),
        ExpiredRoot::Warn => {
            let Newest { version, expires } = newest;
            Ok(Some(format!("root {version}, which says who may sign, has expired on {expires}")))
        }
    }
}

/// What vouched for a run when it began, by its journal.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The package.
    pub package: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The line of releases.
    pub channel: &'a str,
    /// Its place in that line.
    pub sequence: u64,
    /// The component.
    pub component: &'a Digest,
    /// The statement that was signed.
    pub statement: &'a Digest,
    /// The keys, by what the keyring called them.
    pub signers: &'a BTreeMap<String, String>,
    /// What was signed, with the signatures; nothing in journals of earlier versions.
    pub proof: Option<&'a Proof>,
}

/// Judges again what was vouched for when a run began: whatever was revoked or taken away since
/// then stops it. That a key or a release has merely expired meanwhile, or that a newer release
/// ran, does not: half a run helps nobody.
pub fn recheck(past: &Past<'_>, keyring: &Keyring) -> Result<(), Refusal> {
    let Past { package, version, channel, sequence, component, signers, .. } = past;
    let id = format!("{package}@{version}");
    if let Some(reason) = keyring.revoked_digest(component) {
        let (digest, reason) = (component.to_string(), reason.to_owned());
        return Err(Refusal::RevokedDigest { digest, reason });
    }
    if let Some(reason) = keyring.revoked_package(package, version) {
        return Err(Refusal::RevokedPackage { id, reason: reason.to_owned() });
    }
    let floor = keyring.floor(package, channel);
    if *sequence < floor {
        let (channel, sequence) = (channel.to_string(), *sequence);
        return Err(Refusal::Downgrade { id, channel, sequence, floor });
    }
    let counts = |hint: &str| keyring.signers(package).any(|key| key.is(hint));
    let (left, gone): (Vec<_>, Vec<_>) = signers.iter().partition(|(_, hint)| counts(hint));
    let needed = keyring.threshold.runbook;
    if left.len() < needed {
        let gone = gone.into_iter().filter_map(Signer::recorded).collect();
        return Err(Refusal::Withdrawn { id, needed, gone });
    }
    let Some(proof) = past.proof else { return Ok(()) };
    let keys = || keyring.signers(package).filter(|key| signers.values().any(|it| key.is(it)));
    let unproven = keys().filter(|key| !is_proven(past, proof, key));
    match unproven.map(Key::signer).collect::<Vec<_>>() {
        by if by.is_empty() => Ok(()),
        by => Err(Refusal::Unproven { id, by }),
    }
}

/// Returns whether a proof holds what `key` signed, and that is what the journal says.
fn is_proven(past: &Past<'_>, proof: &Proof, key: &Key) -> bool {
    let is_it = |statement: &Statement| {
        let Release { package, version, channel, sequence, .. } = statement.release();
        statement.is_about(&Digest::of(proof.text.as_bytes()), past.component)
            && (package.as_str(), version.as_str()) == (past.package, past.version)
            && (channel.as_str(), *sequence) == (past.channel, past.sequence)
    };
    proof.signatures.values().any(|file| {
        bundle::decode(file.as_bytes()).is_ok_and(|envelope| {
            envelope.is_by(&key.public)
                && Digest::of(&envelope.payload) == *past.statement
                && Statement::decode(&envelope.payload).is_ok_and(|it| is_it(&it))
        })
    })
}

/// Counts the signatures of the release that most have signed.
fn count(hashed: &Hashed<'_>, bench: Bench<'_>) -> Result<Vouched, Refusal> {
    let (mut groups, mut faults) = (BTreeMap::<_, Vec<Valid<'_>>>::new(), Vec::new());
    for (file, bytes) in &hashed.parcel().signatures {
        match signature(file, bytes, hashed, bench) {
            Ok(valid) => {
                let group = groups.entry((valid.statement.release().sequence, valid.digest));
                let group = group.or_default();
                match group.iter().any(|it| it.key.public == valid.key.public) {
                    true => {
                        let cause = Cause::Again(valid.key.id.clone());
                        faults.push(fault(file, Some(valid.key), cause));
                    }
                    false => group.push(valid),
                }
            }
            Err(cause) => faults.push(fault(file, known(bytes, bench.keyring), cause)),
        }
    }
    // Files are named after keys; people compare what is wrong, whatever the names are.
    faults.sort_by_cached_key(|fault| fault.cause.to_string());
    let needed = bench.keyring.threshold.runbook;
    // The newest release that enough signed; without one, what most signed tells what is missing.
    let enough = groups.iter().rev().find(|(_, group)| group.len() >= needed);
    let most = || groups.iter().max_by_key(|(_, group)| group.len());
    let Some(place) = enough.or_else(most).map(|(place, _)| *place) else {
        return Err(Refusal::NoneCounts(faults));
    };
    let group = groups.remove(&place).unwrap_or_default();
    for other in groups.into_values().flatten() {
        let (id, sequence) = (other.key.id.clone(), other.statement.release().sequence);
        let cause = Cause::OtherRelease { id, sequence };
        faults.push(fault(other.file, Some(other.key), cause));
    }
    settle(group, faults, hashed, bench)
}

pub(crate) fn fault(file: &str, key: Option<&Key>, cause: Cause) -> Fault {
    Fault { file: runwrit_model::text::escape(file), key: key.map(Key::signer), cause }
}

/// Returns the key that the file of a signer names, where the keyring knows it.
pub(crate) fn known<'a>(bytes: &[u8], keyring: &'a Keyring) -> Option<&'a Key> {
    keyring.key(&bundle::decode(bytes).ok()?.hint)
}

fn settle(
    group: Vec<Valid<'_>>,
    faults: Vec<Fault>,
    hashed: &Hashed<'_>,
    bench: Bench<'_>,
) -> Result<Vouched, Refusal> {
    let Some(first) = group.first() else { return Err(Refusal::NoneCounts(faults)) };
    let release = first.statement.release().clone();
    let needed = bench.keyring.threshold.runbook;
    if group.len() < needed {
        let has_signed = |key: &Key| group.iter().any(|valid| valid.key.id == key.id);
        let signers = || bench.keyring.signers(&release.package);
        let missing = signers().filter(|key| !has_signed(key)).map(Key::signer);
        return Err(Refusal::TooFew(Shortfall {
            needed,
            known: bench.keyring.named_for(&release.package).count(),
            valid: group.iter().map(|valid| valid.key.signer()).collect(),
            created_at: release.created_at,
            missing: missing.collect(),
            faults,
        }));
    }
    let far = group.iter().filter(|valid| valid.key.endpoints != Some(Endpoints::Loopback)).count();
    let mut signers: Vec<_> = group.iter().map(|valid| valid.key.signer()).collect();
    signers.sort_by(|one, other| one.id.cmp(&other.id));
    let warning = |fault: &Fault| format!("`signatures/{}`: {}", fault.file, fault.cause);
    let mut warnings: Vec<_> = faults.iter().map(warning).collect();
    let now = bench.floors.time(bench.clock);
    if let Some(until) = release.expires_at.filter(|until| *until <= now) {
        match bench.keyring.policy.expired_release {
            ExpiredRelease::Deny => {
                let is_ahead = bench.is_ahead(until);
                return Err(Refusal::Expired { id: release.id(), until, is_ahead });
            }
            ExpiredRelease::Warn => {
                warnings.push(format!("the release {} has expired on {until}", release.id()));
            }
        }
    }
    warnings.extend(staleness(&release, bench));
    Ok(Vouched {
        statement: first.digest,
        signers,
        is_loopback_only: far < needed,
        warnings,
        release,
        proof: Proof::of(&hashed.parcel().manifest, group.iter().map(|it| (it.file, it.bytes))),
    })
}

/// Tells the age of a release that is older than the keyring likes. Who holds newer ones back
/// forges nothing, so a host without a network cannot tell that from silence: age is all it sees.
fn staleness(release: &Release, bench: Bench<'_>) -> Option<String> {
    let max = bench.keyring.policy.max_age_days?;
    let age = bench.floors.time(bench.clock).duration_since(release.created_at);
    let days = age.as_hours() / 24;
    (days > i64::from(max)).then(|| {
        let (id, at) = (release.id(), release.created_at);
        format!(
            "the release {id} is of {at}, {days} days old, and `max-age-days` is {max}: look \
             whether somebody holds newer ones back"
        )
    })
}

/// Checks one signature. The statement is parsed only once its signature holds.
fn signature<'a>(
    file: &'a str,
    bytes: &'a [u8],
    hashed: &Hashed<'_>,
    bench: Bench<'a>,
) -> Result<Valid<'a>, Cause> {
    let (envelope, key) = authentic(bytes, bench.keyring)?;
    let statement = Statement::decode(&envelope.payload)
        .map_err(|source| Cause::Statement { id: key.id.clone(), source })?;
    if let Some(file) = statement.changed_file(hashed) {
        return Err(Cause::Changed { file, id: key.id.clone() });
    }
    may_sign(key, statement.release(), bench)?;
    Ok(Valid { file, bytes, key, digest: Digest::of(&envelope.payload), statement })
}

/// Reads the file of a signer and verifies it with the key of the keyring that it names. What was
/// signed is not parsed yet.
pub(crate) fn authentic<'a>(
    bytes: &[u8],
    keyring: &'a Keyring,
) -> Result<(Envelope, &'a Key), Cause> {
    let envelope = bundle::decode(bytes).map_err(Cause::Bundle)?;
    // A key may have been taken out of the keyring when it was revoked.
    let revoked = keyring.revoked_key(&envelope.hint).map(str::to_owned);
    let Some(key) = keyring.key(&envelope.hint) else {
        return Err(match revoked {
            Some(reason) => Cause::RevokedKey { id: envelope.hint.to_string(), reason },
            None => Cause::UnknownKey(envelope.hint),
        });
    };
    let id = key.id.clone();
    if let Some(reason) = revoked {
        return Err(Cause::RevokedKey { id, reason });
    }
    match envelope.is_by(&key.public) {
        true => Ok((envelope, key)),
        false => Err(Cause::Forged(id)),
    }
}

fn may_sign(key: &Key, release: &Release, bench: Bench<'_>) -> Result<(), Cause> {
    if key.has(Role::Runbook) && !key.speaks_for(&release.package) {
        let names = format!("`{}`", key.names.join("`, `"));
        let (id, package) = (key.id.clone(), release.package.clone());
        return Err(Cause::Namespace { id, package, names });
    }
    holds(key, Role::Runbook, bench)
}

/// Checks that a key has a role, now.
pub(crate) fn holds(key: &Key, role: Role, bench: Bench<'_>) -> Result<(), Cause> {
    let (id, now) = (key.id.clone(), bench.floors.time(bench.clock));
    if !key.has(role) {
        return Err(Cause::Role { id, role: role.as_str() });
    }
    if let Some(from) = key.not_before().filter(|from| now < *from) {
        return Err(Cause::NotYet { id, from });
    }
    match key.not_after().filter(|until| *until <= now) {
        Some(until) => Err(Cause::Expired { id, until, is_ahead: bench.is_ahead(until) }),
        None => Ok(()),
    }
}

/// Checks revocations of the package, and that its sequence neither goes back nor leaps. Between a
/// verdict and the start of a run others may start, so it is asked again before floors are raised.
pub fn within_rules(vouched: &Vouched, bench: Bench<'_>) -> Result<(), Refusal> {
    let Bench { keyring, floors, clock } = bench;
    let Release { package, version, channel, sequence, .. } = &vouched.release;
    let (id, channel, sequence) = (vouched.release.id(), channel.clone(), *sequence);
    if let Some(reason) = keyring.revoked_package(package, version) {
        return Err(Refusal::RevokedPackage { id, reason: reason.to_owned() });
    }
    let seen = floors.seen(package, &channel, keyring);
    let floor = keyring.floor(package, &channel).max(seen.map_or(0, |seen| seen.sequence));
    if sequence < floor {
        return Err(Refusal::Downgrade { id, channel, sequence, floor });
    }
    let is_other = |seen: &Seen| seen.sequence == sequence && seen.statement != vouched.statement;
    if seen.is_some_and(is_other) {
        let by = vouched.signers.clone();
        return Err(Refusal::Equivocation { id, channel, sequence, by });
    }
    let ahead = limits::SEQUENCE_AHEAD_MAX.as_secs();
    let jump = keyring.policy.max_sequence_jump;
    // The first release of a package may have any number; later ones are within a step of it.
    let step = jump.filter(|_| floor > 0).map(|jump| floor.saturating_add(jump));
    let max = (clock / 1_000 + ahead).min(step.unwrap_or(u64::MAX));
    match sequence > max {
        true => Err(Refusal::Leap { id, sequence, max, by: vouched.signers.clone() }),
        false => Ok(()),
    }
}
