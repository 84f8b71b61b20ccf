//! Why something signed does not count, in words: the file, the key, the rule and the way out.

use jiff::Timestamp;
use runwrit_model::limits::SIGNATURES_MAX;

use crate::bundle::BundleError;
use crate::parcel::SIGNATURES;
use crate::public_key::{Hint, Signer, named};
use crate::statement::StatementError;

/// What is wrong with the file of one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file in `signatures/`.
    pub file: String,
    /// The key that it names, where the keyring knows it.
    pub key: Option<Signer>,
    /// What is wrong with it.
    pub cause: Cause,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It cannot be read.
    #[error("{0}")]
    Bundle(BundleError),
    /// Nobody here knows the key.
    #[error("it is by the key `{0}`, which is not in the keyring")]
    UnknownKey(Hint),
    /// The key was revoked.
    #[error("its key `{id}` was revoked: {reason}")]
    RevokedKey {
        /// The key.
        id: String,
        /// Why.
        reason: String,
    },
    /// The key did not make it.
    #[error("it is not by the key `{0}` that it names: statement or signature was changed")]
    Forged(String),
    /// What was signed is no release.
    #[error("what `{id}` signed is not usable: {source}")]
    Statement {
        /// The key.
        id: String,
        /// Why.
        source: StatementError,
    },
    /// Other files were signed.
    #[error("`{file}` is not the one that `{id}` signed")]
    Changed {
        /// The file.
        file: &'static str,
        /// The key.
        id: String,
    },
    /// Another role.
    #[error("its key `{id}` may not sign {role}s: its roles do not name `{role}`")]
    Role {
        /// The key.
        id: String,
        /// What it would take.
        role: &'static str,
    },
    /// Another namespace.
    #[error("its key `{id}` may not speak for `{package}`, only for {names}")]
    Namespace {
        /// The key.
        id: String,
        /// The package.
        package: String,
        /// What it may speak for.
        names: String,
    },
    /// Too early.
    #[error("its key `{id}` counts only from {from}")]
    NotYet {
        /// The key.
        id: String,
        /// From when.
        from: Timestamp,
    },
    /// Too late.
    #[error("its key `{id}` has expired on {until}")]
    Expired {
        /// The key.
        id: String,
        /// Until when it counted.
        until: Timestamp,
        /// Whether it still counts by the clock.
        is_ahead: bool,
    },
    /// One key, two files.
    #[error("it is by `{0}` again, and a key counts once")]
    Again(String),
    /// Another statement than the one that most signed.
    #[error(
        "`{id}` signed another release ({sequence}), and only signatures of one count together"
    )]
    OtherRelease {
        /// The key.
        id: String,
        /// The sequence that it signed.
        sequence: u64,
    },
    /// Other terms than those that most signed.
    #[error("`{0}` signed other terms, and only signatures of one statement count together")]
    OtherTerms(String),
}

/// Signatures that count, and are too few.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}, {} valid: {}; {}",
    self.needed_words(), valid.len(), self.valid_words(), self.missing_words()
)]
pub struct Shortfall {
    /// How many it takes.
    pub needed: usize,
    /// How many keys might sign, revoked ones among them.
    pub known: usize,
    /// Those that signed.
    pub valid: Vec<Signer>,
    /// When it was signed first.
    pub created_at: Timestamp,
    /// Those that may sign and did not.
    pub missing: Vec<Signer>,
    /// What is wrong with other files.
    pub faults: Vec<Fault>,
}

/// Why a package does not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody signed.
    #[error("the package is not signed")]
    Unsigned,
    /// A heap of files.
    #[error("`{SIGNATURES}` holds {0} files, and at most {SIGNATURES_MAX} are read")]
    TooMany(usize),
    /// No signature counts.
    #[error("no signature counts: `{SIGNATURES}/{}`: {}", .0[0].file, .0[0].cause)]
    NoneCounts(Vec<Fault>),
    /// Some count, and they are too few.
    #[error("{0}")]
    TooFew(Shortfall),
    /// The release has expired.
    #[error("the release {id} has expired on {until}")]
    Expired {
        /// The release.
        id: String,
        /// Until when it was vouched for.
        until: Timestamp,
        /// Whether it still counts by the clock.
        is_ahead: bool,
    },
    /// The component was revoked.
    #[error("the component {digest} was revoked: {reason}")]
    RevokedDigest {
        /// The component.
        digest: String,
        /// Why.
        reason: String,
    },
    /// The package was revoked.
    #[error("{id} was revoked: {reason}")]
    RevokedPackage {
        /// The release.
        id: String,
        /// Why.
        reason: String,
    },
    /// Older than what the keyring allows or what ran here.
    #[error(
        "{id} has sequence {sequence} in `{channel}`, and this host has come to {floor}: \
         it does not go back"
    )]
    Downgrade {
        /// The release.
        id: String,
        /// The channel.
        channel: String,
        /// Its sequence.
        sequence: u64,
        /// The lowest that runs.
        floor: u64,
    },
    /// One number, two releases.
    #[error(
        "{id} has sequence {sequence} in `{channel}`, under which another release ran here: \
         its signers have said two things under one number"
    )]
    Equivocation {
        /// The release.
        id: String,
        /// The channel.
        channel: String,
        /// The sequence.
        sequence: u64,
        /// Who signed the one at hand.
        by: Vec<Signer>,
    },
    /// A number that would lock later releases out.
    #[error("{id} has sequence {sequence}, more than {max}, the largest that may follow now")]
    Leap {
        /// The release.
        id: String,
        /// Its sequence.
        sequence: u64,
        /// The largest that may follow.
        max: u64,
        /// Who signed it.
        by: Vec<Signer>,
    },
    /// The statement and `runbook.toml` disagree.
    #[error("the statement says {field} `{signed}`, and `runbook.toml` says `{found}`")]
    Mismatch {
        /// The field.
        field: &'static str,
        /// What was signed.
        signed: String,
        /// What stands there.
        found: String,
    },
    /// Of the keys that vouched for a run when it began, too few still count.
    #[error("{}", withdrawn_words(&format!("signed {id}"), gone, *needed))]
    Withdrawn {
        /// The release.
        id: String,
        /// How many it takes.
        needed: usize,
        /// Those that were revoked or taken away.
        gone: Vec<Signer>,
    },
    /// The record of a run says of keys what their signatures do not.
    #[error("{}", unproven_words(id, by))]
    Unproven {
        /// The release.
        id: String,
        /// The keys.
        by: Vec<Signer>,
    },
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
    /// The clock is that of a machine without a battery.
    #[error("the clock of this host says {0}, before this program was made")]
    Clock(Timestamp),
}

/// The way out where no known key is left to sign.
pub(crate) const MORE_KEYS: &str = "have it signed by more keys that count, and add them with \
                                    `runwrit trust add-key`";
/// The way out of a clock that had jumped ahead.
pub(crate) const AHEAD: &str = "by the clock of this host it has not; the host remembers a later \
                                time than that, which `runwrit trust reset-clock` forgets if the \
                                clock had jumped ahead";
/// The way out of an expired root.
pub(crate) const ROOT_EXPIRED: &str = "bring the next root with `runwrit trust advance \
                                         FILE…`; on an offline host the policy `expired-root = \
                                         \"warn\"` lets an old one count";

impl Refusal {
    /// Returns what else is wrong, a line each.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::NoneCounts(faults) => none_counts(faults, &format!("{SIGNATURES}/")),
            Self::TooFew(short) => short.details(&format!("{SIGNATURES}/")),
            Self::Equivocation { by, .. } | Self::Leap { by, .. } => named(by.iter()),
            Self::Withdrawn { gone, .. } | Self::Unproven { by: gone, .. } => named(gone.iter()),
            _ => Vec::new(),
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsigned => {
                "have it signed with `runwrit sign`; a keyring whose policy says \
                 `unsigned = \"flag\"` lets `--allow-unsigned` through"
            }
            Self::TooMany(_) => "remove what is no signature of yours",
            Self::NoneCounts(faults) => faults[0].cause.hint(),
            Self::TooFew(short) if short.missing.is_empty() => MORE_KEYS,
            Self::TooFew(_) => "have one of the missing sign it as well, with `runwrit sign`",
            Self::Expired { is_ahead: true, .. } | Self::RootExpired { is_ahead: true, .. } => {
                AHEAD
            }
            Self::Expired { .. } => {
                "get a newer release; on an offline host the policy \
                 `expired-release = \"warn\"` lets old ones run"
            }
            Self::RevokedDigest { .. } | Self::RevokedPackage { .. } => {
                "get a release that is not revoked; runs of this one can still be rolled back"
            }
            Self::Downgrade { .. } => {
                "get the newer release; to go back on purpose, have the old content signed again \
                 under a higher sequence"
            }
            Self::Equivocation { .. } => {
                "ask its signers which of the two they meant, and have that signed again under a \
                 higher sequence"
            }
            Self::Leap { .. } => {
                "a sequence counts up from 1, or is the time in seconds: have it signed again, and \
                 look whether somebody stole the key"
            }
            Self::Withdrawn { .. } | Self::Unproven { .. } => {
                "`runwrit rollback` still undoes the run; it asks nobody who vouched for it"
            }
            Self::Mismatch { .. } => "have the package signed again as it stands",
            Self::RootExpired { .. } => ROOT_EXPIRED,
            Self::Clock(_) => "set the clock: without it nothing can be found to have expired",
        }
    }
}

/// Tells what is wrong behind the first fault, and the hints of all keys that it is about. Files of
/// signers stand in `folder`, which ends in a slash or is empty.
pub(crate) fn none_counts(faults: &[Fault], folder: &str) -> Vec<String> {
    let others = faults.iter().skip(1).map(|fault| fault.words(folder));
    others.chain(named(faults.iter().filter_map(|fault| fault.key.as_ref()))).collect()
}

impl Fault {
    fn words(&self, folder: &str) -> String {
        format!("`{folder}{}`: {}", self.file, self.cause)
    }
}

impl Shortfall {
    /// Tells what is wrong with those that do not count, and the hints of all keys. Files of
    /// signers stand in `folder`, which ends in a slash or is empty.
    pub(crate) fn details(&self, folder: &str) -> Vec<String> {
        let others = self.faults.iter().map(|fault| fault.words(folder));
        others.chain(named(self.keys())).collect()
    }

    /// Returns the keys that it is about.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Signer> {
        let faulty = self.faults.iter().filter_map(|fault| fault.key.as_ref());
        self.valid.iter().chain(&self.missing).chain(faulty)
    }

    fn needed_words(&self) -> String {
        let Self { needed, known, .. } = self;
        match known {
            1 if *needed > 1 => format!("{needed} signatures needed and 1 key may sign"),
            _ if known < needed => format!("{needed} signatures needed and {known} keys may sign"),
            _ => format!("{needed} of {known} signatures needed"),
        }
    }

    fn valid_words(&self) -> String {
        let day = self.created_at.to_string();
        let day = day.split('T').next().unwrap_or_default();
        let ids: Vec<_> = self.valid.iter().map(|key| format!("`{}` of {day}", key.id)).collect();
        ids.join(", ")
    }

    fn missing_words(&self) -> String {
        match (&self.missing[..], &self.faults[..]) {
            ([], []) => "the keyring holds no other key that may sign it".to_owned(),
            ([], [fault, ..]) => format!("another does not count: {}", fault.cause),
            ([one], _) => format!("missing `{}`", one.id),
            (more, _) => format!("missing one of `{}`", listed(more)),
        }
    }
}

impl Cause {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Bundle(_) => "get the file again, or have it signed again",
            Self::UnknownKey(_) => {
                "if you trust its owner, compare the key by another way and add it: \
                 `runwrit trust add-key FILE.pub --id NAME --role runbook --name 'NAMESPACE:*'`; \
                 where the keyring follows roots, the next root has to name it"
            }
            Self::Expired { is_ahead: true, .. } => AHEAD,
            Self::RevokedKey { .. } | Self::Expired { .. } => {
                "have it signed with a key that counts; runs that rest on it can be rolled back"
            }
            Self::Forged(_) | Self::Changed { .. } => {
                "what lies here is not what was signed: get it again, from where it was published"
            }
            Self::Statement { .. }
            | Self::Again(_)
            | Self::OtherRelease { .. }
            | Self::OtherTerms(_) => "have it signed again",
            Self::Role { .. } | Self::Namespace { .. } => {
                "have it signed by a key that may, or widen `roles` or `names` of the key in the \
                 keyring if that was meant"
            }
            Self::NotYet { .. } => "wait, or look whether the clock of this host is right",
        }
    }
}

/// Says that the record of a run holds no signature of keys over what it says they signed.
pub(crate) fn unproven_words(what: &str, by: &[Signer]) -> String {
    let ids = listed(by);
    format!("its record says that `{ids}` signed {what}, and holds no signature that says so")
}

/// Says that too few still count of those who had `done` something.
pub(crate) fn withdrawn_words(done: &str, gone: &[Signer], needed: usize) -> String {
    let ids = listed(gone);
    match gone.len() {
        // The threshold was raised since then.
        0 => format!("it takes {needed} keys by now, and fewer have {done}"),
        1 => format!("of the keys that {done}, `{ids}` no longer counts, and {needed} are needed"),
        _ => format!("of the keys that {done}, `{ids}` no longer count, and {needed} are needed"),
    }
}

fn listed(keys: &[Signer]) -> String {
    let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
    ids.join("`, `")
}
