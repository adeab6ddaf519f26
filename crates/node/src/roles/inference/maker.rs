//! Builds the engine of a spec: a child of this program, or the client of a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgecoder_inference::discover::ServerKind;
use edgecoder_inference::{
    Driven, Engine, Error, IsolateConfig, IsolatedEngine, OllamaConfig, OllamaEngine, OpenAiConfig,
    OpenAiEngine,
};
use edgecoder_worker::models::{EngineMaker, EngineSpec, Provider};

use crate::config::InferenceConfig;

/// Part of this machine's memory that the window of a model server here may take.
const WINDOW_PART: u64 = 4;

/// What engines are built with.
#[derive(Debug, Clone)]
pub(super) struct Maker {
    program: PathBuf,
    config: InferenceConfig,
    memory_bytes: Option<u64>,
}

impl Maker {
    pub(super) fn of(config: &InferenceConfig) -> Result<Self, crate::error::Error> {
        let program =
            std::env::current_exe().map_err(crate::error::Error::io("find", "the running program"))?;
        Ok(Self { program, config: config.clone(), memory_bytes: memory_bytes() })
    }

    fn local(&self, path: &Path) -> Driven {
        let args = self.config.engine_args(path);
        let (engine, supervisor) = IsolatedEngine::build(IsolateConfig::new(&self.program, args));
        Driven::child(engine, supervisor)
    }

    fn server(&self, kind: ServerKind, url: &str, model: &str) -> Result<Driven, Error> {
        let engine: Arc<dyn Engine> = match kind {
            ServerKind::Ollama => {
                let mut config = OllamaConfig::new(url, model);
                config.context_tokens = self.config.context_tokens;
                // Another machine's memory is not known; there only the model and the usual size bound the window.
                config.window_bytes =
                    self.memory_bytes.filter(|_| is_here(url)).map(|bytes| bytes / WINDOW_PART);
                Arc::new(OllamaEngine::new(config)?)
            }
            ServerKind::LmStudio | ServerKind::LlamaServer | ServerKind::Vllm | ServerKind::Openai => {
                let mut config = OpenAiConfig::new(url, model);
                config.context_tokens = self.config.context_tokens;
                // The key is for the server of the settings, never for one that was found.
                let ours = self.config.base_url.as_deref().is_some_and(|base| root(base) == root(url));
                config.api_key = self.config.api_key.clone().filter(|_| ours);
                Arc::new(OpenAiEngine::new(config)?)
            }
        };
        Ok(Driven::server(engine))
    }
}

impl EngineMaker for Maker {
    fn make(&self, spec: &EngineSpec) -> Result<Driven, Error> {
        match &spec.provider {
            Provider::Local { path } => Ok(self.local(path)),
            Provider::Server { kind, url } => self.server(*kind, url, &spec.model),
        }
    }
}

fn root(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url)
}

/// Whether a server runs on this machine.
pub(super) fn is_here(url: &str) -> bool {
    let url = reqwest::Url::parse(url);
    url.is_ok_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
}

/// This machine's memory, where the system tells it in a file.
fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().split(' ').next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_here() {
        for (url, here) in [
            ("http://127.0.0.1:11434", true),
            ("http://localhost:1234/v1", true),
            ("http://[::1]:8080", true),
            ("http://10.0.0.7:11434", false),
            ("https://models.example", false),
            ("no address", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }
}
