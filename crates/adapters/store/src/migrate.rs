//! Versioned migrations: numbered files, applied once, in order, in a transaction each.

/// The SQL of every version, per database; the version is the position plus one.
pub(crate) struct Migrations(pub(crate) &'static [&'static str]);

pub(crate) const SQLITE: Migrations =
    Migrations(&[include_str!("../migrations/sqlite/0001_queue_and_ledger.sql")]);
pub(crate) const POSTGRES: Migrations =
    Migrations(&[include_str!("../migrations/postgres/0001_queue_and_ledger.sql")]);

impl Migrations {
    /// The newest version this program knows.
    pub(crate) fn known(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }

    /// What is still to be applied to a database at version `found`.
    pub(crate) fn pending(
        &self,
        found: i64,
    ) -> Result<impl Iterator<Item = (i64, &'static str)>, crate::Error> {
        if found > self.known() {
            return Err(crate::Error::SchemaTooNew { found, known: self.known() });
        }
        Ok((1..).zip(self.0.iter().copied()).filter(move |(version, _)| *version > found))
    }
}
