//! PostgreSQL (`DATABASE_URL`): several coordinators may share one database. Each has its own chain in the
//! ledger; tasks are locked row by row, and waiting rows that another coordinator looks at are skipped.

use std::str::FromStr;

use edgecoder_base::{NodeId, Secret};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::Error;
use crate::migrate::POSTGRES;

mod reading;
mod rows;
mod writing;

pub use reading::PostgresReads;
pub use writing::PostgresBackend;

/// Reading connections; the writer has one more.
const READERS: u32 = 4;
/// How long a reader waits for a connection before the read is refused as unavailable.
const ACQUIRE: std::time::Duration = std::time::Duration::from_secs(2);
/// Held while migrating, so that coordinators starting together do it one after the other.
const MIGRATION_LOCK: i64 = 0x6564_6765_636f_6465;
/// Told to the other coordinators when work arrives.
pub(crate) const CHANNEL: &str = "edgecoder_queue";

/// Connects the writer and migrates.
pub async fn open(url: &Secret<String>, author: NodeId) -> Result<PostgresBackend, Error> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    migrate(&mut connection).await?;
    Ok(PostgresBackend::new(options, connection, author))
}

/// Prepares readers; they connect when first used.
pub async fn open_reads(url: &Secret<String>) -> Result<PostgresReads, Error> {
    let pool = PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE)
        .connect_lazy_with(options(url)?);
    Ok(PostgresReads::new(pool))
}

/// Connects once, as the coordinator would, and tells the server's version and place. Neither the answer nor the
/// error names the account, so that both can be pasted.
pub async fn answers(url: &Secret<String>) -> Result<String, Error> {
    let options = options(url)?;
    let connection = connect(&options).await.map_err(|error| without(error, options.get_username()))?;
    let version = connection.server_version_num().unwrap_or_default() / 10_000;
    // Whether it ends well no longer matters: it did answer.
    drop(connection.close().await);
    let place = options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| socket.display().to_string(),
    );
    Ok(format!("PostgreSQL {version} at {place}"))
}

/// The error with the account's name left out.
fn without(error: Error, account: &str) -> Error {
    if let Error::Unavailable { doing, cause } = error {
        let cause = cause.replace(&format!("\"{account}\""), "…");
        return Error::Unavailable { doing, cause };
    }
    error
}

/// Listens to what the other coordinators announce.
pub(crate) async fn listen(pool: &sqlx::PgPool) -> Result<PgListener, Error> {
    let doing = "listening for work";
    let mut listener =
        PgListener::connect_with(pool).await.map_err(|error| Error::from_postgres(doing, &error))?;
    listener.listen(CHANNEL).await.map_err(|error| Error::from_postgres(doing, &error))?;
    Ok(listener)
}

fn options(url: &Secret<String>) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url.expose()).map_err(|_| Error::Unavailable {
        doing: "reading DATABASE_URL",
        cause: "it is not a PostgreSQL connection string".to_owned(),
    })?;
    Ok(options.application_name("edgecoder"))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    PgConnection::connect_with(options)
        .await
        .map_err(|error| Error::from_postgres("connecting to the database", &error))
}

async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    let failed = |error: sqlx::Error| Error::from_postgres("migrating the database", &error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    transaction
        .execute("CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY)")
        .await
        .map_err(failed)?;
    let found: i64 = sqlx::query("SELECT coalesce(max(version), 0) FROM schema_migrations")
        .fetch_one(&mut *transaction)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    for (version, sql) in POSTGRES.pending(found)? {
        sqlx::raw_sql(sql).execute(&mut *transaction).await.map_err(failed)?;
        sqlx::query("INSERT INTO schema_migrations (version) VALUES ($1)")
            .bind(version)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
