//! What is asked of an engine. Prompts are private: `Debug` shows sizes, never words.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::compact::Overflow;

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
    /// What came of a tool the model asked for.
    Tool,
}

impl Role {
    /// The name chat templates and servers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
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

    /// The outcome of a tool.
    pub fn tool(content: impl Into<String>) -> Self {
        Self { role: Role::Tool, content: content.into() }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.role.as_str(), self.content.len())
    }
}

/// A prompt that is no conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TextPrompt {
    /// Go on from here; no template, no roles.
    Continue {
        /// What stands before the answer.
        text: String,
    },
    /// Fill the gap between two texts, for models that were trained to.
    Infill {
        /// Before the gap.
        prefix: String,
        /// After the gap.
        suffix: String,
    },
}

impl TextPrompt {
    fn bytes(&self) -> usize {
        match self {
            Self::Continue { text } => text.len(),
            Self::Infill { prefix, suffix } => prefix.len() + suffix.len(),
        }
    }
}

impl fmt::Debug for TextPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Continue { .. } => "Continue",
            Self::Infill { .. } => "Infill",
        };
        write!(f, "{kind}({} bytes)", self.bytes())
    }
}

/// What the answer must look like. Kept by construction: no other token can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// A grammar in llama.cpp's GBNF, starting at `root`.
    Grammar {
        /// The grammar's text.
        gbnf: String,
    },
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema; `{}` allows any JSON.
        schema: Value,
    },
}

/// One completion: a conversation, or a text in its place.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompletionRequest {
    /// The conversation so far, oldest first. Empty when there is a `text`.
    pub messages: Vec<Message>,
    /// A prompt that is no conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextPrompt>,
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
    /// Candidates at least this likely, compared with the likeliest; 0 keeps everything.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_p: f32,
    /// Divides the likelihood of what was lately written; 1 changes nothing.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub repeat_penalty: f32,
    /// Taken from a token's logit for every time it was lately written; 0 changes nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frequency_penalty: f32,
    /// Taken once from the logit of what was lately written; 0 changes nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub presence_penalty: f32,
    /// Same seed, same request, same model: same text.
    #[serde(default)]
    pub seed: u64,
    /// Texts that end the answer; they are not part of the output.
    #[serde(default)]
    pub stop: Vec<String>,
    /// What the answer must look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Tell every token's likelihood, with this many alternatives (0 is allowed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// What to do with a conversation that does not fit.
    #[serde(default, skip_serializing_if = "Overflow::is_refuse")]
    pub overflow: Overflow,
    /// Which model, for servers that hold several. An engine with one model ignores it.
    #[serde(default)]
    pub model: Option<String>,
    /// On whose behalf. What an engine has read for one is never reused for another: how soon an answer begins would
    /// tell what the other asked. Without a name it is the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

const fn one() -> f32 {
    1.0
}

/// Sent only when it means something: a node that is older refuses fields it does not know.
fn is_zero(number: &f32) -> bool {
    *number == 0.0
}

/// As above.
fn is_one(number: &f32) -> bool {
    *number == 1.0
}

/// Most stop sequences of a request, and the longest of them in bytes: they are matched at every token.
pub const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 256;
/// Most alternatives told of a token, as many as OpenAI's own form allows.
pub const MAX_LOGPROBS: u32 = 20;
/// Longest grammar or schema: its states are looked at for every token.
pub const MAX_FORMAT_BYTES: usize = 64 * 1024;

impl CompletionRequest {
    /// A greedy request with no stops and no prefill.
    pub fn new(messages: Vec<Message>, max_tokens: u32) -> Self {
        Self {
            messages,
            text: None,
            prefill: None,
            max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: 0,
            stop: Vec::new(),
            format: None,
            logprobs: None,
            overflow: Overflow::Refuse,
            model: None,
            owner: None,
        }
    }

    /// A greedy request that is no conversation.
    pub fn text(text: TextPrompt, max_tokens: u32) -> Self {
        Self { text: Some(text), ..Self::new(Vec::new(), max_tokens) }
    }

    /// What of this request is counted before it is answered.
    pub fn prompt(&self) -> CountRequest {
        CountRequest {
            messages: self.messages.clone(),
            text: self.text.clone(),
            prefill: self.prefill.clone(),
        }
    }

    /// Refuses what no engine can make sense of.
    pub fn validate(&self) -> Result<(), Error> {
        check_prompt(&self.messages, self.text.as_ref(), self.prefill.as_deref())?;
        if self.max_tokens == 0 {
            return Err(Error::invalid("max_tokens must be at least 1"));
        }
        for (name, number, range) in [
            ("temperature", self.temperature, 0.0..=10.0),
            ("top_p", self.top_p, f32::MIN_POSITIVE..=1.0),
            ("min_p", self.min_p, 0.0..=1.0),
            ("repeat_penalty", self.repeat_penalty, 0.1..=10.0),
            ("frequency_penalty", self.frequency_penalty, -2.0..=2.0),
            ("presence_penalty", self.presence_penalty, -2.0..=2.0),
        ] {
            if !range.contains(&number) {
                let (least, most) = (range.start(), range.end());
                return Err(Error::invalid(format!("{name} must be from {least} to {most}")));
            }
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
        if self.logprobs.is_some_and(|alternatives| alternatives > MAX_LOGPROBS) {
            return Err(Error::invalid(format!("logprobs must be at most {MAX_LOGPROBS}")));
        }
        self.format.as_ref().map_or(Ok(()), check_format)
    }
}

fn check_prompt(messages: &[Message], text: Option<&TextPrompt>, prefill: Option<&str>) -> Result<(), Error> {
    match (messages.is_empty(), text) {
        (true, None) => Err(Error::invalid("there are no messages")),
        (false, Some(_)) => Err(Error::invalid("a request has messages or a text, not both")),
        (true, Some(_)) if prefill.is_some() => {
            Err(Error::invalid("a text has no prefill: put it at the end of the text"))
        }
        (true, Some(text)) if text.bytes() == 0 => Err(Error::invalid("the text is empty")),
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

fn check_format(format: &Format) -> Result<(), Error> {
    let bytes = match format {
        Format::Grammar { gbnf } => gbnf.len(),
        Format::JsonSchema { schema } if !(schema.is_object() || schema.is_boolean()) => {
            return Err(Error::invalid("a JSON schema is an object"));
        }
        Format::JsonSchema { schema } => schema.to_string().len(),
    };
    if (1..=MAX_FORMAT_BYTES).contains(&bytes) {
        Ok(())
    } else {
        Err(Error::invalid(format!("a grammar or schema has 1 to {MAX_FORMAT_BYTES} bytes")))
    }
}

impl fmt::Debug for CompletionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionRequest")
            .field("messages", &self.messages)
            .field("text", &self.text)
            .field("prefill_bytes", &self.prefill.as_ref().map(String::len))
            .field("max_tokens", &self.max_tokens)
            .field("temperature", &self.temperature)
            .field("seed", &self.seed)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// How many tokens a prompt has, without generating.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// The conversation.
    pub messages: Vec<Message>,
    /// A prompt that is no conversation, as in [`CompletionRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextPrompt>,
    /// Start of the answer, as in [`CompletionRequest`].
    #[serde(default)]
    pub prefill: Option<String>,
}

impl CountRequest {
    /// Refuses what is no prompt.
    pub fn validate(&self) -> Result<(), Error> {
        check_prompt(&self.messages, self.text.as_ref(), self.prefill.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        let good = CompletionRequest::new(vec![Message::user("hi")], 8);
        assert_eq!(good.validate(), Ok(()));
        let bad: [fn(&mut CompletionRequest); 17] = [
            |r| r.messages.clear(),
            |r| r.max_tokens = 0,
            |r| r.temperature = f32::NAN,
            |r| r.temperature = -1.0,
            |r| r.top_p = 0.0,
            |r| r.top_k = -1,
            |r| r.stop = vec![String::new()],
            |r| r.stop = vec!["x".into(); 17],
            |r| r.min_p = 1.5,
            |r| r.repeat_penalty = 0.0,
            |r| r.frequency_penalty = f32::INFINITY,
            |r| r.presence_penalty = -3.0,
            |r| r.logprobs = Some(21),
            |r| r.text = Some(TextPrompt::Continue { text: "both".into() }),
            |r| r.format = Some(Format::Grammar { gbnf: String::new() }),
            |r| r.format = Some(Format::Grammar { gbnf: "x".repeat(MAX_FORMAT_BYTES + 1) }),
            |r| r.format = Some(Format::JsonSchema { schema: Value::from(7) }),
        ];
        for (index, spoil) in bad.into_iter().enumerate() {
            let mut request = good.clone();
            spoil(&mut request);
            assert!(matches!(request.validate(), Err(Error::InvalidRequest { .. })), "case {index}");
        }
    }

    #[test]
    fn what_an_older_node_does_not_know_is_sent_only_when_used() {
        let plain = serde_json::to_value(CompletionRequest::new(vec![Message::user("hi")], 8)).unwrap();
        let names: Vec<_> = plain.as_object().unwrap().keys().map(String::as_str).collect();
        let first =
            ["max_tokens", "messages", "model", "prefill", "seed", "stop", "temperature", "top_k", "top_p"];
        assert_eq!(names, first);
    }

    #[test]
    fn a_text_stands_alone() {
        let good = CompletionRequest::text(TextPrompt::Continue { text: "def ".into() }, 8);
        assert_eq!(good.validate(), Ok(()));
        let empty = TextPrompt::Infill { prefix: String::new(), suffix: String::new() };
        for spoilt in [
            CompletionRequest { prefill: Some("x".into()), ..good.clone() },
            CompletionRequest { messages: vec![Message::user("x")], ..good },
            CompletionRequest::text(empty, 8),
        ] {
            assert!(matches!(spoilt.validate(), Err(Error::InvalidRequest { .. })), "{spoilt:?}");
        }
    }

    #[test]
    fn prompts_do_not_print() {
        let mut request = CompletionRequest::new(vec![Message::user("secret code")], 8);
        request.prefill = Some("secret start".into());
        assert!(!format!("{request:?}").contains("secret"));
        let infill = TextPrompt::Infill { prefix: "secret".into(), suffix: "secret".into() };
        assert!(!format!("{:?}", CompletionRequest::text(infill, 8)).contains("secret"));
    }
}
