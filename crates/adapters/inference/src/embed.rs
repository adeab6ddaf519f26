//! Texts as vectors: what is asked and what is answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Most texts of one request: they are read one after another, and nobody may hold the engine for long.
pub const MAX_INPUTS: usize = 256;

/// Texts to be turned into vectors.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedRequest {
    /// The texts; none may be empty.
    pub inputs: Vec<String>,
    /// Which model, for servers that hold several.
    #[serde(default)]
    pub model: Option<String>,
}

impl EmbedRequest {
    /// Refuses what no engine can make sense of.
    pub fn validate(&self) -> Result<(), Error> {
        if !(1..=MAX_INPUTS).contains(&self.inputs.len()) {
            return Err(Error::invalid(format!("from 1 to {MAX_INPUTS} texts can be asked for at once")));
        }
        if self.inputs.iter().any(String::is_empty) {
            return Err(Error::invalid("a text is empty"));
        }
        Ok(())
    }
}

impl fmt::Debug for EmbedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: usize = self.inputs.iter().map(String::len).sum();
        write!(f, "EmbedRequest({} texts, {bytes} bytes)", self.inputs.len())
    }
}

/// One vector a text, in their order. Vectors have length one, so that a dot product is the cosine.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// The vectors.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read.
    pub prompt_tokens: u32,
}

impl fmt::Debug for Embeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.vectors.first().map_or(0, Vec::len);
        write!(f, "Embeddings({} of {width})", self.vectors.len())
    }
}
