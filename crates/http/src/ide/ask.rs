//! What a client wants, whichever dialect it spoke: the one request that all dialects are translated into.

use edgecoder_agent::tool_call::Tool;
use edgecoder_routing::Needs;
use serde_json::Value;

/// One answer that is wanted.
#[derive(Clone, PartialEq)]
pub(super) struct Ask {
    /// The model by the client's name for it.
    pub(super) model: String,
    /// What is to be gone on with.
    pub(super) prompt: Prompt,
    /// Functions that may be called.
    pub(super) tools: Vec<Tool>,
    /// Whether one must be.
    pub(super) choice: ToolChoice,
    /// Whether several may be called at once.
    pub(super) several_calls: bool,
    /// JSON Schema of the answer.
    pub(super) schema: Option<Value>,
    /// How tokens are drawn.
    pub(super) sampling: Sampling,
    /// Most tokens of the answer; nothing: what is usual.
    pub(super) max_tokens: Option<u32>,
    /// Texts that end the answer.
    pub(super) stop: Vec<String>,
    /// Tell likelihoods, with so many alternatives.
    pub(super) logprobs: Option<u32>,
}

/// The three kinds of prompts.
#[derive(Clone, PartialEq)]
pub(super) enum Prompt {
    /// A conversation, oldest first.
    Chat(Vec<Turn>),
    /// A text to go on with.
    Text(String),
    /// A gap to be filled.
    Gap {
        /// Before it.
        prefix: String,
        /// After it.
        suffix: String,
    },
}

/// One turn of a conversation.
#[derive(Clone, PartialEq)]
pub(super) enum Turn {
    /// The frame.
    System(String),
    /// The person.
    User(String),
    /// The model: what it said, then what it called.
    Assistant(String, Vec<PastCall>),
    /// What came of a call.
    Tool(String),
}

impl Turn {
    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::System(text) | Self::User(text) | Self::Tool(text) => text.len(),
            Self::Assistant(text, calls) => {
                let written = calls.iter().map(|call| call.name.len() + call.arguments.to_string().len());
                written.fold(text.len(), usize::saturating_add)
            }
        }
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Turn({} bytes)", self.bytes())
    }
}

/// A call that the model made earlier.
#[derive(Clone, PartialEq)]
pub(super) struct PastCall {
    /// The function.
    pub(super) name: String,
    /// Its arguments as JSON.
    pub(super) arguments: Value,
}

/// Whether a function is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum ToolChoice {
    /// As the model sees fit.
    #[default]
    Auto,
    /// None.
    None,
    /// One of them.
    Required,
    /// That one.
    Named(String),
}

/// How tokens are drawn. The defaults are greedy: small models write their best code so.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) top_k: Option<i32>,
    pub(super) min_p: Option<f32>,
    pub(super) repeat_penalty: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) presence_penalty: Option<f32>,
    pub(super) seed: Option<u64>,
}

impl Sampling {
    /// Nothing said.
    pub(super) const USUAL: Self = Self {
        temperature: None,
        top_p: None,
        top_k: None,
        min_p: None,
        repeat_penalty: None,
        frequency_penalty: None,
        presence_penalty: None,
        seed: None,
    };
}

impl Ask {
    /// A plain question to `model`.
    pub(super) fn new(model: impl Into<String>, prompt: Prompt) -> Self {
        Self {
            model: model.into(),
            prompt,
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            several_calls: true,
            schema: None,
            sampling: Sampling::USUAL,
            max_tokens: None,
            stop: Vec::new(),
            logprobs: None,
        }
    }

    /// The functions that are offered for this answer.
    pub(super) fn offered(&self) -> &[Tool] {
        if self.choice == ToolChoice::None { &[] } else { &self.tools }
    }

    /// Whether the answer has to be a call.
    pub(super) const fn must_call(&self) -> bool {
        matches!(self.choice, ToolChoice::Required | ToolChoice::Named(_))
    }

    /// What the engine must be able to do.
    pub(super) const fn needs(&self) -> Needs {
        Needs {
            embeddings: false,
            infill: matches!(self.prompt, Prompt::Gap { .. }),
            // A call that has to come is better held to its form, and can do without.
            grammar: self.schema.is_some(),
            logprobs: self.logprobs.is_some(),
        }
    }
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("model", &self.model)
            .field("tools", &self.tools.len())
            .finish_non_exhaustive()
    }
}
