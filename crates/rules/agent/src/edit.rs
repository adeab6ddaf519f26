//! From a model's answer to new file contents, in the format that its profile names. Parsing is tolerant,
//! applying is exact or refused with a reason the model can act on.

pub mod block;
pub mod put_function;
pub mod search_replace;
pub mod whole_file;

use std::collections::BTreeMap;

use edgecoder_base::snapshot::is_safe_path;
use edgecoder_base::{BlobHash, Patch};

/// Why an answer is not a change. The texts are written for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// No code anywhere.
    #[error("the answer contains no code")]
    NoCode,
    /// Code, but not the function.
    #[error("the answer does not define the function {0}")]
    NoFunction(String),
    /// The function without a body.
    #[error("the function {0} has no body")]
    Hollow(String),
    /// No block in the expected form.
    #[error("the answer contains no {0}")]
    NoBlock(&'static str),
    /// A block without its end.
    #[error("a block for {0} has no {1} line")]
    Unfinished(String, &'static str),
    /// A block without a file.
    #[error("a block does not say which file it is for")]
    NoPath,
    /// A path that must never be written.
    #[error("{0:?} is not a path inside the repository")]
    UnsafePath(String),
    /// The file exists but its text has not been read yet.
    #[error("{0} has not been read yet")]
    NotRead(String),
    /// A search in a file that does not exist.
    #[error("there is no file {0}")]
    NoFile(String),
    /// The searched lines are not there.
    #[error("the SEARCH lines are not in {path}; the closest lines there are:\n{nearest}")]
    NotFound {
        /// The file.
        path: String,
        /// What looks most like them.
        nearest: String,
    },
    /// The searched lines are there more than once.
    #[error("the SEARCH lines occur {count} times in {path}; add lines until they are unique")]
    Ambiguous {
        /// The file.
        path: String,
        /// How often.
        count: usize,
    },
    /// A whole file with parts left out.
    #[error("{0} is not complete: it says that parts are unchanged or left out")]
    Elided(String),
    /// A change to nothing.
    #[error("the answer changes nothing")]
    Unchanged,
    /// Too much text to be an answer.
    #[error("the answer has {0} bytes, more than any change")]
    TooLong(usize),
}

/// Longest answer looked at, bytes; far above any model's output limit here.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// New texts by path, and what was corrected on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edited {
    /// Whole new contents.
    pub texts: BTreeMap<String, String>,
    /// Corrections, for events.
    pub mended: Vec<String>,
}

/// The files an answer is applied to.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Texts that were read, with the candidate's changes so far.
    pub texts: &'a BTreeMap<String, String>,
    /// Paths that exist, read or not, sorted.
    pub existing: &'a [String],
}

impl Sources<'_> {
    /// The text of `path`; none if there is no such file.
    fn get(&self, path: &str) -> Result<Option<&str>, EditError> {
        if !is_safe_path(path) {
            return Err(EditError::UnsafePath(path.to_owned()));
        }
        match self.texts.get(path) {
            Some(text) => Ok(Some(text)),
            None if self.existing.binary_search_by(|known| known.as_str().cmp(path)).is_ok() => {
                Err(EditError::NotRead(path.to_owned()))
            }
            None => Ok(None),
        }
    }
}

/// The patch that turns the snapshot's texts into `texts`.
pub fn patch(original: &BTreeMap<String, String>, texts: &BTreeMap<String, String>) -> Patch {
    let mut patch = Patch::default();
    for (path, text) in texts {
        let before = original.get(path);
        if before != Some(text) && is_safe_path(path) {
            patch.set(path, before.map(|text| BlobHash::of(text.as_bytes())), Some(text.clone()));
        }
    }
    patch
}

/// Gives `text` the line ends that `like` has.
fn with_line_ends_of(like: &str, text: String) -> String {
    if like.contains("\r\n") { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text }
}
