//! The files of a layout: in a folder, in an archive that is read, or in one that is made.
#![expect(clippy::disallowed_methods, reason = "the caller names the place; only it is touched")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use runwrit_model::limits;
use rustix::fs::{FlockOperation, OFlags, flock};
use tar::{Archive, Builder, EntryType, Header};

use super::stands;
use crate::error::TransferError;

/// Where the files of a layout are.
#[derive(Debug)]
pub enum Files {
    /// In a folder.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Whoever adds to it keeps others from doing so, as long as this lives.
        _lock: Option<File>,
    },
    /// In an archive, by path: where each begins, and its size.
    Archive(PathBuf, BTreeMap<String, (u64, u64)>),
    /// In memory, for an archive that is written at once. One package has its limits.
    New(PathBuf, BTreeMap<String, Vec<u8>>),
}

impl Files {
    /// Takes a folder to read.
    pub fn folder(path: &Path) -> Self {
        Self::Folder { path: path.to_owned(), _lock: None }
    }

    /// Makes a folder, unless it stands there, and keeps others from adding to it meanwhile.
    pub fn new_folder(path: &Path) -> Result<Self, TransferError> {
        let made = fs::DirBuilder::new().recursive(true).create(path.join("blobs/sha256"));
        made.map_err(failed(path, "made"))?;
        let lock = File::open(path).map_err(failed(path, "read"))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| failed(path, "locked")(error.into()))?;
        Ok(Self::Folder { path: path.to_owned(), _lock: Some(lock) })
    }

    /// Begins an archive.
    pub fn new_archive(path: &Path) -> Result<Self, TransferError> {
        match stands(path) {
            true => Err(TransferError::Exists(path.to_owned())),
            false => Ok(Self::New(path.to_owned(), BTreeMap::new())),
        }
    }

    /// Looks through an archive. Its files stay where they are.
    pub fn archive(path: &Path) -> Result<Self, TransferError> {
        if !stands(path) {
            return Err(TransferError::NotFound(path.display().to_string()));
        }
        let file = regular(path)?;
        let wrong = |why: String| TransferError::Archive { path: path.to_owned(), why };
        let broken = |error: io::Error| wrong(format!("it cannot be read: {error}"));
        let mut archive = Archive::new(BufReader::new(file));
        let mut found = BTreeMap::new();
        // Raw, because the reader would otherwise take long names and attributes into memory,
        // however long an archive says that they are. Nothing of a layout needs either.
        for (count, entry) in archive.entries_with_seek().map_err(broken)?.raw(true).enumerate() {
            let entry = entry.map_err(broken)?;
            let max = limits::OCI_ARCHIVE_FILES_MAX;
            if count >= max {
                let what = path.display().to_string();
                return Err(TransferError::TooMany { what, of: "files", max });
            }
            let shown =
                runwrit_model::text::escape(&entry.path().map_err(broken)?.to_string_lossy());
            match entry.header().entry_type() {
                EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => continue,
                EntryType::Regular => {}
                other => return Err(wrong(format!("`{shown}` is a {other:?}, not a file"))),
            }
            let name = plain(&entry.path().map_err(broken)?)
                .ok_or_else(|| wrong(format!("`{shown}` leads out of it")))?;
            let place = (entry.raw_file_position(), entry.size());
            if found.insert(name, place).is_some() {
                return Err(wrong(format!("`{shown}` stands in it twice")));
            }
        }
        Ok(Self::Archive(path.to_owned(), found))
    }

    /// Returns whether anything stands there at all.
    pub fn exists(&self) -> bool {
        match self {
            Self::Folder { path, .. } | Self::Archive(path, _) => stands(path),
            Self::New(..) => true,
        }
    }

    /// Returns whether a file of this size is there.
    pub fn holds(&self, name: &str, size: u64) -> bool {
        match self {
            // What a crash has left may have the size and other bytes.
            Self::Folder { .. } | Self::Archive(..) => false,
            Self::New(_, files) => files.get(name).is_some_and(|it| it.len() as u64 == size),
        }
    }

    /// Reads a file; nothing where there is none.
    pub fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, TransferError> {
        match self {
            Self::Folder { path: folder, .. } => {
                let path = folder.join(name);
                if !stands(&path) {
                    return Ok(None);
                }
                take(regular(&path)?, &path, max).map(Some)
            }
            Self::Archive(path, files) => {
                let Some((begin, size)) = files.get(name) else { return Ok(None) };
                let mut file = regular(path)?;
                file.seek(SeekFrom::Start(*begin)).map_err(failed(path, "read"))?;
                take(file.take(*size), &path.join(name), max).map(Some)
            }
            Self::New(_, files) => Ok(files.get(name).cloned()),
        }
    }

    /// Writes a file whole or not at all.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), TransferError> {
        match self {
            Self::Folder { path: folder, .. } => replace(&folder.join(name), bytes),
            Self::New(_, files) => {
                files.insert(name.to_owned(), bytes.to_vec());
                Ok(())
            }
            Self::Archive(path, _) => Err(TransferError::Exists(path.clone())),
        }
    }

    /// Writes what was kept in memory.
    pub fn finish(self) -> Result<(), TransferError> {
        let Self::New(path, files) = self else { return Ok(()) };
        let bytes = archived(&files).map_err(failed(&path, "packed"))?;
        replace(&path, &bytes)
    }
}

/// Packs files: the same bytes for the same files.
fn archived(files: &BTreeMap<String, Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    // Readers that stream an archive want to know first what it is and what it holds.
    let is_blob = |name: &str| name.starts_with("blobs/");
    let heads = files.iter().rev().filter(|(name, _)| !is_blob(name));
    for (name, bytes) in heads.chain(files.iter().filter(|(name, _)| is_blob(name))) {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(EntryType::Regular);
        archive.append_data(&mut header, name, bytes.as_slice())?;
    }
    archive.into_inner()
}

/// Returns a path of an archive in its one spelling; nothing where it leads out of the archive.
fn plain(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => parts.push(name.to_str()?),
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

/// Opens a regular file. A link is not followed, and a pipe does not block.
fn regular(path: &Path) -> Result<File, TransferError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    let flags = i32::try_from(flags).expect("these flags of Linux fit 31 bits");
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(failed(path, "read"))?;
    match file.metadata().map_err(failed(path, "read"))?.is_file() {
        true => Ok(file),
        false => Err(failed(path, "read")(io::Error::other("it is no regular file"))),
    }
}

fn take(file: impl Read, path: &Path, max: u64) -> Result<Vec<u8>, TransferError> {
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(failed(path, "read"))?;
    let what = path.display().to_string();
    match bytes.len() as u64 > max {
        true => Err(TransferError::TooLarge { what, bytes_max: max }),
        false => Ok(bytes),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), TransferError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let write = || {
        let mut options = OpenOptions::new();
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("it fits 31 bits");
        let options = options.write(true).create(true).truncate(true).custom_flags(nofollow);
        let mut file = options.open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| {
        // What was begun is worth nothing.
        let _ = fs::remove_file(&partial);
        failed(path, "written")(source)
    })
}

fn failed(path: &Path, done: &'static str) -> impl Fn(io::Error) -> TransferError {
    move |source| TransferError::File { path: path.to_owned(), done, source }
}
