//! The rival of `hello`: an empty program that commits to SQLite, as durably and as often.

use rusqlite::Connection;

fn main() -> Result<(), rusqlite::Error> {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap_or_else(|| "commits.db".to_owned());
    let count: u32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS line (text TEXT NOT NULL)")?;
    for _ in 0..count {
        connection.execute("INSERT INTO line VALUES ('a commit')", [])?;
    }
    Ok(())
}
