//! `runwrit.lock`: which packages are meant, each by name, version and digest.

use runwrit_model::document::Presence::{Optional, Required};
use runwrit_model::document::rules::{DIGEST, SEMVER};
use runwrit_model::document::{Fault, Faults, Field, Kind, Presence, TextRule, read, settle};
use runwrit_model::id::Digest;
use runwrit_trust::parcel::{COMPONENT, MANIFEST, Parcel};
use runwrit_trust::statement::{is_package, is_word};
use serde::{Deserialize, Serialize};

use crate::reference::Reference;

/// The name of the file.
pub const FILE: &str = "runwrit.lock";
/// What people read first in it.
const HEAD: &str = "\
# Which packages are meant. `runwrit pull` and `runwrit lock` write it; keep it beside grants.\n";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lock {
    /// The version of the format.
    pub version: u32,
    /// The packages, by name and version.
    #[serde(default, rename = "package")]
    pub packages: Vec<Pinned>,
}

/// One of `[[package]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pinned {
    /// Its name, with the namespace of whoever signed it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The digest of its manifest there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The digest of its `runbook.toml`.
    pub runbook: Digest,
    /// The digest of its component.
    pub component: Digest,
}

/// What a lock has against a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It is not listed.
    #[error("`{FILE}` does not list {id}")]
    Unlisted {
        /// Name and version.
        id: String,
        /// The versions that are listed.
        versions: Vec<String>,
        /// The packages of the same name that are listed for other namespaces, and not for its own.
        others: Vec<String>,
    },
    /// It is another one.
    #[error("{id} is not the one in `{FILE}`: its `{what}` is {found}, and {pinned} is pinned")]
    Other {
        /// Name and version.
        id: String,
        /// What differs.
        what: &'static str,
        /// What is pinned.
        pinned: Digest,
        /// What was found.
        found: Digest,
    },
}

const fn field(name: &'static str, presence: Presence, kind: Kind, about: &'static str) -> Field {
    Field { name, about, presence, kind }
}

/// The fields of the file.
pub const SCHEMA: &[Field] = &[
    field("version", Required, Kind::Integer(1, 1), "the version of the format"),
    field("package", Optional, Kind::Tables(PACKAGE), "the packages"),
];

const PACKAGE: &[Field] = &[
    field("name", Required, Kind::Text(&NAME), "its name"),
    field("version", Required, Kind::Text(&SEMVER), "its version"),
    field("source", Optional, Kind::Text(&SOURCE), "where it came from"),
    field("digest", Optional, Kind::Text(&DIGEST), "the digest of its manifest there"),
    field("runbook", Required, Kind::Text(&DIGEST), "the digest of its `runbook.toml`"),
    field("component", Required, Kind::Text(&DIGEST), "the digest of its component"),
];

const NAME: TextRule = TextRule {
    expects: "`namespace:name`, or a bare name where nobody signed it",
    good: "acme:hello",
    bad: &["", "acme:", "Acme:x", "acme:a:b", "../x"],
    holds: |text| is_package(text) || is_word(text),
};

const SOURCE: TextRule = TextRule {
    expects: "a reference, such as `registry.example.org/acme/hello:0.1.0`",
    good: "registry.example.org/acme/hello:0.1.0",
    bad: &["", "hello", "https://registry.example.org/x"],
    holds: |text| text.parse::<Reference>().is_ok(),
};

impl Default for Lock {
    fn default() -> Self {
        Self { version: 1, packages: Vec::new() }
    }
}

impl Pinned {
    /// Pins the files of a package.
    pub fn of(name: &str, version: &str, parcel: &Parcel) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            source: None,
            digest: None,
            runbook: Digest::of(&parcel.manifest),
            component: Digest::of(&parcel.component),
        }
    }

    /// Returns name and version.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Returns the name without its namespace.
    pub fn bare_name(&self) -> &str {
        self.name.split_once(':').map_or(self.name.as_str(), |(_, name)| name)
    }
}

impl Lock {
    /// Reads a lock. `file` is its name for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let (lock, lines): (Self, _) = read(file, text, SCHEMA)?;
        let again = |(place, pinned): (usize, &Pinned)| {
            let is_same = |other: &Pinned| other.id() == pinned.id();
            lock.packages[..place].iter().any(is_same).then(|| {
                let fix = "list each version of a package once".to_owned();
                Fault::new(format!("package[{place}].version"), "is listed twice".into(), fix)
            })
        };
        let faults = lock.packages.iter().enumerate().filter_map(again).collect();
        settle(file, &lines, faults)?;
        Ok(lock)
    }

    /// Returns the text: the same for the same packages.
    pub fn text(&self) -> String {
        let body = toml::to_string(self).expect("a lock holds only texts and numbers");
        format!("{HEAD}{body}")
    }

    /// Lists a package, in the place of the same version.
    pub fn pin(&mut self, pinned: Pinned) {
        self.packages.retain(|known| known.id() != pinned.id());
        self.packages.push(pinned);
        self.packages
            .sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    }

    /// Compares a package with the one that is listed under its name and version.
    pub fn check(&self, found: &Pinned) -> Result<(), LockError> {
        let id = found.id();
        let Some(known) = self.packages.iter().find(|known| known.id() == id) else {
            let same = self.packages.iter().filter(|known| known.name == found.name);
            let versions: Vec<String> = same.map(|known| known.version.clone()).collect();
            let is_other = |known: &&Pinned| known.bare_name() == found.bare_name();
            let others = self.packages.iter().filter(|_| versions.is_empty()).filter(is_other);
            let others = others.map(Pinned::id).collect();
            return Err(LockError::Unlisted { id, versions, others });
        };
        let manifests = known.digest.zip(found.digest);
        let rows = [
            (MANIFEST, Some((known.runbook, found.runbook))),
            (COMPONENT, Some((known.component, found.component))),
            ("manifest", manifests),
        ];
        for (what, digests) in rows {
            if let Some((pinned, found)) = digests.filter(|(pinned, found)| pinned != found) {
                return Err(LockError::Other { id, what, pinned, found });
            }
        }
        Ok(())
    }

    /// Returns the one version that is listed under a name without its namespace.
    pub fn version_of(&self, name: &str) -> Option<&str> {
        let mut same = self.packages.iter().filter(|known| known.bare_name() == name);
        let first = same.next()?;
        same.next().is_none().then_some(first.version.as_str())
    }
}
