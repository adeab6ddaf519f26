//! What is asked of an engine. Prompts are private: `Debug` shows sizes, never words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The frame set by us.
    System,
    /// The person, or the agent in the person's place.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name chat templates and servers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A system turn.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// A user turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// An assistant turn.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.role.as_str(), self.content.len())
    }
}

/// One completion.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompletionRequest {
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// Start of the assistant's answer: part of the prompt, not of the output.
    #[serde(default)]
    pub prefill: Option<String>,
    /// Most tokens to generate.
    pub max_tokens: u32,
    /// 0 is greedy.
    #[serde(default)]
    pub temperature: f32,
    /// Nucleus; 1 keeps everything.
    #[serde(default = "one")]
    pub top_p: f32,
    /// Candidates kept before the nucleus; 0 keeps everything.
    #[serde(default)]
    pub top_k: i32,
    /// Same seed, same request, same model: same text.
    #[serde(default)]
    pub seed: u64,
    /// Texts that end the answer; they are not part of the output.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Which model, for servers that hold several. An engine with one model ignores it.
    #[serde(default)]
    pub model: Option<String>,
}

const fn one() -> f32 {
    1.0
}

/// Most stop sequences of a request, and the longest of them in bytes: they are matched at every token.
pub const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 256;

impl CompletionRequest {
    /// A greedy request with no stops and no prefill.
    pub fn new(messages: Vec<Message>, max_tokens: u32) -> Self {
        Self {
            messages,
            prefill: None,
            max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            seed: 0,
            stop: Vec::new(),
            model: None,
        }
    }

    /// Refuses what no engine can make sense of.
    pub fn validate(&self) -> Result<(), Error> {
        if self.messages.is_empty() {
            return Err(Error::invalid("there are no messages"));
        }
        if self.max_tokens == 0 {
            return Err(Error::invalid("max_tokens must be at least 1"));
        }
        if !(0.0..=10.0).contains(&self.temperature) {
            return Err(Error::invalid("temperature must be from 0 to 10"));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(Error::invalid("top_p must be above 0 and at most 1"));
        }
        if self.top_k < 0 {
            return Err(Error::invalid("top_k must not be negative"));
        }
        if self.stop.len() > MAX_STOPS
            || self.stop.iter().any(|stop| stop.len() > MAX_STOP_BYTES || stop.is_empty())
        {
            return Err(Error::invalid(format!(
                "at most {MAX_STOPS} stop sequences, each of 1 to {MAX_STOP_BYTES} bytes"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for CompletionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionRequest")
            .field("messages", &self.messages)
            .field("prefill_bytes", &self.prefill.as_ref().map(String::len))
            .field("max_tokens", &self.max_tokens)
            .field("temperature", &self.temperature)
            .field("seed", &self.seed)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// How many tokens a prompt has, without generating.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// The conversation.
    pub messages: Vec<Message>,
    /// Start of the answer, as in [`CompletionRequest`].
    #[serde(default)]
    pub prefill: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        let good = CompletionRequest::new(vec![Message::user("hi")], 8);
        assert_eq!(good.validate(), Ok(()));
        let bad: [fn(&mut CompletionRequest); 8] = [
            |r| r.messages.clear(),
            |r| r.max_tokens = 0,
            |r| r.temperature = f32::NAN,
            |r| r.temperature = -1.0,
            |r| r.top_p = 0.0,
            |r| r.top_k = -1,
            |r| r.stop = vec![String::new()],
            |r| r.stop = vec!["x".into(); 17],
        ];
        for (index, spoil) in bad.into_iter().enumerate() {
            let mut request = good.clone();
            spoil(&mut request);
            assert!(matches!(request.validate(), Err(Error::InvalidRequest { .. })), "case {index}");
        }
    }

    #[test]
    fn prompts_do_not_print() {
        let mut request = CompletionRequest::new(vec![Message::user("secret code")], 8);
        request.prefill = Some("secret start".into());
        assert!(!format!("{request:?}").contains("secret"));
    }
}
