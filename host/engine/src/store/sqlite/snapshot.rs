//! A copy of the database as it stands at one instant, while others go on writing.

use std::path::Path;

use rusqlite::params;

use super::database::Database;
use super::{directory, schema};
use crate::store::StoreError;

/// Copies the database at `path` into a new file of mode 0600 at `into`, which must not exist.
///
/// The copy is one reading transaction: it holds whole commits only, and keeps no writer waiting.
pub(super) fn take(path: &Path, into: &Path) -> Result<(), StoreError> {
    // SQLite takes an empty file for a new one; this one has its mode before it has a byte.
    directory::reserve(into)?;
    let connection = schema::connect(path)?;
    let target = into.to_str().ok_or_else(|| StoreError::Directory {
        path: into.to_owned(),
        source: std::io::Error::other("its path is not UTF-8"),
    })?;
    let database = Database::new(&connection, path);
    database.execute("copy the store", "VACUUM INTO ?", params![target]).map(drop)
}
