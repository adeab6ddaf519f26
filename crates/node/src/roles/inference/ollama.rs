//! Getting an Ollama ready when the settings allow it: install it where it is missing, fetch the model it lacks.
//! Everything that is done is said in the log first; without `inference.auto_install` nothing here runs.

use std::time::Duration;

use edgecoder_inference::ollama::{Installer, Ollama, install};
use edgecoder_worker::models::ModelsHandle;

use super::maker::is_here;
use crate::config::{EngineKind, InferenceConfig};

/// Longest silence of a server that is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(3);
/// Looks after an installation, and the pause between them: its service needs some seconds to start.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// What is to be made ready.
pub(super) struct Setup {
    url: String,
    model: String,
    models: ModelsHandle,
}

impl Setup {
    /// What the settings allow to be done; nothing unless they say so.
    pub(super) fn wanted(config: &InferenceConfig, models: ModelsHandle) -> Option<Self> {
        let wanted = config.auto_install && config.engine == EngineKind::Ollama;
        let (url, model) = (config.ollama_url().to_owned(), config.ollama_model().to_owned());
        wanted.then_some(Self { url, model, models })
    }

    /// Does it; what fails is said, and the node goes on without.
    pub(super) async fn run(self) {
        if let Err(reason) = self.ready().await {
            tracing::error!(reason, "Ollama is not ready");
        }
    }

    async fn ready(&self) -> Result<(), String> {
        let ollama = Ollama::new(&self.url, SILENCE).map_err(|error| error.to_string())?;
        if ollama.version().await.is_err() {
            self.install().await?;
            self.started(&ollama).await?;
        }
        let there = ollama.models().await.map_err(|error| error.to_string())?;
        if there.iter().any(|model| edgecoder_inference::ollama::same_model(&model.name, &self.model)) {
            return Ok(());
        }
        tracing::warn!(model = self.model, "fetching the model, as the settings ask");
        self.models.pull(&self.model, Some("ollama")).await.map_err(|refusal| refusal.to_string())
    }

    async fn install(&self) -> Result<(), String> {
        if !is_here(&self.url) {
            return Err(format!("{} does not answer, and is another machine's to install", self.url));
        }
        let installer = Installer::of_vendor(std::env::consts::OS)
            .ok_or_else(|| format!("there is no installer for {}", std::env::consts::OS))?;
        install(&installer).await.map_err(|error| error.to_string())
    }

    async fn started(&self, ollama: &Ollama) -> Result<(), String> {
        for _ in 0..LOOKS {
            if ollama.version().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(format!("it is installed but does not answer at {}: run `ollama serve`", self.url))
    }
}
