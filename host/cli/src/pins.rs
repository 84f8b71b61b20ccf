//! `runwrit.lock`: where it is, and what it lets through.

use std::path::{Path, PathBuf};

use clap::Args;
use runwrit_distribution::lock::{FILE, Lock, LockError, Pinned};
use runwrit_engine::admission::Package;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_model::manifest::Manifest;
use runwrit_trust::parcel::Hashed;

use crate::ambient::{self, trusted};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring::{Trust, Vouching, untrusted};
use crate::packages;
use crate::session::Session;

/// How far packages are held to the lock.
#[derive(Debug, Clone, Default, Args)]
pub struct Pinning {
    /// The lock; runwrit.lock of the current directory where none is named
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Take only what the lock lists, as it lists it
    #[arg(long)]
    pub locked: bool,
}

/// A lock, and where it stands.
#[derive(Debug, Clone)]
pub struct Pins {
    /// Where it stands, or will.
    pub file: PathBuf,
    /// What it lists; nothing where it does not stand yet.
    pub lock: Lock,
    is_strict: bool,
}

impl Pins {
    /// Reads the lock. One that was named, or is insisted on, has to be there.
    pub fn read(pinning: &Pinning, session: &Session) -> Result<Self, Error> {
        let file =
            session.ambient.directory.join(pinning.lock.as_deref().unwrap_or(Path::new(FILE)));
        let is_strict = pinning.locked;
        if !ambient::exists(&file) {
            return match is_strict {
                false => Ok(Self { file, lock: Lock::default(), is_strict }),
                true => {
                    let shown = file.display();
                    Err(untrusted(format!("`--locked` needs `{shown}`, which is not there"))
                        .hint("`runwrit lock RUNBOOK` or `runwrit pull REFERENCE` writes it"))
                }
            };
        }
        let text = ambient::read_text("lock", &file, limits::DOCUMENT_BYTES_MAX)?;
        let lock = Lock::parse(&file.display().to_string(), &text)?;
        Ok(Self { file, lock, is_strict })
    }

    /// Holds a package that is to be listed to the lock: what is listed already, never changes.
    pub fn check_new(&self, found: &Pinned) -> Result<(), Error> {
        match self.lock.check(found) {
            Err(LockError::Unlisted { .. }) => Ok(()),
            _ => self.check(found),
        }
    }

    /// Holds a package to the lock. Whoever pinned a name meant the package of one publisher, so
    /// the same name of another is refused as well.
    pub fn check(&self, found: &Pinned) -> Result<(), Error> {
        let shown = self.file.display();
        match self.lock.check(found) {
            Ok(()) => Ok(()),
            Err(LockError::Unlisted { others, .. }) if !self.is_strict && others.is_empty() => {
                Ok(())
            }
            Err(error @ LockError::Unlisted { .. }) => {
                let LockError::Unlisted { versions, others, .. } = &error else { return Ok(()) };
                let listed = [versions.as_slice(), others].concat();
                let listed = match listed.is_empty() {
                    true => String::new(),
                    false => format!("it lists {}; ", listed.join(", ")),
                };
                Err(untrusted(error.to_string())
                    .hint(format!("{listed}`runwrit lock RUNBOOK` adds it to `{shown}`")))
            }
            Err(error @ LockError::Other { .. }) => Err(untrusted(error.to_string()).hint(format!(
                "a version never changes: ask its publisher; if this one is meant, take the old \
                 one out of `{shown}` and pin it anew"
            ))),
        }
    }

    /// Lists a package and writes the lock, unless it says so already.
    pub fn pin(&mut self, pinned: Pinned) -> Result<(), Error> {
        let before = self.lock.clone();
        self.lock.pin(pinned);
        if self.lock == before {
            return Ok(());
        }
        trusted::replace("lock", &self.file, self.lock.text().as_bytes(), 0o644)
    }
}

/// Pins the files of a package under the name by which it was vouched for, or its own.
pub fn pinned(vouching: &Vouching, manifest: &Manifest, files: &Files) -> Pinned {
    let name = match vouching {
        Vouching::Signed(vouched, _) => vouched.release.package.clone(),
        Vouching::Unsigned(_) => manifest.name.clone(),
    };
    Pinned {
        name,
        version: manifest.runbook_version.clone(),
        source: None,
        digest: None,
        runbook: files.runbook,
        component: files.component,
    }
}

/// The digests of the files of a package.
#[derive(Debug, Clone, Copy)]
pub struct Files {
    runbook: Digest,
    component: Digest,
}

impl Files {
    /// Takes them from the bytes that were judged.
    pub fn of(hashed: &Hashed<'_>) -> Self {
        Self { runbook: hashed.manifest(), component: hashed.component() }
    }
}

/// Finds a package that the keyring lets through, `is_unsigned_allowed` or not, and that the lock
/// has nothing against. A name without a version means the version that is listed. Returns it with
/// the keyring as it is after the roots that it brought.
pub fn find(
    runbook: &str,
    pinning: &Pinning,
    (trust, is_unsigned_allowed): (&Trust, bool),
    configuration: &Configuration,
    session: &Session,
) -> Result<(Package, (Vouching, Trust)), Error> {
    let pins = Pins::read(pinning, session)?;
    let judge = |folder: &Path, hashed: &Hashed<'_>| {
        let trust = trust.clone().carried(folder)?;
        // A root is followed even where the package that brought it is refused. Whoever may not
        // write there gets the verdict all the same; a run that starts has to.
        let _ = trust.keep();
        let vouching = trust.admit(folder, hashed, is_unsigned_allowed)?;
        Ok((vouching, trust, Files::of(hashed)))
    };
    let runbook = match pins.lock.version_of(runbook) {
        Some(version) => format!("{runbook}@{version}"),
        None => runbook.to_owned(),
    };
    let (package, (vouching, trust, files)) = packages::find(&runbook, configuration, judge)?;
    pins.check(&pinned(&vouching, &package.manifest, &files))?;
    Ok((package, (vouching, trust)))
}
