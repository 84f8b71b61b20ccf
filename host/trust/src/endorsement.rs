//! Who answers for a grant: a statement about its file, and the verdict over those who signed it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runwrit_model::id::Digest;
use runwrit_model::limits::SIGNATURES_MAX;
use runwrit_model::provenance::Proof;
use serde::{Deserialize, Serialize};

use crate::bundle;
use crate::keyring::{Endpoints, Key, Keyring, Role};
use crate::public_key::{Signer, named};
use crate::refusal::{
    AHEAD, Cause, Fault, MORE_KEYS, ROOT_EXPIRED, Shortfall, none_counts, unproven_words,
    withdrawn_words,
};
use crate::statement::{StatementError, Subject, TYPE, parse};
use crate::verdict::{Bench, authentic, fault, holds, known, root_age};

/// What tells a statement about a grant from any other that a key may sign.
pub const GRANT_TYPE: &str = "urn:runwrit:grant:v1";
const GRANT: &str = "a grant (`urn:runwrit:grant:v1`)";
/// What the file is called in the statement: a grant may be renamed, and stays the same grant.
const SUBJECT: &str = "grant.toml";

/// The statement, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantStatement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Terms,
}

/// What a signer of a grant vouches for beside its bytes: it repeats what people look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Terms {
    /// The runbook that it is for.
    pub runbook: String,
    /// When it was signed first.
    pub created_at: Timestamp,
    /// When the grant expires.
    pub expires_at: Timestamp,
    /// Names that a reader must know; this version knows none.
    pub critical: Vec<String>,
}

/// A grant that enough of those answer for who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsed {
    /// What they vouch for.
    pub terms: Terms,
    /// The digest of the file.
    pub grant: Digest,
    /// The digest of the statement.
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

/// Why a grant does not count as signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// Nobody signed.
    #[error("the grant is not signed")]
    Unsigned,
    /// A heap of files.
    #[error("{0} files of signers lie beside it, and at most {SIGNATURES_MAX} are read")]
    TooMany(usize),
    /// No signature counts.
    #[error("no signature counts: `{}`: {}", .0[0].file, .0[0].cause)]
    NoneCounts(Vec<Fault>),
    /// Some count, and they are too few.
    #[error("{0}")]
    TooFew(Shortfall),
    /// This very grant was revoked.
    #[error("the grant {digest} was revoked: {reason}")]
    Revoked {
        /// The file.
        digest: String,
        /// Why.
        reason: String,
    },
    /// The statement and the grant disagree.
    #[error("the statement says {field} `{signed}`, and the grant says `{found}`")]
    Mismatch {
        /// The field.
        field: &'static str,
        /// What was signed.
        signed: String,
        /// What stands there.
        found: String,
    },
    /// Of the keys that answered for the grant when its run began, too few still count.
    #[error("{}", withdrawn_words("signed its grant", gone, *needed))]
    Withdrawn {
        /// How many it takes.
        needed: usize,
        /// Those that were revoked or taken away.
        gone: Vec<Signer>,
    },
    /// The record of a run says of keys what their signatures do not.
    #[error("{}", unproven_words("its grant", .0))]
    Unproven(Vec<Signer>),
    /// The root that says who may sign has expired.
    #[error("root {version}, which says who may sign, has expired on {until}")]
    RootExpired {
        /// Its number.
        version: u64,
        /// Until when it counted.
        until: Timestamp,
        /// Whether it still counts by the clock.
        is_ahead: bool,
    },
}

/// A signature that counts.
struct Valid<'a> {
    file: &'a str,
    bytes: &'a [u8],
    key: &'a Key,
    statement: GrantStatement,
    digest: Digest,
}

impl GrantStatement {
    /// Says that `terms` are those of this grant.
    pub fn new(grant: &[u8], terms: Terms) -> Self {
        Self {
            kind: TYPE.to_owned(),
            subject: vec![Subject::of(SUBJECT, grant)],
            predicate_type: GRANT_TYPE.to_owned(),
            predicate: terms,
        }
    }

    /// Returns the bytes to sign: the same for the same statement.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a statement holds only texts and times")
    }

    /// Reads the bytes that were signed; a field that is unknown, missing or repeated is refused.
    pub fn decode(payload: &[u8]) -> Result<Self, StatementError> {
        let statement: Self = parse(payload, GRANT_TYPE, GRANT)?;
        if !matches!(statement.subject.as_slice(), [one] if one.name == SUBJECT) {
            return Err(StatementError::OtherFiles("`grant.toml` alone"));
        }
        match statement.predicate.critical.first() {
            Some(name) => Err(StatementError::Critical(runwrit_model::text::escape(name))),
            None => Ok(statement),
        }
    }

    /// Returns what is vouched for.
    pub fn terms(&self) -> &Terms {
        &self.predicate
    }

    /// Returns whether it is about these bytes.
    pub fn is_about(&self, grant: &[u8]) -> bool {
        let digest = Digest::of(grant);
        self.subject.iter().all(|subject| subject.is(&digest))
    }
}

impl Endorsed {
    /// Compares the statement with the grant, now that it may be parsed.
    pub fn agrees(&self, runbook: &str, expires: Timestamp) -> Result<(), GrantRefusal> {
        let rows = [
            ("the runbook", self.terms.runbook.clone(), runbook.to_owned()),
            ("the expiry", self.terms.expires_at.to_string(), expires.to_string()),
        ];
        let differing = rows.into_iter().find(|(_, signed, found)| signed != found);
        differing.map_or(Ok(()), |(field, signed, found)| {
            let signed = runwrit_model::text::escape(&signed);
            Err(GrantRefusal::Mismatch { field, signed, found })
        })
    }
}

impl GrantRefusal {
    /// Returns what else is wrong, a line each.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::NoneCounts(faults) => none_counts(faults, ""),
            Self::TooFew(short) => short.details(""),
            Self::Withdrawn { gone, .. } | Self::Unproven(gone) => named(gone.iter()),
            _ => Vec::new(),
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsigned => {
                "have it signed by a key with the role `grant`: `runwrit sign --grant FILE`"
            }
            Self::TooMany(_) => "remove what is no signature of yours",
            Self::NoneCounts(faults) => match &faults[0].cause {
                Cause::UnknownKey(_) => {
                    "if you trust its owner, compare the key by another way and add it: \
                     `runwrit trust add-key FILE.pub --id NAME --role grant`; where the keyring \
                     follows roots, the next root has to name it"
                }
                cause => cause.hint(),
            },
            Self::TooFew(short) if short.missing.is_empty() => MORE_KEYS,
            Self::TooFew(_) => {
                "have one of the missing sign it as well, with `runwrit sign --grant FILE`"
            }
            Self::Revoked { .. } => "have another grant made and signed",
            Self::Mismatch { .. } => "have the grant signed again as it stands",
            Self::Withdrawn { .. } | Self::Unproven(_) => {
                "`runwrit rollback` still undoes the run; it asks nobody who granted it"
            }
            Self::RootExpired { is_ahead: true, .. } => AHEAD,
            Self::RootExpired { .. } => ROOT_EXPIRED,
        }
    }
}

/// Judges the bytes of a grant by the files of its signers; nothing of it is parsed.
pub fn judge_grant(
    grant: &[u8],
    signatures: &[(String, Vec<u8>)],
    bench: Bench<'_>,
) -> Result<Endorsed, GrantRefusal> {
    let digest = Digest::of(grant);
    if let Some(reason) = bench.keyring.revoked_digest(&digest) {
        let (digest, reason) = (digest.to_string(), reason.to_owned());
        return Err(GrantRefusal::Revoked { digest, reason });
    }
    match signatures.len() {
        0 => return Err(GrantRefusal::Unsigned),
        count if count > SIGNATURES_MAX => return Err(GrantRefusal::TooMany(count)),
        _ => {}
    }
    let age = root_age(bench).map_err(|newest| GrantRefusal::RootExpired {
        version: newest.version,
        until: newest.expires,
        is_ahead: bench.is_ahead(newest.expires),
    })?;
    let (mut valid, mut faults) = (Vec::<Valid<'_>>::new(), Vec::new());
    for (file, bytes) in signatures {
        match signature(file, bytes, grant, bench) {
            Ok(new) if valid.iter().any(|it| it.key.public == new.key.public) => {
                faults.push(fault(file, Some(new.key), Cause::Again(new.key.id.clone())));
            }
            Ok(new) => valid.push(new),
            Err(cause) => faults.push(fault(file, known(bytes, bench.keyring), cause)),
        }
    }
    // Files are named after keys; people compare what is wrong, whatever the names are.
    faults.sort_by_cached_key(|fault| fault.cause.to_string());
    let mut endorsed = settle(valid, faults, (grant, digest), bench)?;
    endorsed.warnings.extend(age);
    Ok(endorsed)
}

fn signature<'a>(
    file: &'a str,
    bytes: &'a [u8],
    grant: &[u8],
    bench: Bench<'a>,
) -> Result<Valid<'a>, Cause> {
    let (envelope, key) = authentic(bytes, bench.keyring)?;
    let id = || key.id.clone();
    let statement = GrantStatement::decode(&envelope.payload)
        .map_err(|source| Cause::Statement { id: id(), source })?;
    if !statement.is_about(grant) {
        return Err(Cause::Changed { file: "the grant", id: id() });
    }
    holds(key, Role::Grant, bench)?;
    Ok(Valid { file, bytes, key, digest: Digest::of(&envelope.payload), statement })
}

/// Counts those who signed one and the same statement: the one that most did.
fn settle(
    valid: Vec<Valid<'_>>,
    mut faults: Vec<Fault>,
    (text, grant): (&[u8], Digest),
    bench: Bench<'_>,
) -> Result<Endorsed, GrantRefusal> {
    let signed = |it: &Valid<'_>| valid.iter().filter(|other| other.digest == it.digest).count();
    let Some(first) = valid.iter().max_by_key(|it| (signed(it), it.digest)) else {
        return Err(GrantRefusal::NoneCounts(faults));
    };
    let is_same = |it: &&Valid<'_>| it.digest == first.digest;
    let group: Vec<&Valid<'_>> = valid.iter().filter(is_same).collect();
    for other in valid.iter().filter(|it| !is_same(it)) {
        let cause = Cause::OtherTerms(other.key.id.clone());
        faults.push(fault(other.file, Some(other.key), cause));
    }
    let terms = first.statement.terms().clone();
    let needed = bench.keyring.needed(Role::Grant);
    if group.len() < needed {
        let has_signed = |key: &&Key| group.iter().any(|valid| valid.key.id == key.id);
        let holders = || bench.keyring.holders(Role::Grant);
        let missing = holders().filter(|key| !has_signed(key)).map(Key::signer);
        return Err(GrantRefusal::TooFew(Shortfall {
            needed,
            known: holders().count(),
            valid: group.iter().map(|valid| valid.key.signer()).collect(),
            created_at: terms.created_at,
            missing: missing.collect(),
            faults,
        }));
    }
    let far = group.iter().filter(|valid| valid.key.endpoints != Some(Endpoints::Loopback)).count();
    let mut signers: Vec<_> = group.iter().map(|it| it.key.signer()).collect();
    signers.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Endorsed {
        terms,
        grant,
        statement: first.digest,
        signers,
        is_loopback_only: far < needed,
        warnings: faults.iter().map(|it| format!("`{}`: {}", it.file, it.cause)).collect(),
        proof: Proof::of(text, group.iter().map(|it| (it.file, it.bytes))),
    })
}

/// Returns what one signer of a grant said, if the signature is one that counts: by a key of the
/// keyring that may sign it, over these very bytes.
pub fn stated_grant(bytes: &[u8], grant: &[u8], bench: Bench<'_>) -> Result<GrantStatement, Cause> {
    signature("", bytes, grant, bench).map(|valid| valid.statement)
}

/// Who answered for a grant when a run began, by its journal.
#[derive(Debug, Clone, Copy)]
pub struct PastGrant<'a> {
    /// The digest of the file.
    pub grant: &'a Digest,
    /// The statement that was signed.
    pub statement: &'a Digest,
    /// The keys, by what the keyring called them.
    pub signers: &'a BTreeMap<String, String>,
    /// The grant with its signatures; nothing in journals of earlier versions.
    pub proof: Option<&'a Proof>,
}

/// Judges again who answered for a grant when its run began. That a key has merely expired since
/// then stops no run.
pub fn recheck_grant(past: &PastGrant<'_>, keyring: &Keyring) -> Result<(), GrantRefusal> {
    let PastGrant { grant, signers, proof, .. } = past;
    if let Some(reason) = keyring.revoked_digest(grant) {
        let (digest, reason) = (grant.to_string(), reason.to_owned());
        return Err(GrantRefusal::Revoked { digest, reason });
    }
    let counts = |hint: &str| keyring.holders(Role::Grant).any(|key| key.is(hint));
    let (left, gone): (Vec<_>, Vec<_>) = signers.iter().partition(|(_, hint)| counts(hint));
    let needed = keyring.needed(Role::Grant);
    if left.len() < needed {
        let gone = gone.into_iter().filter_map(Signer::recorded).collect();
        return Err(GrantRefusal::Withdrawn { needed, gone });
    }
    let Some(proof) = proof else { return Ok(()) };
    let is_signer = |key: &&Key| signers.values().any(|hint| key.is(hint));
    let keys = keyring.holders(Role::Grant).filter(is_signer);
    match keys.filter(|key| !is_proven(past, proof, key)).map(Key::signer).collect() {
        by if Vec::is_empty(&by) => Ok(()),
        by => Err(GrantRefusal::Unproven(by)),
    }
}

/// Returns whether a proof holds what `key` signed, and that is what the journal says.
fn is_proven(past: &PastGrant<'_>, proof: &Proof, key: &Key) -> bool {
    let text = proof.text.as_bytes();
    let is_it = |statement: GrantStatement| statement.is_about(text);
    Digest::of(text) == *past.grant
        && proof.signatures.values().any(|file| {
            bundle::decode(file.as_bytes()).is_ok_and(|envelope| {
                envelope.is_by(&key.public)
                    && Digest::of(&envelope.payload) == *past.statement
                    && GrantStatement::decode(&envelope.payload).is_ok_and(is_it)
            })
        })
}
