//! What an engine is and can do. Asked of the engine and read back from the model, never guessed from names.

use std::fmt;

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
    /// What of the confinement of the process that reads the model is missing on this machine, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconfined: Vec<String>,
}

impl Capabilities {
    /// An engine that gives plain answers, about which nothing more is known.
    pub fn new(model: impl Into<String>, engine: impl Into<String>, context_tokens: u32, slots: u32) -> Self {
        Self { model: model.into(), engine: engine.into(), context_tokens, slots, ..Self::default() }
    }
}

impl fmt::Display for Capabilities {
    /// What computes and what can be expected of it, in one line for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Device { kind, name, gpu_layers, threads } = &self.device;
        match kind {
            DeviceKind::Unknown => write!(f, "{}", self.engine)?,
            DeviceKind::Cpu => write!(f, "{name}, {threads} thread{}", if *threads == 1 { "" } else { "s" })?,
            DeviceKind::Gpu | DeviceKind::IntegratedGpu => write!(f, "{name}, {gpu_layers} layers on it")?,
        }
        if let Some(speed) = self.speed {
            let (writes, reads) = (speed.output_tokens_per_s(), speed.prompt_tokens_per_s());
            write!(f, "; about {writes:.0} tokens/s, {reads:.0} of a prompt")?;
        }
        write!(f, "; window of {} tokens, {} slots", self.context_tokens, self.slots)?;
        if self.unconfined.is_empty() {
            Ok(())
        } else {
            write!(f, "; not confined: {}", self.unconfined.join(", "))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_expect_is_said_in_one_line() {
        let mut engine = Capabilities::new("m", "some server", 4096, 4);
        assert_eq!(engine.to_string(), "some server; window of 4096 tokens, 4 slots");
        engine.device = Device { kind: DeviceKind::Cpu, name: "Some CPU".into(), gpu_layers: 0, threads: 8 };
        assert_eq!(engine.to_string(), "Some CPU, 8 threads; window of 4096 tokens, 4 slots");
        engine.device =
            Device { kind: DeviceKind::Gpu, name: "Card (CUDA)".into(), gpu_layers: 29, threads: 8 };
        engine.speed = Some(Speed { prompt_us_per_token: 500, output_us_per_token: 20_000 });
        let told = "Card (CUDA), 29 layers on it; about 50 tokens/s, 2000 of a prompt";
        assert_eq!(engine.to_string(), format!("{told}; window of 4096 tokens, 4 slots"));
    }

    #[test]
    fn an_older_node_tells_less() {
        let told = r#"{"model":"m","model_hash":null,"engine":"e","context_tokens":512,"slots":4}"#;
        let expected = Capabilities::new("m", "e", 512, 4);
        assert_eq!(serde_json::from_str::<Capabilities>(told).unwrap(), expected);
    }
}
