//! Searching a project by pattern, in this process: no program is started, so nothing of a pattern or a name is ever
//! read as an option, and the time is linear in what is read.

use edgecoder_base::snapshot::limits;
use globset::{GlobBuilder, GlobMatcher};
use regex::bytes::{Regex, RegexBuilder};
use std::path::Path;

use super::Project;
use crate::Error;
use crate::beneath::Found;

/// Memory of a compiled pattern, bytes: a page of text compiles to far less.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Characters of a line that are shown: minified files have lines of megabytes.
const SHOWN_CHARS: usize = 240;
/// Bytes read by one search; a project beyond it is searched folder by folder.
const MAX_READ_BYTES: u64 = 256 << 20;

/// What is sought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// A regular expression.
    pub pattern: String,
    /// Only below this folder or in this file; empty: everywhere.
    pub below: String,
    /// Only files whose path or name matches this glob.
    pub include: Option<String>,
    /// Most lines.
    pub max_hits: usize,
}

/// One matching line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The file.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// The line, clipped.
    pub text: String,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sought {
    /// In the order of paths and lines.
    pub hits: Vec<Hit>,
    /// Whether there may be more.
    pub clipped: bool,
    /// Files left out because they look like secrets.
    pub secrets: usize,
}

impl Project {
    /// The lines that match. `Err(Ok(words))` says what is wrong with the query.
    pub fn search(&self, query: &Query) -> Result<Sought, Result<String, Error>> {
        let pattern = RegexBuilder::new(&query.pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .build()
            .map_err(|error| Ok(format!("the pattern is no regular expression: {error}")))?;
        let include = query.include.as_deref().map(glob).transpose().map_err(Ok)?;
        let mut sought = Sought::default();
        let mut left = MAX_READ_BYTES;
        for path in self.files().map_err(Err)? {
            let below = query.below.is_empty()
                || path == query.below
                || path.strip_prefix(&query.below).is_some_and(|rest| rest.starts_with('/'));
            if !below || include.as_ref().is_some_and(|glob| !glob.is_match(&path)) {
                continue;
            }
            // What cannot be read now is as good as gone.
            let Ok(Found::File { bytes, .. }) = self.root.read(Path::new(&path), limits::MAX_FILE_BYTES)
            else {
                continue;
            };
            let Some(rest) = left.checked_sub(bytes.len() as u64) else {
                sought.clipped = true;
                break;
            };
            left = rest;
            if bytes.contains(&0) || !pattern.is_match(&bytes) {
                continue;
            }
            if self.secrets.find(&path, &bytes).is_some() {
                sought.secrets += 1;
                continue;
            }
            sought.take(&path, &bytes, &pattern, query.max_hits);
            if sought.clipped {
                break;
            }
        }
        Ok(sought)
    }
}

impl Sought {
    fn take(&mut self, path: &str, bytes: &[u8], pattern: &Regex, most: usize) {
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            if !pattern.is_match(line) {
                continue;
            }
            if self.hits.len() >= most {
                self.clipped = true;
                return;
            }
            let text = String::from_utf8_lossy(line);
            let text: String = text.trim_end().chars().take(SHOWN_CHARS).collect();
            self.hits.push(Hit { path: path.to_owned(), line: number, text });
        }
    }
}

/// A glob without a slash means names anywhere, as everybody writes it.
fn glob(text: &str) -> Result<GlobMatcher, String> {
    let anywhere = if text.contains('/') { text.to_owned() } else { format!("**/{text}") };
    let built = GlobBuilder::new(&anywhere).literal_separator(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| format!("`include` is no glob: {error}"))
}
