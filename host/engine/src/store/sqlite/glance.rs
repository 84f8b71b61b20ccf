//! The look that every call takes, on the thread of whoever asks: to wake another thread takes
//! longer than the look itself.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::database::Database;
use super::schema;
use crate::store::StoreError;

/// A connection that is opened when it is needed for the first time.
pub(super) struct Glance {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Glance {
    /// Opens nothing yet.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), connection: Mutex::new(None) }
    }

    /// Looks at once. `look` must be one statement that reads a row by its key.
    pub(super) fn take<T>(
        &self,
        look: impl FnOnce(&Database<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        look(&Database::new(slot.insert(connection), &self.path))
    }
}
