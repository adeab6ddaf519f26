//! The database: the embedded file, or a PostgreSQL that can be reached.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use edgecoder_base::Secret;
use edgecoder_store::postgres;

use super::Finding;
use crate::cli::Context;

/// Longest wait for a PostgreSQL server.
const TIMEOUT: Duration = Duration::from_secs(3);
/// First bytes of every SQLite database.
const MAGIC: &[u8] = b"SQLite format 3\0";

pub(super) async fn reachable(context: &Context) -> Finding {
    match &context.loaded.config.coordinator.database_url {
        None => embedded(&context.data.database()),
        Some(url) => server(url).await,
    }
}

fn embedded(file: &Path) -> Finding {
    let shown = file.display();
    match std::fs::OpenOptions::new().read(true).write(true).open(file).and_then(starts_as_sqlite) {
        Ok(true) => Finding::good("database", format!("embedded, {shown}")),
        Ok(false) => Finding::bad(
            "database",
            format!("{shown} is not a database"),
            "restore it from a copy, or move it away to begin with an empty one",
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::good("database", format!("embedded; made as {shown} at the first start"))
        }
        Err(error) => Finding::bad(
            "database",
            format!("{shown}: {error}"),
            "make the file readable and writable for you",
        ),
    }
}

/// A file that was only created is as good as none.
fn starts_as_sqlite(file: std::fs::File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == MAGIC)
}

/// Connects as the coordinator would, so that a wrong password or a missing database is found too.
async fn server(url: &Secret<String>) -> Finding {
    let fix = "start PostgreSQL, or correct DATABASE_URL (coordinator.database_url)";
    match tokio::time::timeout(TIMEOUT, postgres::answers(url)).await {
        Ok(Ok(place)) => Finding::good("database", format!("{place} answers")),
        Ok(Err(error)) => Finding::bad("database", error.to_string(), fix),
        Err(_) => Finding::bad(
            "database",
            format!("PostgreSQL does not answer within {} s", TIMEOUT.as_secs()),
            fix,
        ),
    }
}
