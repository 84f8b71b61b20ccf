//! The state directory: who may read it, who is alive, and components as files.

#![expect(clippy::disallowed_methods, reason = "the store owns its directory")]

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use runwrit_model::id::{Digest, RunId};
use runwrit_model::limits::COMPONENT_BYTES_MAX;
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::store::{Holder, StoreError};

/// Others could change what stands here.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The mark of a directory in which runs were worked on, beside the lock files.
const MARK: &str = "begun";
/// A list of runs probes locks for a moment; a claim must not take that for a living process.
const LOCK_TRIES: u32 = 5;
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A state directory that only its owner can write to.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
    /// Whether this process knows that the mark stands.
    is_marked: Arc<AtomicBool>,
}

impl Directory {
    /// Opens it, or makes it with mode 0700.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        make(root)?;
        let mode = std::fs::metadata(root).map_err(unusable(root))?.permissions().mode() & 0o777;
        if mode & WRITABLE_BY_OTHERS != 0 {
            return Err(StoreError::Exposed { path: root.to_owned(), mode });
        }
        make(&root.join("runs"))?;
        make(&root.join("components"))?;
        Ok(Self { root: root.to_owned(), is_marked: Arc::default() })
    }

    /// Returns the path of the database, which exists with mode 0600 from then on.
    pub(super) fn database(&self) -> Result<PathBuf, StoreError> {
        let path = self.root.join("store.sqlite");
        // One that exists is not opened here: to close it would take the locks from every
        // connection that this process has to it, and another process would take away its log.
        match private().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(unusable(&path)(error)),
            Ok(_) | Err(_) => Ok(path),
        }
    }

    /// Returns whether runs were worked on here: the first one leaves a mark.
    pub(super) fn has_runs(&self) -> bool {
        let runs = std::fs::read_dir(self.root.join("runs"));
        runs.is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Takes the run for this process. The kernel gives it free when the process dies, however it
    /// dies.
    pub(super) fn take(&self, run: &RunId) -> Result<Held, StoreError> {
        self.mark()?;
        let Some(held) = self.lock(run)? else {
            let holder = self.holder(run);
            return Err(StoreError::Live { run: run.clone(), holder });
        };
        // Of a second lock, by the record, the kernel tells whose it is. Nothing but that name
        // rests on it: the process loses it with whichever handle of the file it closes first.
        let _ = fcntl_lock(&held.file, FlockOperation::NonBlockingLockExclusive);
        Ok(held)
    }

    /// Leaves the mark of a directory that is in use; nobody takes it away again.
    pub(super) fn mark(&self) -> Result<(), StoreError> {
        if self.is_marked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = self.root.join("runs").join(MARK);
        private().write(true).create(true).truncate(false).open(&path).map_err(unusable(&path))?;
        self.is_marked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Returns nothing when another living process has the run.
    fn lock(&self, run: &RunId) -> Result<Option<Held>, StoreError> {
        let path = self.lock_path(run);
        for attempt in 1..=LOCK_TRIES {
            let mut options = private();
            let file = options.append(true).create(true).open(&path).map_err(unusable(&path))?;
            let is_ours = try_lock(&file, &path, FlockOperation::NonBlockingLockExclusive)?;
            // Whoever held it may have removed the file between the two steps.
            if is_ours && is_at(&file, &path) {
                return Ok(Some(Held { file, path }));
            }
            if attempt < LOCK_TRIES {
                thread::sleep(LOCK_PAUSE);
            }
        }
        Ok(None)
    }

    /// Returns whether a living process has the run.
    pub(super) fn is_locked(&self, run: &RunId) -> Result<bool, StoreError> {
        let path = self.lock_path(run);
        match File::open(&path) {
            Ok(file) => Ok(!try_lock(&file, &path, FlockOperation::NonBlockingLockShared)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unusable(&path)(error)),
        }
    }

    /// Returns which process holds a run, as far as the kernel tells: nothing of one that lives in
    /// a container of its own.
    fn holder(&self, run: &RunId) -> Option<Holder> {
        let file = File::open(self.lock_path(run)).ok()?;
        let lock = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok()??;
        let process = lock.pid?.as_raw_nonzero().get().unsigned_abs();
        let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name of the program stands in brackets and may hold any sign.
        let state = status.rsplit_once(") ")?.1;
        Some(Holder { process, is_stopped: state.starts_with(['T', 't']) })
    }

    fn lock_path(&self, run: &RunId) -> PathBuf {
        self.root.join("runs").join(format!("{run}.lock"))
    }

    /// Keeps a component: temporary file, flush, rename.
    pub(super) fn put_component(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.component_path(&digest);
        if self.component(&digest).is_ok_and(|kept| kept.is_some()) {
            return Ok(digest);
        }
        let partial = path.with_extension("partial");
        let write = || {
            let mut file = private().write(true).create(true).truncate(true).open(&partial)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&partial, &path)?;
            File::open(self.root.join("components"))?.sync_all()
        };
        write().map_err(unusable(&path))?;
        Ok(digest)
    }

    /// Returns a component whose bytes have the digest.
    pub(super) fn component(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.component_path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unusable(&path))?;
        match Digest::of(&bytes) == *digest {
            true => Ok(Some(bytes)),
            false => Err(StoreError::Component { digest: *digest }),
        }
    }

    fn component_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("components").join(format!("{}.wasm", digest.hex()))
    }
}

/// A run in the hands of this process. Its lock file goes with it: a run that nobody works on costs
/// none.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Still locked, so nobody else can have put a file there, but a person who removed ours.
        if is_at(&self.file, &self.path) {
            // One that stays is taken over by the next who works on the run.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Returns whether a path still leads to an open file.
fn is_at(file: &File, path: &Path) -> bool {
    let (open, there) = (file.metadata(), std::fs::metadata(path));
    open.is_ok_and(|open| {
        there.is_ok_and(|there| (open.dev(), open.ino()) == (there.dev(), there.ino()))
    })
}

/// Returns whether the lock was to be had.
fn try_lock(file: &File, path: &Path, how: FlockOperation) -> Result<bool, StoreError> {
    match flock(file, how) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(unusable(path)(errno.into())),
    }
}

/// Makes an empty file of mode 0600 where nothing stands yet.
pub(super) fn reserve(path: &Path) -> Result<(), StoreError> {
    private().write(true).create_new(true).open(path).map(drop).map_err(unusable(path))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn make(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable(path))
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::StorageFull => StoreError::Full { path: path.clone() },
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path: path.clone() },
        _ => StoreError::Directory { path: path.clone(), source },
    }
}
