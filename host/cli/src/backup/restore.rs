//! Unpacks a backup into a state directory that is not there yet: all of it, or nothing.
//!
//! Everything is unpacked beside the state directory, verified and flushed; one rename puts it in
//! its place.

#![expect(clippy::disallowed_methods, reason = "a restore writes a state directory whole")]

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use runwrit_engine::store::{RunState, SqliteStore, Store as _};
use runwrit_model::breakable::crash_point;
use runwrit_model::exit::Exit;
use runwrit_model::history::History;
use runwrit_model::id::{Digest, RunId};
use runwrit_model::limits;
use tar::Archive;

use super::{COMPONENTS, COVER, Cover, FORMAT, KEY, STORE, VERSION, component, is_lent};
use crate::ambient;
use crate::arrival;
use crate::epoch;
use crate::error::Error;
use crate::host_key;
use crate::lent;
use crate::sealing::Identities;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// When the backup was made, in milliseconds since 1970 UTC.
    pub made_at: u64,
    /// How many runs it holds.
    pub runs: usize,
    /// Those that were not over.
    pub open: Vec<RunId>,
}

/// Restores `file` as the state directory `state`.
pub async fn restore(file: &Path, keys: &Identities, state: &Path) -> Result<Restored, Error> {
    let place = Place::beside(state)?;
    let Cover { made_at, epoch, .. } = unpack(file, keys, &place.folder)?;
    epoch::begin(&place.folder, epoch)?;
    crash_point("unpacked", "restore");
    let (runs, open) = verify(&place.folder).await?;
    crash_point("verified", "restore");
    place.settle()?;
    Ok(Restored { made_at, runs, open })
}

/// A folder beside the state directory that takes its place, or vanishes with this value.
struct Place {
    folder: PathBuf,
    state: PathBuf,
}

impl Place {
    fn beside(state: &Path) -> Result<Self, Error> {
        let unfit = |reason: String| {
            let shown = state.display();
            Error::usage(format!("the state directory `{shown}` cannot be restored: {reason}"))
        };
        if ambient::exists(state) && !is_empty(state) {
            return Err(unfit("it is not empty".to_owned()).hint(
                "name another with `--state DIR`, or move this one away: nothing is overwritten",
            ));
        }
        // A link is followed now: the rename would replace it.
        let state = std::fs::canonicalize(state).unwrap_or_else(|_| state.to_owned());
        let (Some(parent), Some(name)) = (state.parent(), state.file_name()) else {
            return Err(unfit("it is the root".to_owned()).hint("name another with `--state DIR`"));
        };
        ambient::make_private_directory("directory of the state directory", parent)?;
        let name = name.to_string_lossy();
        forget_dead(parent, &format!(".{name}.restoring-"));
        let folder = parent.join(format!(".{name}.restoring-{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|source| {
            unfit(format!("`{}` cannot be made: {source}", folder.display()))
                .hint("it is unpacked beside it, then renamed; restore as a user who may do that")
        })?;
        Ok(Self { folder, state: state.clone() })
    }

    /// Flushes everything and puts it in its place, in one instant.
    fn settle(self) -> Result<(), Error> {
        let moved = || {
            sync(&self.folder.join(COMPONENTS))?;
            sync(&self.folder.join(lent::FOLDER))?;
            sync(&self.folder.join(arrival::FOLDER))?;
            sync(&self.folder)?;
            crash_point("before-rename", "restore");
            // The kernel refuses a directory that is not empty, whoever filled it meanwhile.
            std::fs::rename(&self.folder, &self.state)?;
            crash_point("renamed", "restore");
            File::open(self.state.parent().unwrap_or(Path::new("/")))?.sync_all()
        };
        moved().map_err(|source: io::Error| {
            let shown = self.state.display();
            Error::usage(format!("`{shown}` cannot be put in its place: {source}"))
                .hint("nothing was restored; name an empty directory that is no mount point")
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After the rename there is nothing of that name; what a kill left, the next one deletes.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_empty(state: &Path) -> bool {
    state.is_dir() && std::fs::read_dir(state).is_ok_and(|mut entries| entries.next().is_none())
}

/// Deletes what restores left whose process died over it.
fn forget_dead(parent: &Path, prefix: &str) {
    for name in ambient::names_in(parent) {
        let Some(process) = name.strip_prefix(prefix) else { continue };
        if !ambient::exists(&Path::new("/proc").join(process)) {
            // It is only in the way; the new one has another name.
            let _ = std::fs::remove_dir_all(parent.join(name));
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    for name in ambient::names_in(folder) {
        File::open(folder.join(name))?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Unpacks the archive; returns what it says about itself.
fn unpack(file: &Path, keys: &Identities, folder: &Path) -> Result<Cover, Error> {
    let what = format!("the backup `{}`", file.display());
    let wrong = |reason: String| {
        Error::usage(format!("{what} cannot be restored: {reason}"))
            .hint("nothing was restored; use another backup")
    };
    let input = File::open(file);
    let input = input.map_err(|source| Error::usage(format!("{what} cannot be read: {source}")))?;
    let mut opened = keys.open(input, &what)?;
    let read = |archive: &mut Archive<&mut _>| {
        let mut entries = archive.entries()?.enumerate();
        let cover = match entries.next() {
            Some((_, entry)) => cover(entry?)?,
            None => return Err(refused("it is empty".to_owned())),
        };
        for (place, entry) in entries {
            if place as u64 > cover.files {
                return Err(refused(format!("it holds more than {} files", cover.files)));
            }
            unpack_one(entry?, folder)?;
            crash_point("file-unpacked", "restore");
        }
        Ok(cover)
    };
    let cover = read(&mut Archive::new(&mut opened)).map_err(|error| wrong(error.to_string()))?;
    // The end of the archive is not that of the file: only the last byte proves that it is whole.
    io::copy(&mut opened, &mut io::sink()).map_err(|error| wrong(error.to_string()))?;
    for name in [KEY, STORE] {
        if !ambient::exists(&folder.join(name)) {
            return Err(wrong(format!("it holds no `{name}`")));
        }
    }
    Ok(cover)
}

fn refused(reason: String) -> io::Error {
    io::Error::other(reason)
}

/// Reads what the archive says about itself; the version is judged before all else.
fn cover(entry: tar::Entry<'_, impl Read>) -> io::Result<Cover> {
    if entry.path_bytes().as_ref() != COVER.as_bytes() {
        return Err(refused(format!("it does not begin with `{COVER}`")));
    }
    let mut bytes = Vec::new();
    entry.take(limits::DOCUMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    let said: serde_json::Value = serde_json::from_slice(&bytes)?;
    if said["format"] != FORMAT {
        return Err(refused(format!("it is a `{}`, not a `{FORMAT}`", said["format"])));
    }
    if said["version"] != VERSION {
        let found = &said["version"];
        return Err(refused(format!("it has version {found}, this host knows {VERSION}")));
    }
    Ok(serde_json::from_value(said)?)
}

/// Unpacks a file that has a name which belongs there; nothing else ever touches the disk.
fn unpack_one(mut entry: tar::Entry<'_, impl Read>, folder: &Path) -> io::Result<()> {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let is_component = component(&path).is_some();
    let is_known = [KEY, STORE].contains(&path.as_str()) || is_component || is_lent(&path);
    if !is_known || !entry.header().entry_type().is_file() {
        return Err(refused(format!("it holds `{path}`, which does not belong there")));
    }
    let bytes_max = match path.as_str() {
        STORE => limits::BACKUP_STORE_BYTES_MAX,
        _ => limits::COMPONENT_BYTES_MAX,
    };
    let size = entry.size();
    if size > bytes_max {
        return Err(refused(format!("`{path}` has {size} bytes; the limit is {bytes_max}")));
    }
    for name in [COMPONENTS, lent::FOLDER, arrival::FOLDER] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name))?;
    }
    let mut options = File::options();
    let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join(&path))?;
    io::copy(&mut entry, &mut file)?;
    file.flush()
}

/// Opens what was unpacked as any command would, and reads every journal and component in it.
async fn verify(folder: &Path) -> Result<(usize, Vec<RunId>), Error> {
    let _ = host_key::open(folder)?;
    let store = SqliteStore::open(folder)?;
    let damaged = |text: String| {
        Error::new(Exit::Stuck, text).hint("nothing was restored; use another backup")
    };
    let (mut open, rows) = (Vec::new(), store.runs().await?);
    for row in &rows {
        let run = &row.run;
        let entries = store.journal(run).await.map_err(|error| damaged(error.to_string()))?;
        let history = History::of(&entries)
            .map_err(|error| damaged(format!("the journal of run `{run}`: {error}")))?;
        let digest: &Digest = &history.created.component;
        let kept = store.component(digest).await.map_err(|error| damaged(error.to_string()))?;
        let is_over = matches!(row.state, RunState::Finished(_));
        if kept.is_none() && !is_over {
            return Err(damaged(format!("the component of run `{run}` is missing: {digest}")));
        }
        // The row and the journal were in one file, and only the journal says what goes on.
        if !is_over || history.finished.is_none() {
            arrival::note(folder, run)?;
        }
        open.extend((!is_over).then(|| run.clone()));
    }
    Ok((rows.len(), open))
}
