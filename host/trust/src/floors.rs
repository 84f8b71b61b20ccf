//! What a host remembers of the packages that it ran: nothing older runs again, and no clock that
//! was turned back revives what has expired.

use std::collections::BTreeSet;

use jiff::Timestamp;
use runwrit_model::id::Digest;
use runwrit_model::journal::UnixMs;
use runwrit_model::limits;
use serde::{Deserialize, Serialize};

use crate::keyring::Keyring;
use crate::public_key::Hint;
use crate::roots::{Chain, RootError};

/// The version of the file.
const VERSION: u32 = 1;

/// `trust-state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Floors {
    version: u32,
    max_time_seen: Option<Timestamp>,
    floors: Vec<Seen>,
    /// The newest root that was followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Followed>,
    /// What packages that ran here want, and nobody has to be asked about again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wanted: Vec<Wanted>,
}

/// What a package wants: interfaces, operations, tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wanted {
    /// The package.
    pub package: String,
    /// What it wants.
    pub wants: BTreeSet<String>,
}

/// A root that was followed: nothing older is followed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Followed {
    /// Where its chain begins.
    pub pin: Digest,
    /// Its number.
    pub version: u64,
    /// What it says.
    pub digest: Digest,
}

/// The newest release of a package that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Seen {
    /// The package.
    pub package: String,
    /// The channel.
    pub channel: String,
    /// Its sequence.
    pub sequence: u64,
    /// The statement that was signed.
    pub statement: Digest,
    /// The keys that had signed it.
    pub signers: Vec<Hint>,
}

/// A file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FloorsError {
    /// Not the format.
    #[error("it is damaged: {0}")]
    Malformed(String),
    /// Of another version.
    #[error("it has version {0}, and this host reads version {VERSION}")]
    Version(u32),
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            version: VERSION,
            max_time_seen: None,
            floors: Vec::new(),
            root: None,
            wanted: Vec::new(),
        }
    }
}

impl Floors {
    /// Reads the file.
    pub fn decode(bytes: &[u8]) -> Result<Self, FloorsError> {
        let malformed = |error: serde_json::Error| FloorsError::Malformed(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(malformed)?;
        if version != VERSION {
            return Err(FloorsError::Version(version));
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// Returns the bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("only texts, numbers and times");
        bytes.push(b'\n');
        bytes
    }

    /// Returns the time that counts: the clock's, or the latest that was ever seen.
    pub fn time(&self, clock: UnixMs) -> Timestamp {
        let clock = timestamp(clock);
        self.max_time_seen.map_or(clock, |seen| seen.max(clock))
    }

    /// Returns the latest time that was seen.
    pub fn max_time_seen(&self) -> Option<Timestamp> {
        self.max_time_seen
    }

    /// Returns all releases, by package and channel.
    pub fn all(&self) -> &[Seen] {
        &self.floors
    }

    /// Returns the newest release of a package that ran, unless too few of the keys that signed it
    /// still count: what a stolen key has signed must not lock out what comes after its revocation.
    pub fn seen(&self, package: &str, channel: &str, keyring: &Keyring) -> Option<&Seen> {
        let seen = self.floors.iter().find(|it| it.package == package && it.channel == channel)?;
        counts(seen, keyring).then_some(seen)
    }

    /// Returns the newest root that was followed.
    pub fn root(&self) -> Option<&Followed> {
        self.root.as_ref()
    }

    /// Follows a chain as far as it goes, under what `own`, the file of the keyring, adds to it. A
    /// floor is forgotten once a root takes out the keys that raised it, even if a later one brings
    /// them back. Returns whether anything is new; a chain that lacks what was followed is refused.
    pub fn follow(&mut self, chain: &Chain, own: &Keyring) -> Result<bool, RootError> {
        let newest = chain.newest();
        // Whoever can write the keyring may begin anew with another root.
        let seen = self.root.as_ref().filter(|seen| seen.pin == chain.pin);
        if let Some(seen) = seen {
            if newest.version < seen.version {
                return Err(RootError::Cut { newest: newest.version, seen: seen.version });
            }
            let same = chain.roots().iter().find(|root| root.version == seen.version);
            if same.is_some_and(|root| root.digest != seen.digest) {
                return Err(RootError::Another(seen.version));
            }
        }
        let before = seen.map_or(0, |seen| seen.version);
        for root in chain.roots().iter().filter(|root| root.version > before) {
            let keyring = root.over(own);
            let mut floors = std::mem::take(&mut self.floors);
            floors.retain(|seen| counts(seen, &keyring));
            self.floors = floors;
        }
        let (pin, version, digest) = (chain.pin, newest.version, newest.digest);
        let followed = Some(Followed { pin, version, digest });
        let is_new = self.root != followed;
        self.root = followed;
        Ok(is_new)
    }

    /// Remembers that a release was accepted at `clock`. A floor never sinks, unless the keys that
    /// raised it do not count any more. Returns whether anything is new.
    pub fn raise(&mut self, new: Seen, keyring: &Keyring, clock: UnixMs) -> bool {
        let is_later = self.note_time(clock);
        let known = self.seen(&new.package, &new.channel, keyring);
        if known.is_some_and(|known| known.sequence >= new.sequence) {
            return is_later;
        }
        self.floors.retain(|it| it.package != new.package || it.channel != new.channel);
        self.floors.push(new);
        self.floors.sort_by(|one, other| {
            (&one.package, &one.channel).cmp(&(&other.package, &other.channel))
        });
        true
    }

    /// Remembers the clock, in steps: each run would otherwise cost a disk flush.
    pub fn note_time(&mut self, clock: UnixMs) -> bool {
        let clock = timestamp(clock);
        let step = limits::CLOCK_MEMORY_STEP;
        let is_later = self
            .max_time_seen
            .is_none_or(|seen| clock.duration_since(seen).unsigned_abs() >= step && clock > seen);
        if is_later {
            self.max_time_seen = Some(clock);
        }
        is_later
    }

    /// Returns what a package wanted when it last ran or was approved; nothing where it never was.
    pub fn wanted(&self, package: &str) -> Option<&BTreeSet<String>> {
        self.wanted.iter().find(|it| it.package == package).map(|it| &it.wants)
    }

    /// Remembers what a package wants. Returns whether that is new.
    pub fn note_wanted(&mut self, package: &str, wants: &BTreeSet<String>) -> bool {
        if self.wanted(package) == Some(wants) {
            return false;
        }
        self.wanted.retain(|it| it.package != package);
        self.wanted.push(Wanted { package: package.to_owned(), wants: wants.clone() });
        self.wanted.sort_by(|one, other| one.package.cmp(&other.package));
        true
    }

    /// Forgets the latest time: the way back for a host whose clock had jumped ahead.
    pub fn forget_time(&mut self) {
        self.max_time_seen = None;
    }
}

/// Whether enough of the keys that raised a floor still count.
fn counts(seen: &Seen, keyring: &Keyring) -> bool {
    let counts =
        |hint: &&Hint| keyring.signers(&seen.package).any(|key| key.public.hint() == **hint);
    let left = seen.signers.iter().filter(counts).count();
    // A threshold that was raised since then takes nothing away from what was enough before.
    left >= keyring.threshold.runbook.min(seen.signers.len())
}

/// Returns a time; what no calendar holds is its end.
pub fn timestamp(unix_ms: UnixMs) -> Timestamp {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}
