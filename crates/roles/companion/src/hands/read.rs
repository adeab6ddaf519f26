//! Looking at files: lines of one, names in a folder, lines that match. What looks like a secret is an action of its own.

use edgecoder_agent::session::{ApprovalClass, shown};
use edgecoder_workspace::project::{Query, Standing, TextFile};

use super::{Deed, Hands, Prepared};
use crate::error::blocking;

/// Lines of a file told at once where the model names no number.
const LINES: u32 = 200;
/// Names of a folder told at once.
const NAMES: usize = 200;
/// Matching lines told at once.
const HITS: usize = 50;

impl Hands {
    pub(super) async fn read_file(
        &self,
        path: String,
        offset: Option<u32>,
        limit: Option<u32>,
    ) -> Result<Prepared, String> {
        let path = self.path(&path)?;
        let (offset, limit) = (offset.unwrap_or(1).max(1), limit.unwrap_or(LINES).max(1));
        let file = self.text_file(&path).await?;
        if let Some(rule) = file.secret {
            let title = format!("read {}, which looks like a secret ({rule})", shown::line(&path));
            return Ok(Prepared::of(ApprovalClass::Protected, title, Deed::Reveal { path, offset, limit }));
        }
        let told = lines(&path, &file.text, offset, limit);
        Ok(Prepared::of(ApprovalClass::Read, format!("read {}", shown::line(&path)), Deed::Tell(told)))
    }

    pub(super) async fn reveal(&self, path: String, offset: u32, limit: u32) -> Result<String, String> {
        let file = self.text_file(&path).await?;
        Ok(lines(&path, &file.text, offset, limit))
    }

    /// The text file at a path below the root, or why there is none.
    pub(super) async fn text_file(&self, path: &str) -> Result<TextFile, String> {
        let at = path.to_owned();
        let why = match self.with_project(move |project| project.read(&at)).await? {
            Standing::Text(file) => return Ok(file),
            Standing::Binary(size) => format!("is not text ({size} bytes)"),
            Standing::TooLarge(size) => format!("is too large ({size} bytes)"),
            Standing::NotAFile => "is no regular file".to_owned(),
            Standing::Ignored => "is withheld by .edgecoderignore".to_owned(),
            Standing::Missing => "does not exist".to_owned(),
        };
        Err(format!("{} {why}", shown::line(path)))
    }

    pub(super) async fn list(&self, path: String) -> Result<Prepared, String> {
        let path = self.path(&path)?;
        let at = path.clone();
        let names = self.with_project(move |project| project.names(&at)).await?;
        let place = if path.is_empty() { "the project" } else { path.as_str() };
        let names = names.ok_or_else(|| format!("{} is no folder", shown::line(place)))?;
        let mut told: Vec<String> = names.iter().take(NAMES).map(|named| named.name.clone()).collect();
        if names.len() > NAMES {
            told.push(format!("… and {} more", names.len() - NAMES));
        }
        let told = if told.is_empty() { "(empty)".to_owned() } else { told.join("\n") };
        Ok(Prepared::of(ApprovalClass::Read, format!("list {}", shown::line(place)), Deed::Tell(told)))
    }

    pub(super) async fn search(
        &self,
        pattern: String,
        path: String,
        include: Option<String>,
    ) -> Result<Prepared, String> {
        let title = format!("search for {}", shown::line(&pattern));
        let query = Query { pattern, below: self.path(&path)?, include, max_hits: HITS };
        let project = std::sync::Arc::clone(&self.project);
        let sought = blocking(move || project.search(&query)).await.map_err(|error| error.message)?;
        let sought = sought.map_err(|error| error.unwrap_or_else(|error| error.to_string()))?;
        let mut told: Vec<String> =
            sought.hits.iter().map(|hit| format!("{}:{}: {}", hit.path, hit.line, hit.text)).collect();
        if told.is_empty() {
            told.push("nothing matches".to_owned());
        }
        if sought.clipped {
            told.push("… there is more: narrow the pattern, path or include".to_owned());
        }
        if sought.secrets > 0 {
            told.push(format!("{} matching files look like secrets and are not shown", sought.secrets));
        }
        Ok(Prepared::of(ApprovalClass::Read, title, Deed::Tell(told.join("\n"))))
    }
}

/// Lines from `offset`, at most `limit`, and where they stand in the file.
fn lines(path: &str, text: &str, offset: u32, limit: u32) -> String {
    let all = text.lines().count();
    let (from, limit) =
        (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX));
    let told: Vec<&str> = text.lines().skip(from - 1).take(limit).collect();
    let to = from - 1 + told.len();
    if from == 1 && to == all {
        return told.join("\n");
    }
    format!("{}\n[lines {from} to {to} of {all} of {path}]", told.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn pieces_of_a_file_say_where_they_stand() {
        assert_eq!(lines("a", "x\ny\nz\n", 1, 200), "x\ny\nz");
        assert_eq!(lines("a", "x\ny\nz\n", 2, 1), "y\n[lines 2 to 2 of 3 of a]");
        assert_eq!(lines("a", "x\n", 9, 5), "\n[lines 9 to 8 of 1 of a]");
    }
}
