//! A connection whose every error says what it was doing, and in the words of the store.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params, Row};

use crate::store::StoreError;

/// A connection and the path to name in errors.
pub(super) struct Database<'c> {
    connection: &'c Connection,
    path: &'c Path,
}

impl<'c> Database<'c> {
    pub(super) fn new(connection: &'c Connection, path: &'c Path) -> Self {
        Self { connection, path }
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    /// Changes rows; returns how many.
    pub(super) fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        values: impl Params,
    ) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.told(doing))?;
        statement.execute(values).map_err(self.told(doing))
    }

    /// Returns the first row, when there is one.
    pub(super) fn one<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.told(doing))?;
        statement.query_row(values, read).optional().map_err(self.told(doing))
    }

    /// Returns all rows.
    pub(super) fn all<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.told(doing))?;
        let rows = statement.query_map(values, read).map_err(self.told(doing))?;
        rows.collect::<Result<_, _>>().map_err(self.told(doing))
    }

    /// Runs several statements.
    pub(super) fn batch(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(self.told(doing))
    }

    /// Returns whether no transaction is open, for example because SQLite gave one up.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.is_autocommit()
    }

    pub(super) fn pragma(&self, name: &str) -> Result<i64, StoreError> {
        let sql = format!("PRAGMA {name}");
        let value = self.connection.query_row(&sql, [], |row| row.get(0));
        value.map_err(self.told("read its settings"))
    }

    pub(super) fn pragma_text(&self, name: &str) -> Result<String, StoreError> {
        let sql = format!("PRAGMA {name}");
        let value = self.connection.query_row(&sql, [], |row| row.get(0));
        value.map_err(self.told("read its settings"))
    }

    pub(super) fn count_tables(&self) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM sqlite_schema";
        let value = self.connection.query_row(sql, [], |row| row.get(0));
        value.map_err(self.told("read its tables"))
    }

    fn told(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        told(self.path, doing)
    }
}

/// Says a failure of SQLite in the words of the store.
pub(super) fn told(
    path: &Path,
    doing: &'static str,
) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| {
        let path = path.clone();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            _ if is_out_of_space(&source) => StoreError::Full { path },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Locked { path }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { path, detail: source.to_string() }
            }
            _ => StoreError::Sqlite { path, doing, source },
        }
    }
}

/// Reads a column that holds something typed; what does not parse is damage.
pub(super) fn parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(row, column, Box::new(error)))
}

/// Reads a column that holds JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(row, column, Box::new(error)))
}

fn unreadable(
    row: &Row<'_>,
    column: &str,
    error: Box<dyn std::error::Error + Send + Sync>,
) -> rusqlite::Error {
    let place = row.as_ref().column_index(column).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(place, rusqlite::types::Type::Text, error)
}

/// The index of the write-ahead log could not grow, which only lack of space causes.
fn is_out_of_space(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
