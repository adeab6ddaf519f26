//! What an agent is told before its first step, as plain values: it never looks anything up by itself.

use edgecoder_base::{AttemptLimits, Scope, Verifier};
use serde::{Deserialize, Serialize};

use crate::Profile;

/// One attempt at one subtask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// What the person or the plan asks for.
    pub request: String,
    /// The judge; without one, a candidate is only checked for syntax and marked so.
    pub verifier: Option<Verifier>,
    /// What the patch may touch.
    pub scope: Scope,
    /// Number of this attempt among the attempts at the same subtask, from 0; attempts differ by it.
    pub sample: u32,
    /// Chosen by the origin, so that an attempt can be repeated exactly.
    pub seed: u64,
    /// Bounds of the attempt.
    pub limits: AttemptLimits,
    /// The engine's window, tokens of prompt and answer together.
    pub context_tokens: u32,
    /// How to speak to this model.
    pub profile: Profile,
}

/// The repository as the worker sees it: names and shapes, no file contents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RepoView {
    /// Every regular file of the snapshot.
    pub files: Vec<FileSummary>,
    /// A compact map of the repository, most relevant files first.
    pub map: String,
}

impl RepoView {
    /// The summary of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&FileSummary> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// One file's shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileSummary {
    /// Relative path, as in the manifest.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Language, lower case, if the worker knows it.
    #[serde(default)]
    pub language: Option<String>,
    /// Definitions in the file, in order.
    #[serde(default)]
    pub symbols: Vec<SymbolSummary>,
}

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SymbolSummary {
    /// Its name without qualification.
    pub name: String,
    /// `function`, `method`, `class`, … as the worker's parser calls it.
    pub kind: String,
    /// One line.
    pub signature: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, from 1.
    pub end_line: u32,
    /// First byte.
    pub start_byte: u64,
    /// Byte after the last.
    pub end_byte: u64,
    /// Name of the definition around it.
    #[serde(default)]
    pub parent: Option<String>,
}
