//! A package on disk: a folder with `runbook.toml` and `component.wasm`.
#![expect(clippy::disallowed_methods, reason = "the caller names the folder; only it is read")]

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use runwrit_model::admission::{Gap, imports_within_ask};
use runwrit_model::document::Faults;
use runwrit_model::exit::Exit;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_model::manifest::Manifest;
use runwrit_model::operations::INTERFACES;
use runwrit_trust::parcel::{COMPONENT, MANIFEST, Parcel, SIGNATURE_EXTENSION, SIGNATURES};
use rustix::fs::OFlags;

use super::surface::{Surface, SurfaceError};

/// A package that was read and checked, and not executed.
#[derive(Debug, Clone)]
pub struct Package {
    /// The folder.
    pub folder: PathBuf,
    /// What it is and asks for.
    pub manifest: Manifest,
    /// The component.
    pub component: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// What it imports and exports.
    pub surface: Surface,
}

/// Why a folder is no package that this host can run.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is none.
    #[error(
        "`{}` is no package: a package is a folder with `{MANIFEST}` and `{COMPONENT}`",
        path.display()
    )]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is not one.
    #[error(
        "`{}` is no regular file; a package holds no links, so that what was checked is what runs",
        path.display()
    )]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// A file that is too large.
    #[error("`{}` has more than {bytes_max} bytes; such a file is refused unread", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] Faults),
    /// The component is none.
    #[error("`{}` cannot be admitted: {source}", path.display())]
    Component {
        /// The path.
        path: PathBuf,
        /// Why.
        source: SurfaceError,
    },
}

impl PackageError {
    /// Returns the exit code: a component that is not what it should be is not trusted.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoFolder { .. } | Self::Unreadable { .. } | Self::Manifest(_) => Exit::Usage,
            Self::NotRegular { .. } | Self::TooLarge { .. } | Self::Component { .. } => {
                Exit::Untrusted
            }
        }
    }
}

impl Package {
    /// Reads and checks a package, whoever vouches for it. Nothing of it runs and nothing is
    /// compiled.
    pub fn read(folder: &Path) -> Result<Self, PackageError> {
        Self::of(folder, collect(folder)?)
    }

    /// Parses and checks the bytes of a package: those that its signers were found to have signed,
    /// so that no file is opened twice.
    pub fn of(folder: &Path, parcel: Parcel) -> Result<Self, PackageError> {
        let component = Digest::of(&parcel.component);
        Self::of_hashed(folder, parcel, component)
    }

    /// Does the same where the digest of the component is known.
    pub fn of_hashed(folder: &Path, parcel: Parcel, digest: Digest) -> Result<Self, PackageError> {
        let path = folder.join(MANIFEST);
        let text =
            String::from_utf8(parcel.manifest).map_err(|error| PackageError::Unreadable {
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()),
            })?;
        let manifest = Manifest::parse(&path.display().to_string(), &text)?;
        let path = folder.join(COMPONENT);
        let component = parcel.component;
        let surface =
            Surface::read(&component).map_err(|source| PackageError::Component { path, source })?;
        Ok(Self { folder: folder.to_owned(), manifest, component, digest, surface })
    }

    /// Returns every import that the ask, the tier or this host does not cover.
    pub fn gaps(&self) -> Vec<Gap> {
        imports_within_ask(&self.surface.imports, &self.manifest)
    }

    /// Returns the interfaces that exist for its runs.
    pub fn linked(&self) -> BTreeSet<String> {
        linked(&self.manifest)
    }
}

/// Reads the files of a package, each once and nothing of them parsed.
pub fn collect(folder: &Path) -> Result<Parcel, PackageError> {
    if !folder.is_dir() {
        return Err(PackageError::NoFolder { path: folder.to_owned() });
    }
    Ok(Parcel {
        manifest: read_file(&folder.join(MANIFEST), limits::DOCUMENT_BYTES_MAX)?,
        component: read_file(&folder.join(COMPONENT), limits::COMPONENT_BYTES_MAX)?,
        signatures: signatures(&folder.join(SIGNATURES))?,
    })
}

/// Reads the files of the signers; a package without the folder has none.
fn signatures(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: folder.to_owned(), source };
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(unreadable(source)),
        Ok(found) if !found.is_dir() => {
            return Err(PackageError::NotRegular { path: folder.to_owned() });
        }
        Ok(_) => {}
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(SIGNATURE_EXTENSION) {
            names.push(name);
        }
        // One more than is allowed is enough to be refused for it.
        if names.len() > limits::SIGNATURES_MAX {
            break;
        }
    }
    names.sort();
    let bytes_max = limits::SIGNATURE_BYTES_MAX as u64;
    let read = |name: String| {
        let bytes = read_file(&folder.join(&name), bytes_max)?;
        Ok((name, bytes))
    };
    names.into_iter().map(read).collect()
}

/// Returns the interfaces that exist for the runs of a runbook: those that need no grant, and the
/// asked ones, which an admitted run was granted.
pub fn linked(manifest: &Manifest) -> BTreeSet<String> {
    let free = INTERFACES.iter().filter(|interface| interface.is_free);
    let asked = manifest.ask.iter().map(|ask| ask.interface.clone());
    free.map(|interface| interface.path()).chain(asked).collect()
}

/// Reads a regular file of at most `bytes_max` bytes. A link is not followed and a pipe does not
/// block.
fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, PackageError> {
    let not_regular = || PackageError::NotRegular { path: path.to_owned() };
    let unreadable = |source| PackageError::Unreadable { path: path.to_owned(), source };
    let is_link = fs::symlink_metadata(path).map_err(unreadable)?.is_symlink();
    if is_link {
        return Err(not_regular());
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    let flags = i32::try_from(flags).expect("these flags of Linux fit 31 bits");
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(not_regular());
    }
    // One more than there is, for the look beyond the end.
    let room = usize::try_from(metadata.len().min(bytes_max) + 1).unwrap_or_default();
    let mut bytes = Vec::with_capacity(room);
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        return Err(PackageError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(bytes)
}
