//! What an engine is and can do. Asked of the engine and read back from the model, never guessed from names.

use edgecoder_base::BlobHash;
use serde::{Deserialize, Serialize};

/// Everything a caller may need to know before it asks. Fields are added, never renamed: another node may be older.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The model's name as its file or server gives it.
    pub model: String,
    /// BLAKE3 of the model file, where the engine can see the file.
    pub model_hash: Option<BlobHash>,
    /// The engine and its version.
    pub engine: String,
    /// Tokens of prompt and answer together, for one request.
    pub context_tokens: u32,
    /// Requests answered at the same time; more wait.
    pub slots: u32,
    /// Where the arithmetic happens.
    #[serde(default)]
    pub device: Device,
    /// How the context came to be as large as it is, where the engine chose it.
    #[serde(default)]
    pub window: Option<Window>,
    /// What a short trial at start measured.
    #[serde(default)]
    pub speed: Option<Speed>,
    /// What else than plain answers can be asked for.
    #[serde(default)]
    pub features: Features,
    /// The small model that guesses ahead, where one is configured.
    #[serde(default)]
    pub draft: Option<String>,
}

impl Capabilities {
    /// An engine that gives plain answers, about which nothing more is known.
    pub fn new(model: impl Into<String>, engine: impl Into<String>, context_tokens: u32, slots: u32) -> Self {
        Self { model: model.into(), engine: engine.into(), context_tokens, slots, ..Self::default() }
    }
}

/// The kind of hardware that computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A server that does not tell.
    #[default]
    Unknown,
    /// The processor.
    Cpu,
    /// A graphics card of its own memory.
    Gpu,
    /// One that shares the processor's memory.
    IntegratedGpu,
}

/// What computes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its kind.
    pub kind: DeviceKind,
    /// Its name as the driver gives it; empty where unknown.
    pub name: String,
    /// Layers of the model it holds; 0 for a processor.
    pub gpu_layers: u32,
    /// Threads of the processor that compute.
    pub threads: u32,
}

/// What a short trial measured: the order of magnitude of later answers, not a promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speed {
    /// Microseconds for a token of the prompt, many read together.
    pub prompt_us_per_token: u32,
    /// Microseconds for a token of the answer, one request alone.
    pub output_us_per_token: u32,
}

impl Speed {
    /// Tokens of the prompt read in a second.
    pub fn prompt_tokens_per_s(self) -> f64 {
        1e6 / f64::from(self.prompt_us_per_token.max(1))
    }

    /// Tokens written in a second.
    pub fn output_tokens_per_s(self) -> f64 {
        1e6 / f64::from(self.output_us_per_token.max(1))
    }
}

/// What can be asked for besides plain answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Texts as vectors.
    pub embeddings: bool,
    /// Filling a gap between two texts.
    pub infill: bool,
    /// Answers held to a grammar or a JSON schema.
    pub grammar: bool,
    /// How likely each token was.
    pub logprobs: bool,
    /// Shortening a conversation that does not fit.
    pub compaction: bool,
}

/// What bounded the context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// What the model was trained for.
    #[default]
    Trained,
    /// What the settings ask.
    Asked,
    /// The memory that is free.
    Memory,
    /// More than this is not taken unless asked.
    Usual,
}

/// How a context was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Tokens the model was trained for; 0 where its file does not say.
    pub trained_tokens: u32,
    /// Tokens all slots share.
    pub shared_tokens: u32,
    /// Memory one token takes, bytes.
    pub token_bytes: u64,
    /// Memory that was free for it, bytes; absent where the system does not tell.
    pub free_bytes: Option<u64>,
    /// What decided.
    pub bound: Bound,
}
