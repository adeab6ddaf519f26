//! How to speak to a model: values chosen by measurement and kept in files, one per family of models.

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Embedded profiles, most special first; the last one matches every name.
const EMBEDDED: [&str; 3] = [
    include_str!("../profiles/edgecoder-tiny.toml"),
    include_str!("../profiles/qwen2.5-coder.toml"),
    include_str!("../profiles/default.toml"),
];

/// The way through an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// One function from one sentence, many samples: for models that cannot follow a repository.
    Function,
    /// Plan, choose files, edit, test, iterate.
    Repository,
}

/// How a model writes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditFormat {
    /// A function in a code block; where it goes is decided by its name.
    PutFunction,
    /// Blocks of old and new lines.
    SearchReplace,
    /// Whole files.
    WholeFile,
}

/// Temperatures of the sampler; 0 is greedy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temperatures {
    /// First try of the first attempt.
    pub first: f32,
    /// Every later fresh try.
    pub later: f32,
    /// Repairs.
    pub repair: f32,
}

/// System lines by kind of prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Systems {
    /// Writing a function.
    pub code: String,
    /// Mending a function.
    pub repair: String,
    /// Planning in a few lines.
    pub plan: String,
    /// Splitting a task.
    pub split: String,
    /// Talking.
    pub chat: String,
}

/// All that is particular to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// For people.
    pub name: String,
    /// Globs over model names, case ignored.
    pub models: Vec<String>,
    /// The way through an attempt.
    pub flow: Flow,
    /// How changes are written.
    pub edit_format: EditFormat,
    /// Tokens of the window worth using, even if the engine offers more.
    pub context_tokens: u32,
    /// Most tokens of one answer.
    pub max_output_tokens: u32,
    /// Whether earlier messages of a conversation confuse the model and are left out.
    pub last_message_only: bool,
    /// Whether a known signature is given as the start of the answer.
    pub prefill_signature: bool,
    /// Every how many tries may be a repair: 1 always, 2 every second, 0 never.
    pub repair_every: u32,
    /// Completions of one attempt, within the attempt's own limit.
    pub max_completions: u32,
    /// Files read for one attempt.
    pub max_files: u32,
    /// Characters of test output shown to the model.
    pub output_chars: u32,
    /// Whether the best failing candidate is submitted at the limit.
    pub submit_at_limit: bool,
    /// Texts that end an answer.
    pub stop: Vec<String>,
    /// Temperatures.
    pub temperatures: Temperatures,
    /// System lines.
    pub systems: Systems,
}

impl Profile {
    /// Reads a profile and compiles its globs once, so that they cannot fail later.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let profile: Self =
            toml::from_str(text).map_err(|error| Error::Profile(error.message().to_owned()))?;
        for glob in &profile.models {
            matcher(glob)?;
        }
        Ok(profile)
    }

    /// The embedded profiles, most special first.
    pub fn embedded() -> Vec<Self> {
        EMBEDDED
            .iter()
            .map(|text| Self::from_toml(text).unwrap_or_else(|error| unreachable!("embedded: {error}")))
            .collect()
    }

    /// The profile for a model, by its name or the last part of its path.
    pub fn for_model(model: &str) -> Self {
        let mut profiles = Self::embedded();
        let at = profiles.iter().position(|profile| profile.matches(model)).unwrap_or(profiles.len() - 1);
        profiles.swap_remove(at)
    }

    /// Whether a glob of this profile matches the model's name.
    pub fn matches(&self, model: &str) -> bool {
        let last = model.rsplit('/').next().unwrap_or(model);
        self.models
            .iter()
            .filter_map(|glob| matcher(glob).ok())
            .any(|glob| glob.is_match(last) || glob.is_match(model))
    }
}

fn matcher(glob: &str) -> Result<GlobMatcher, Error> {
    GlobBuilder::new(glob)
        .case_insensitive(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Error::ProfileGlob { glob: glob.to_owned(), reason: error.kind().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_finds_its_profile_by_name() {
        for (model, profile) in [
            ("edgecoder-tiny", "edgecoder-tiny"),
            ("EdgeCoder-Tiny.Q8_0.gguf", "edgecoder-tiny"),
            ("models/tiny/edgecoder-tiny.gguf", "edgecoder-tiny"),
            ("qwen2.5-coder:7b", "qwen2.5-coder"),
            ("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder"),
            ("llama3.2:3b", "default"),
            ("", "default"),
        ] {
            assert_eq!(Profile::for_model(model).name, profile, "{model}");
        }
    }

    #[test]
    fn a_profile_with_an_unknown_key_or_a_broken_glob_is_refused() {
        let good = EMBEDDED[2];
        assert!(matches!(Profile::from_toml(&format!("colour = 1\n{good}")), Err(Error::Profile(_))));
        let broken = good.replace("[\"*\"]", "[\"[\"]");
        assert!(matches!(Profile::from_toml(&broken), Err(Error::ProfileGlob { .. })));
    }
}
