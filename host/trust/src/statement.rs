//! What a signer says about a package: an in-toto statement over its files, with a release in it.

use jiff::Timestamp;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::parcel::{COMPONENT, Hashed, MANIFEST};

/// What every in-toto statement of this version says of itself.
pub(crate) const TYPE: &str = "https://in-toto.io/Statement/v1";
/// What tells the release of a runbook from any other statement that a key may sign.
pub const RELEASE_TYPE: &str = "urn:runwrit:runbook-release:v1";

const RELEASE: &str = "the release of a runbook (`urn:runwrit:runbook-release:v1`)";

/// The statement, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Release,
}

/// One file, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    pub name: String,
    digest: Digests,
}

impl Subject {
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        let sha256 = Digest::of(bytes).hex();
        Self { name: name.to_owned(), digest: Digests { sha256 } }
    }

    pub fn is(&self, digest: &Digest) -> bool {
        self.digest.sha256 == digest.hex()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    sha256: String,
}

/// The release that a signer vouches for. It repeats what `runbook.toml` says, so that no other
/// validly signed package can stand in for the one that was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Release {
    /// Namespace and name, `acme:provision-tenant`.
    pub package: String,
    /// The runbook's version.
    pub version: String,
    /// The line of releases, `stable`.
    pub channel: String,
    /// Counts up within package and channel; this, not the version, is what cannot go back.
    pub sequence: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// After this nobody vouches for it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The WIT world.
    pub world: String,
    /// The interfaces that it asks for.
    pub asks: Vec<String>,
    /// Names that a reader must know; this version knows none.
    pub critical: Vec<String>,
}

/// Why a payload is no statement about a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not the format.
    #[error("the statement is not readable: {0}")]
    Malformed(String),
    /// Of another type.
    #[error("it is a statement of the type `{found}`, not {expected}")]
    OtherType {
        /// What it says.
        found: String,
        /// What was looked for.
        expected: &'static str,
    },
    /// It names other files.
    #[error("it is not about {0}, each once")]
    OtherFiles(&'static str),
    /// It needs a newer host.
    #[error("it needs a host that knows `{0}`; update runwrit")]
    Critical(String),
    /// A field that cannot be.
    #[error("its `{field}` is `{value}`: expected {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl Statement {
    /// Says that `release` is these two files.
    pub fn new(manifest: &[u8], component: &[u8], release: Release) -> Self {
        Self {
            kind: TYPE.to_owned(),
            subject: vec![Subject::of(MANIFEST, manifest), Subject::of(COMPONENT, component)],
            predicate_type: RELEASE_TYPE.to_owned(),
            predicate: release,
        }
    }

    /// Returns the bytes to sign: the same for the same statement.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a statement holds only texts, numbers and times")
    }

    /// Reads the bytes that were signed; a field that is unknown, missing or repeated is refused.
    pub fn decode(payload: &[u8]) -> Result<Self, StatementError> {
        let statement: Self = parse(payload, RELEASE_TYPE, RELEASE)?;
        statement.check()?;
        Ok(statement)
    }

    fn check(&self) -> Result<(), StatementError> {
        let names: Vec<&str> = self.subject.iter().map(|subject| subject.name.as_str()).collect();
        if names != [MANIFEST, COMPONENT] {
            return Err(StatementError::OtherFiles("`runbook.toml` and `component.wasm` together"));
        }
        self.predicate.check()
    }

    /// Returns the release.
    pub fn release(&self) -> &Release {
        &self.predicate
    }

    /// Returns whether it is about files with these digests.
    pub fn is_about(&self, manifest: &Digest, component: &Digest) -> bool {
        let [one, other] = self.subject.as_slice() else { return false };
        one.is(manifest) && other.is(component)
    }

    /// Returns the first file that is not the one that the signer saw, by its name.
    pub fn changed_file(&self, found: &Hashed<'_>) -> Option<&'static str> {
        let is_other =
            |place: usize, digest| self.subject.get(place).is_none_or(|it| !it.is(&digest));
        match (is_other(0, found.manifest()), is_other(1, found.component())) {
            (true, _) => Some(MANIFEST),
            (false, true) => Some(COMPONENT),
            (false, false) => None,
        }
    }
}

impl Release {
    fn check(&self) -> Result<(), StatementError> {
        if let Some(name) = self.critical.first() {
            return Err(StatementError::Critical(runwrit_model::text::escape(name)));
        }
        let wrong = |field, value: &str, expected| StatementError::Field {
            field,
            value: runwrit_model::text::escape(value),
            expected,
        };
        if !is_package(&self.package) {
            return Err(wrong("package", &self.package, PACKAGE_EXPECTS));
        }
        if !is_word(&self.channel) {
            return Err(wrong("channel", &self.channel, WORD_EXPECTS));
        }
        if self.sequence == 0 {
            return Err(wrong("sequence", "0", "a number that counts up from 1"));
        }
        Ok(())
    }

    /// Returns name and version, `acme:provision-tenant@0.1.0`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.package, self.version)
    }

    /// Returns the name without its namespace.
    pub fn name(&self) -> &str {
        self.package.split_once(':').map_or(self.package.as_str(), |(_, name)| name)
    }
}

/// What every statement says of itself, whatever else stands in it.
#[derive(Deserialize)]
struct Kinds {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

/// Reads what was signed, within its limit, once it is clear that it is of the type `predicate`;
/// `expected` is that in words.
pub(crate) fn parse<T: DeserializeOwned>(
    payload: &[u8],
    predicate: &str,
    expected: &'static str,
) -> Result<T, StatementError> {
    if payload.len() > limits::STATEMENT_BYTES_MAX {
        let max = limits::STATEMENT_BYTES_MAX;
        let text = format!("it has {} bytes, and at most {max} are read", payload.len());
        return Err(StatementError::Malformed(text));
    }
    let malformed = |error: serde_json::Error| {
        StatementError::Malformed(runwrit_model::text::escape(&error.to_string()))
    };
    let kinds: Kinds = serde_json::from_slice(payload).map_err(malformed)?;
    for (found, known) in [(&kinds.kind, TYPE), (&kinds.predicate_type, predicate)] {
        if found != known {
            let found = runwrit_model::text::escape(found);
            return Err(StatementError::OtherType { found, expected });
        }
    }
    serde_json::from_slice(payload).map_err(malformed)
}

/// What a package is called, for errors.
pub const PACKAGE_EXPECTS: &str = "`namespace:name`, both of lowercase letters, digits and hyphens";
/// What a word is, for errors.
pub const WORD_EXPECTS: &str = "lowercase letters, digits and single hyphens";

/// Returns whether a text names a package: `namespace:name`.
pub fn is_package(text: &str) -> bool {
    text.split_once(':').is_some_and(|(space, name)| is_word(space) && is_word(name))
}

/// Returns whether a text is a word of lowercase letters, digits and hyphens.
pub fn is_word(text: &str) -> bool {
    (runwrit_model::document::rules::WORD.holds)(text)
}
