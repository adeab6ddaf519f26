//! SQLite: the embedded default. Write-ahead log, `synchronous=FULL`, one writing connection, a few reading
//! ones. `rusqlite` and not an async driver: a statement costs microseconds, a hop between threads costs more.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::Error;
use crate::migrate::SQLITE;

mod reading;
mod rows;
mod writing;

pub use reading::SqliteReads;
pub use writing::SqliteBackend;

/// How long a statement waits for another process's lock before the command is refused as unavailable.
const BUSY: std::time::Duration = std::time::Duration::from_secs(2);
/// Pages (4 KiB) the log may grow before its content moves to the main file: large enough that the move is
/// rare, small enough that a restart stays quick.
const CHECKPOINT_PAGES: u32 = 16_000;

/// Opens the writing connection, creating and migrating the file as needed.
pub fn open(file: &Path) -> Result<SqliteBackend, Error> {
    let doing = "opening the database";
    let mut connection = Connection::open(file).map_err(|error| Error::from_sqlite(doing, &error))?;
    prepare(&connection, "-16000")?;
    let pragmas = format!(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES};"
    );
    connection.execute_batch(&pragmas).map_err(|error| Error::from_sqlite(doing, &error))?;
    migrate(&mut connection)?;
    Ok(SqliteBackend::new(connection))
}

/// Opens readers of a file that a writer has opened before.
pub fn open_reads(file: &Path) -> Result<SqliteReads, Error> {
    SqliteReads::open(PathBuf::from(file))
}

fn open_read(file: &Path) -> Result<Connection, Error> {
    let doing = "opening the database for reading";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(file, flags).map_err(|error| Error::from_sqlite(doing, &error))?;
    prepare(&connection, "-1000")?;
    Ok(connection)
}

fn prepare(connection: &Connection, cache_kib: &str) -> Result<(), Error> {
    let doing = "preparing the database connection";
    connection.busy_timeout(BUSY).map_err(|error| Error::from_sqlite(doing, &error))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Otherwise every new value for a `LIMIT` makes SQLite plan the statement again, which costs more than running it.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|error| Error::from_sqlite(doing, &error))?;
    connection
        .execute_batch(&format!("PRAGMA cache_size={cache_kib}; PRAGMA temp_store=MEMORY;"))
        .map_err(|error| Error::from_sqlite(doing, &error))
}

fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let doing = "migrating the database";
    let sqlite = |error: rusqlite::Error| Error::from_sqlite(doing, &error);
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
    for (version, sql) in SQLITE.pending(found)? {
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(sqlite)?;
        transaction.execute_batch(sql).map_err(sqlite)?;
        transaction.pragma_update(None, "user_version", version).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}
