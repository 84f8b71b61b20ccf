//! Writes a backup while runs go on.

#![expect(clippy::disallowed_methods, reason = "a backup reads a state directory whole")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use runwrit_engine::store::SqliteStore;
use runwrit_model::breakable::crash_point;
use tar::{Builder, Header};

use super::{COMPONENT, COMPONENTS, COVER, Cover, FORMAT, KEY, STORE, VERSION, component, is_lent};
use crate::ambient;
use crate::epoch;
use crate::error::Error;
use crate::lent;
use crate::sealing::Recipients;

/// Begins the name of the copy of the store; the process that makes it follows.
const COPY: &str = "snapshot-";

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// How many components.
    pub components: usize,
    /// How large the encrypted file is.
    pub bytes: u64,
}

/// Writes everything of `state` that cannot be made again into a new file.
pub fn write(state: &Path, file: &Path, recipients: &Recipients) -> Result<Written, Error> {
    let shown = file.display();
    if !ambient::exists(&state.join(STORE)) {
        let text = format!("there is nothing to back up in `{}`", state.display());
        return Err(Error::usage(text).hint("name the state directory with `--state DIR`"));
    }
    if ambient::exists(file) {
        return Err(Error::usage(format!("`{shown}` exists already"))
            .hint("name a new file: one backup never replaces another"));
    }
    let store = SqliteStore::open(state)?;
    let copy = Copy::of(&store, state)?;
    crash_point("store-copied", "backup");
    // Read after the store: whatever run it holds, its component was kept before.
    let mut files = vec![(KEY.to_owned(), state.join(KEY)), (STORE.to_owned(), copy.0.clone())];
    for name in ambient::names_in(&state.join(COMPONENTS)) {
        let path = format!("{COMPONENTS}/{name}");
        if component(&path).is_some() {
            files.push((path, state.join(COMPONENTS).join(name)));
        }
    }
    for name in ambient::names_in(&state.join(lent::FOLDER)) {
        let path = format!("{}/{name}", lent::FOLDER);
        if is_lent(&path) {
            files.push((path, state.join(lent::FOLDER).join(name)));
        }
    }
    let components = files.iter().filter(|(name, _)| name.ends_with(COMPONENT)).count();
    let cover = Cover {
        format: FORMAT.to_owned(),
        version: VERSION,
        host: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: ambient::now_unix_ms(),
        epoch: epoch::claimant(state)?.latest(),
        files: files.len() as u64,
    };
    let bytes = seal(file, (&cover, &files), recipients).map_err(|source| {
        Error::usage(format!("the backup `{shown}` cannot be written: {source}"))
            .hint("free space, or name a file in a directory that can be written")
    })?;
    Ok(Written { components, bytes })
}

/// What an archive says about itself, and the files that follow: names and paths.
type Content<'a> = (&'a Cover, &'a [(String, PathBuf)]);

/// A copy of the store that vanishes with this value.
struct Copy(PathBuf);

impl Copy {
    fn of(store: &SqliteStore, state: &Path) -> Result<Self, Error> {
        forget_dead(state);
        let copy = Self(state.join(format!("{COPY}{}", std::process::id())));
        store.snapshot(&copy.0)?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What stays is deleted by the next backup.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Deletes copies whose process died over them.
fn forget_dead(state: &Path) {
    for name in ambient::names_in(state) {
        let Some(process) = name.strip_prefix(COPY) else { continue };
        if !ambient::exists(&Path::new("/proc").join(process)) {
            // It is only in the way; where it cannot be deleted, the backup is still good.
            let _ = std::fs::remove_file(state.join(name));
        }
    }
}

/// Writes the encrypted archive whole or not at all; returns its size.
fn seal(file: &Path, content: Content<'_>, recipients: &Recipients) -> io::Result<u64> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = file.with_file_name(name);
    let sealed = write_sealed(&partial, content, recipients).and_then(|bytes| {
        crash_point("before-rename", "backup");
        std::fs::rename(&partial, file)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    });
    if sealed.is_err() {
        // What was begun is worth nothing.
        let _ = std::fs::remove_file(&partial);
    }
    sealed
}

fn write_sealed(
    partial: &Path,
    (cover, files): Content<'_>,
    recipients: &Recipients,
) -> io::Result<u64> {
    let mut options = File::options();
    let output = options.write(true).create(true).truncate(true).mode(0o600).open(partial)?;
    let mut archive = Builder::new(recipients.seal(io::BufWriter::new(output))?);
    let cover = serde_json::to_vec(cover).map_err(io::Error::other)?;
    append(&mut archive, COVER, cover.len() as u64, cover.as_slice())?;
    for (name, path) in files {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        append(&mut archive, name, size, file)?;
    }
    let mut output = archive.into_inner()?.finish()?;
    output.flush()?;
    let output = output.into_inner().map_err(io::IntoInnerError::into_error)?;
    output.sync_all()?;
    Ok(output.metadata()?.len())
}

fn append(
    archive: &mut Builder<impl Write>,
    name: &str,
    size: u64,
    bytes: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(ambient::now_unix_ms() / 1_000);
    archive.append_data(&mut header, name, bytes.take(size))
}
