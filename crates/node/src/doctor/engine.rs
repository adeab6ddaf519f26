//! The model: a readable GGUF file, or a server that answers; and what other model servers are there.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_inference::discover::discover;
use edgecoder_inference::ollama::{Ollama, same_model};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::cli::Context;
use crate::config::{EngineKind, InferenceConfig};
use crate::roles;

/// Longest wait for a model server.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a model to load: a large one from a slow disk.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks at a loading engine.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// First bytes of every GGUF file.
const MAGIC: &[u8; 4] = b"GGUF";

pub(super) async fn model(context: &Context) -> Finding {
    let inference = &context.loaded.config.inference;
    match inference.engine {
        EngineKind::Local | EngineKind::Auto => file(context).await,
        EngineKind::Openai => server(inference).await,
        EngineKind::Ollama => ollama(inference).await,
    }
}

/// Model servers that could be used, without a grade: having none is no fault.
pub(super) async fn providers(context: &Context) -> Finding {
    let inference = &context.loaded.config.inference;
    let found = discover(roles::inference::places(inference)).await;
    let shown = found.iter().map(|found| {
        let kind = found.kind.map_or("unknown", |kind| kind.as_str());
        match &found.trouble {
            Some(trouble) => format!("{kind} at {}: {trouble}", found.url),
            None => format!("{kind} at {} with {} models", found.url, found.models.len()),
        }
    });
    let shown = shown.collect::<Vec<_>>().join("; ");
    if shown.is_empty() {
        return Finding::good("providers", "no other model server on this machine; none is needed");
    }
    Finding::good("providers", shown)
}

/// A node that runs has loaded its model already; a second copy could be one too many for the memory.
async fn file(context: &Context) -> Finding {
    let in_use = context.data.is_locked();
    let fix = "set inference.model_path to a GGUF file, or inference.engine to \"openai\"";
    let path = match context.model_file() {
        Ok(path) => path,
        Err(error) => return Finding::bad("model", error.to_string(), fix),
    };
    let size = match readable(&path) {
        Ok(megabytes) if in_use => Ok(format!("{megabytes} MiB; loaded by the running node")),
        Ok(megabytes) => loads(context).await.map(|can| format!("{megabytes} MiB; {can}")),
        Err(why) => Err(why),
    };
    match size {
        Ok(size) => Finding::good("model", format!("{} ({size})", path.display())),
        Err(why) => Finding::bad("model", format!("{}: {why}", path.display()), fix),
    }
}

fn readable(path: &Path) -> Result<u64, String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic).map_err(|error| error.to_string())?;
    if magic != *MAGIC {
        return Err("is no GGUF file".to_owned());
    }
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    Ok(length / (1024 * 1024))
}

/// Starts an engine as a node would, and ends it when it is ready; tells what computes and how fast.
async fn loads(context: &Context) -> Result<String, String> {
    // Only whether it loads: nothing is installed or chosen for that.
    let inference = InferenceConfig {
        engine: EngineKind::Local,
        auto_install: false,
        larger: None,
        ..context.loaded.config.inference.clone()
    };
    let catalog = context.loaded.config.models.to_catalog(&context.data);
    let role = roles::inference::build(&inference, catalog).map_err(|error| error.to_string())?;
    let engine = Arc::clone(role.skills.engine());
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(role.into_run()(stop.clone()));
    let ready = async {
        loop {
            match engine.capabilities().await {
                Err(error) if error.is_retryable() => tokio::time::sleep(LOOK_AGAIN).await,
                done => break done,
            }
        }
    };
    let ready = tokio::time::timeout(LOAD_TIMEOUT, ready).await;
    stop.cancel();
    while running.join_next().await.is_some() {}
    match ready {
        Ok(Ok(capabilities)) => Ok(capabilities.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("does not load within {} s", LOAD_TIMEOUT.as_secs())),
    }
}

async fn ollama(inference: &InferenceConfig) -> Finding {
    let (url, model) = (inference.ollama_url(), inference.ollama_model());
    let listed = match Ollama::new(url, TIMEOUT) {
        Ok(ollama) => ollama.models().await,
        Err(error) => Err(error),
    };
    match listed {
        Err(error) => {
            let fix = "start it with `ollama serve`, or correct inference.base_url (OLLAMA_HOST)";
            Finding::bad("model", format!("{url}: {error}"), fix)
        }
        Ok(models) if models.iter().any(|there| same_model(&there.name, model)) => {
            Finding::good("model", format!("{model} at {url}"))
        }
        Ok(models) => {
            let offered =
                models.iter().take(8).map(|there| there.name.as_str()).collect::<Vec<_>>().join(", ");
            let found = format!("{url} does not have {model:?}; it has: {offered}");
            Finding::bad("model", found, format!("run `ollama pull {model}`, or set inference.model"))
        }
    }
}

async fn server(inference: &InferenceConfig) -> Finding {
    let base = inference.base_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let root = base.strip_suffix("/v1").unwrap_or(base);
    let model = inference.model.as_deref().unwrap_or_default();
    let fix = format!("start the server at {root}, or correct inference.base_url and inference.api_key");
    let names = match names(root, inference).await {
        Ok(names) => names,
        Err(why) => return Finding::bad("model", format!("{root}: {why}"), fix),
    };
    if names.iter().any(|name| name == model) {
        return Finding::good("model", format!("{model} at {root}"));
    }
    let offered = names.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let found = format!("{root} does not offer {model:?}; it offers: {offered}");
    Finding::bad("model", found, "set inference.model to one of these, or pull the model")
}

async fn names(root: &str, inference: &InferenceConfig) -> Result<Vec<String>, String> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(|e| e.to_string())?;
    let mut request = client.get(format!("{root}/v1/models"));
    if let Some(key) = &inference.api_key {
        request = request.bearer_auth(key.expose());
    }
    let answer = request.send().await.map_err(|_| "does not answer".to_owned())?;
    if !answer.status().is_success() {
        return Err(format!("answers HTTP {}", answer.status().as_u16()));
    }
    let list: serde_json::Value = answer.json().await.map_err(|_| "answers something else".to_owned())?;
    let models = list.get("data").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    Ok(models.iter().filter_map(|model| model.get("id")?.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gguf_file_is_a_model() {
        let home = tempfile::tempdir().unwrap();
        let check = |content: &[u8]| {
            let path = home.path().join("m.gguf");
            std::fs::write(&path, content).unwrap();
            readable(&path)
        };
        assert_eq!(check(b"GGUF\x03rest"), Ok(0));
        assert_eq!(check(b"<html>"), Err("is no GGUF file".to_owned()));
        assert!(check(b"").is_err() && readable(Path::new("/nonexistent")).is_err());
    }
}
