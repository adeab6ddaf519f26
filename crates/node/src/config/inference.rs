//! `[inference]`: what runs the models, which model, and who may ask.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use edgecoder_base::{PublicKey, Secret};
use edgecoder_inference::ollama::DEFAULT_URL;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sections::{LOOPBACK, hidden};

/// The model that an Ollama is asked for when nobody named one, as in earlier versions.
const OLLAMA_MODEL: &str = "qwen3.5:9b";

/// What runs the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EngineKind {
    /// llama.cpp in a child process of this node.
    #[default]
    Local,
    /// An Ollama, by its own interface.
    Ollama,
    /// A server that speaks OpenAI's chat form: llama-server, LM Studio, vLLM, …
    Openai,
    /// The local engine at first; at the start the first provider of `order` that is found takes its place.
    Auto,
}

/// Who can run models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderKind {
    /// The engine of this node.
    Local,
    /// Ollama.
    Ollama,
    /// LM Studio.
    LmStudio,
    /// llama.cpp's own server.
    LlamaServer,
    /// vLLM.
    Vllm,
    /// Any other server that speaks OpenAI's form.
    Openai,
}

impl ProviderKind {
    /// The name in settings and answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Ollama => "ollama",
            Self::LmStudio => "lm_studio",
            Self::LlamaServer => "llama_server",
            Self::Vllm => "vllm",
            Self::Openai => "openai",
        }
    }
}

/// A larger model, which failed subtasks are handed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LargerConfig {
    /// What runs it: `local`, `ollama` or `openai`.
    pub(crate) engine: EngineKind,
    /// Its name, as tasks and the server know it.
    pub(crate) model: String,
    /// Address of its server. Default: `inference.base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// GGUF file for engine `local`. It is loaded when it is first needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model_path: Option<PathBuf>,
}

/// `[inference]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InferenceConfig {
    /// Address the door listens on.
    pub(crate) bind: IpAddr,
    /// Port of the door; 0 takes a free one.
    pub(crate) port: u16,
    /// Opens the door. Made at the first start and kept in the data directory when not set.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) token: Option<Secret<String>>,
    /// What runs the models: `local`, `ollama`, `openai` or `auto`.
    pub(crate) engine: EngineKind,
    /// GGUF file of the local engine. Default: the model shipped with the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model_path: Option<PathBuf>,
    /// Name of the model, as the server of engine `ollama` or `openai` knows it; preferred by engine `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Address of the server of engine `ollama` or `openai`. Default for `ollama`: port 11434 of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// Sent to that server of engine `openai` as bearer token.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) api_key: Option<Secret<String>>,
    /// Window of the model in tokens. Default: as trained and as the memory allows, or as the server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context_tokens: Option<u32>,
    /// Threads of the local engine. Default: one per processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<u32>,
    /// Requests the local engine decodes together. Default: four.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slots: Option<u32>,
    /// Layers of the local engine's model on a graphics card. Default: all, where the build and the machine have
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gpu_layers: Option<u32>,
    /// Smaller GGUF file of the same vocabulary that guesses ahead for the local engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) draft_model_path: Option<PathBuf>,
    /// Providers that engine `auto` chooses from, the preferred first.
    pub(crate) order: Vec<ProviderKind>,
    /// Addresses looked at for model servers, besides the usual ports of this machine.
    pub(crate) servers: Vec<String>,
    /// Whether engine `ollama` may install Ollama with its vendor's installer, and fetch a missing model.
    pub(crate) auto_install: bool,
    /// Larger model that failed subtasks are handed to, on the same server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) escalation_model: Option<String>,
    /// Larger model that failed subtasks are handed to, with an engine of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) larger: Option<LargerConfig>,
    /// Whether coordinators must sign `/decompose` and `/escalate`; they must anyway once a key is trusted.
    pub(crate) require_signed_requests: bool,
    /// Name of the coordinator whose key is `coordinator_public_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) coordinator_peer_id: Option<String>,
    /// Ed25519 key (SPKI PEM) of the coordinator that is trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) coordinator_public_key: Option<String>,
    /// Keys (SPKI PEM) of further trusted coordinators, by name.
    pub(crate) trusted_coordinators: BTreeMap<String, String>,
    /// How far a coordinator's clock may be from ours, milliseconds.
    pub(crate) max_signature_skew_ms: u64,
    /// How long a nonce of a signed request is remembered, milliseconds; at least twice the skew.
    pub(crate) nonce_ttl_ms: u64,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        use ProviderKind::{LlamaServer, LmStudio, Local, Ollama, Openai, Vllm};
        Self {
            bind: LOOPBACK,
            port: 4302,
            token: None,
            engine: EngineKind::default(),
            model_path: None,
            model: None,
            base_url: None,
            api_key: None,
            context_tokens: None,
            threads: None,
            slots: None,
            gpu_layers: None,
            draft_model_path: None,
            order: vec![Ollama, LmStudio, Vllm, LlamaServer, Openai, Local],
            servers: Vec::new(),
            auto_install: false,
            escalation_model: None,
            larger: None,
            require_signed_requests: false,
            coordinator_peer_id: None,
            coordinator_public_key: None,
            trusted_coordinators: BTreeMap::new(),
            max_signature_skew_ms: 120_000,
            nonce_ttl_ms: 300_000,
        }
    }
}

impl InferenceConfig {
    /// How this program is told to be the engine of `model`.
    pub(crate) fn engine_args(&self, model: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["__engine".into(), "--model".into(), model.into()];
        let numbers = [
            ("--context", self.context_tokens),
            ("--threads", self.threads),
            ("--slots", self.slots),
            ("--gpu-layers", self.gpu_layers),
        ];
        for (flag, value) in numbers {
            args.extend(value.into_iter().flat_map(|value| [flag.into(), value.to_string().into()]));
        }
        if let Some(draft) = &self.draft_model_path {
            args.extend(["--draft".into(), draft.into()]);
        }
        args
    }

    /// Where the Ollama is: the configured server, unless that is one of another kind.
    pub(crate) fn ollama_url(&self) -> &str {
        let other = self.engine == EngineKind::Openai;
        self.base_url.as_deref().filter(|_| !other).unwrap_or(DEFAULT_URL)
    }

    /// The model an Ollama is asked for.
    pub(crate) fn ollama_model(&self) -> &str {
        self.model.as_deref().unwrap_or(OLLAMA_MODEL)
    }

    /// The model that failed subtasks are handed to.
    pub(crate) fn escalates_to(&self) -> Option<&str> {
        let larger = self.larger.as_ref().map(|larger| larger.model.as_str());
        larger.or(self.escalation_model.as_deref())
    }

    /// Keys of trusted coordinators by name, each as it stands in the settings.
    pub(crate) fn trusted(&self) -> impl Iterator<Item = (&str, &str)> {
        let one = self.coordinator_peer_id.as_deref().zip(self.coordinator_public_key.as_deref());
        let more = self.trusted_coordinators.iter().map(|(name, key)| (name.as_str(), key.as_str()));
        one.into_iter().chain(more)
    }

    /// The same, read; the settings were checked before.
    pub(crate) fn trusted_keys(&self) -> BTreeMap<String, PublicKey> {
        let read = |(name, key): (&str, &str)| Some((name.to_owned(), PublicKey::from_pem(key).ok()?));
        self.trusted().filter_map(read).collect()
    }
}
