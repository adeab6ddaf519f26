//! The database: the embedded file, or a PostgreSQL that can be reached.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::cli::Context;

/// Longest wait for a PostgreSQL server.
const TIMEOUT: Duration = Duration::from_secs(3);
/// First bytes of every SQLite database.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// PostgreSQL's own default.
const POSTGRES_PORT: u16 = 5432;

pub(super) async fn reachable(context: &Context) -> Finding {
    match &context.loaded.config.coordinator.database_url {
        None => embedded(&context.data.database()),
        Some(url) => server(url.expose()).await,
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

/// Only host and port are shown: the address carries a name and a password.
async fn server(url: &str) -> Finding {
    let fix = "start PostgreSQL, or correct DATABASE_URL (coordinator.database_url)";
    let Some((host, port)) = place(url) else {
        return Finding::bad("database", "the address of PostgreSQL names no host", fix);
    };
    let connecting = tokio::net::TcpStream::connect((host.as_str(), port));
    match tokio::time::timeout(TIMEOUT, connecting).await {
        Ok(Ok(_)) => Finding::good("database", format!("PostgreSQL at {host}:{port} answers")),
        Ok(Err(error)) => Finding::bad("database", format!("PostgreSQL at {host}:{port}: {error}"), fix),
        Err(_) => Finding::bad("database", format!("PostgreSQL at {host}:{port} does not answer"), fix),
    }
}

fn place(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
    Some((host, url.port().unwrap_or(POSTGRES_PORT)))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_place_is_shown_without_name_and_password() {
        let check = |url, expected: Option<(&str, u16)>| {
            assert_eq!(place(url), expected.map(|(host, port)| (host.to_owned(), port)), "{url}");
        };
        check("postgres://ada:hunter2@db.example:6000/x", Some(("db.example", 6000)));
        check("postgresql://[::1]/x", Some(("::1", 5432)));
        check("postgres:///x", None);
    }
}
