//! The connection that reads, on the thread of whoever asks: to wake another thread takes longer
//! than most looks do.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::ready;
use rusqlite::Connection;

use super::database::Database;
use super::schema;
use super::worker::Verdict;
use crate::store::{Reply, StoreError};

/// A connection that is opened when it is needed for the first time, and changes nothing.
pub(super) struct Reader {
    path: PathBuf,
    verdict: Verdict,
    connection: Mutex<Option<Connection>>,
}

impl Reader {
    /// Opens nothing yet.
    pub(super) fn new(path: &Path, verdict: Verdict) -> Self {
        Self { path: path.to_owned(), verdict, connection: Mutex::new(None) }
    }

    /// Opens the connection, where there is time for it now. What stands in its way is told when
    /// something is to be read.
    pub(super) fn prepare(&self) {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = schema::open_reader(&self.path).ok();
        }
    }

    /// Reads at once, all statements from one snapshot: others write in between.
    pub(super) fn read<'a, T: Send + 'a>(
        &self,
        read: impl FnOnce(&Database<'_>) -> Result<T, StoreError>,
    ) -> Reply<'a, T> {
        self.glance(|database| {
            // A panic may have left the snapshot of another reading open.
            if !database.is_idle() {
                database.batch("end a reading", "COMMIT")?;
            }
            database.batch("begin", "BEGIN")?;
            let found = read(database);
            // Nothing was written, so nothing is lost when this fails.
            drop(database.batch("end a reading", "COMMIT"));
            found
        })
    }

    /// Looks at once. `look` must be one statement.
    pub(super) fn glance<'a, T: Send + 'a>(
        &self,
        look: impl FnOnce(&Database<'_>) -> Result<T, StoreError>,
    ) -> Reply<'a, T> {
        ready(self.at_once(look)).boxed()
    }

    fn at_once<T>(
        &self,
        look: impl FnOnce(&Database<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.verdict.wait()?;
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        look(&Database::new(slot.insert(connection), &self.path))
    }
}
