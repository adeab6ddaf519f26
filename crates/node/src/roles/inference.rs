//! The inference role: the engine that has the place, the owner of the models, and what is known of both.

mod maker;
mod ollama;

use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::Secret;
use edgecoder_http::EngineWatch;
use edgecoder_inference::catalog::{Catalog, CatalogConfig};
use edgecoder_inference::discover::{Place, ServerKind, USUAL_PLACES};
use edgecoder_inference::download::disk::LocalDisk;
use edgecoder_inference::switch::Run;
use edgecoder_inference::{EngineState, Switch, SwitchConfig, Switchboard};
use edgecoder_protocol::api::status::EngineHealth;
use edgecoder_worker::models::{
    CatalogShelf, EngineMaker, EngineSpec, ModelShelf, Models, ModelsConfig, ModelsDeps, ModelsHandle,
    OllamaShelf,
};
use edgecoder_worker::{Inference, Larger, Routed};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::now;
use crate::config::{EngineKind, InferenceConfig, LargerConfig};
use crate::error::Error;
use crate::model_file;
use maker::Maker;

/// The role's handles, and what must run for them to work.
pub(crate) struct EngineRole {
    /// The engine with the role's skills.
    pub(crate) skills: Inference,
    /// The models.
    pub(crate) models: ModelsHandle,
    /// The engine's state from memory.
    pub(crate) watch: EngineWatch,
    switchboard: Switchboard,
    owner: Models,
    larger: Option<Run>,
    install: Option<ollama::Setup>,
}

/// Builds what the settings name; contacts and loads nothing yet. `catalog` says where files of models lie.
pub(crate) fn build(config: &InferenceConfig, catalog: CatalogConfig) -> Result<EngineRole, Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::Role(error.to_string());
    // An operator's list of models means those files and nothing that another program may have.
    let listed_only = !catalog.operator.keys.is_empty();
    let catalog = Catalog::build(catalog, Arc::new(LocalDisk), now);
    let catalog = catalog.map_err(|error| wrong(&error))?;
    let maker = Maker::of(config)?;
    let shipped = shipped(config)?;
    let first = first(config, &catalog, &shipped);
    let driven = maker.make(&first).map_err(|error| wrong(&error))?;
    let (switch, switchboard) = Switch::build(driven, SwitchConfig::default());
    let (larger, run) = larger(config, &maker)?;
    let ollama = OllamaShelf::new(config.ollama_url()).map_err(|error| wrong(&error))?;
    let mut shelves: Vec<Arc<dyn ModelShelf>> = vec![Arc::new(CatalogShelf::new(Arc::new(catalog), shipped))];
    if !listed_only {
        shelves.push(Arc::new(ollama));
    }
    let deps = ModelsDeps { switch: switch.clone(), maker: Arc::new(maker), shelves, clock: now };
    let owner = Models::build(
        ModelsConfig {
            first,
            choose: config.engine == EngineKind::Auto,
            order: config.order.iter().map(|kind| kind.as_str().to_owned()).collect(),
            wanted: config.model.clone(),
            places: if listed_only { Vec::new() } else { places(config) },
        },
        deps,
    );
    let seen = switch.clone();
    Ok(EngineRole {
        skills: Inference::with_larger(Routed::new(Arc::new(switch), larger)),
        models: owner.handle(),
        watch: Arc::new(move || health(&seen.state())),
        install: ollama::Setup::wanted(config, owner.handle()),
        switchboard,
        owner,
        larger: run,
    })
}

/// Who may enter the door.
pub(crate) fn door(config: &InferenceConfig, token: Secret<String>) -> edgecoder_http::inference::Config {
    edgecoder_http::inference::Config {
        trusted: config.trusted_keys(),
        require_signatures: config.require_signed_requests,
        max_skew: Duration::from_millis(config.max_signature_skew_ms),
        nonce_ttl: Duration::from_millis(config.nonce_ttl_ms),
        token,
    }
}

/// The local engine's file when the catalogue has no say.
fn shipped(config: &InferenceConfig) -> Result<EngineSpec, Error> {
    let program = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let working = std::env::current_dir().unwrap_or_default();
    let path = model_file::locate(config.model_path.as_deref(), &program, &working);
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(EngineSpec::local(name, path))
}

/// What has the place at the start.
fn first(config: &InferenceConfig, catalog: &Catalog, shipped: &EngineSpec) -> EngineSpec {
    match config.engine {
        EngineKind::Ollama => {
            EngineSpec::server(ServerKind::Ollama, config.ollama_url(), config.ollama_model())
        }
        EngineKind::Openai => {
            let (url, model) = (config.base_url.clone(), config.model.clone());
            EngineSpec::server(ServerKind::Openai, url.unwrap_or_default(), model.unwrap_or_default())
        }
        EngineKind::Local | EngineKind::Auto => {
            let chosen = catalog.store().chosen().unwrap_or_else(|error| {
                tracing::warn!(%error, "the catalogue cannot be read; the shipped model is used");
                None
            });
            // A file named in the settings counts more than a choice made once.
            let chosen = chosen.filter(|_| config.model_path.is_none());
            chosen.map_or_else(
                || shipped.clone(),
                |model| EngineSpec::local(model.name.as_str(), catalog.store().path_of(&model.sha256)),
            )
        }
    }
}

/// Where model servers are looked for: this machine's usual ports, and what the settings name.
pub(crate) fn places(config: &InferenceConfig) -> Vec<Place> {
    let usual = USUAL_PLACES.iter().map(|url| Place::usual(url));
    let named = |url: &str, api_key| Place { url: url.to_owned(), api_key, configured: true };
    let base = config.base_url.iter().map(|url| named(url, config.api_key.clone()));
    usual.chain(base).chain(config.servers.iter().map(|url| named(url, None))).collect()
}

fn larger(config: &InferenceConfig, maker: &Maker) -> Result<(Option<Larger>, Option<Run>), Error> {
    let Some(larger) = &config.larger else { return Ok((None, None)) };
    let LargerConfig { engine, model, base_url, model_path } = larger;
    let url = base_url.as_deref().or(config.base_url.as_deref());
    let spec = match engine {
        EngineKind::Local | EngineKind::Auto => {
            EngineSpec::local(model, model_path.clone().unwrap_or_default())
        }
        EngineKind::Ollama => {
            EngineSpec::server(ServerKind::Ollama, url.unwrap_or_else(|| config.ollama_url()), model)
        }
        EngineKind::Openai => EngineSpec::server(ServerKind::Openai, url.unwrap_or_default(), model),
    };
    let wanted = Arc::new(Notify::new());
    let driven = maker.make(&spec).map_err(|error| Error::Role(error.to_string()))?;
    let driven = driven.once(Arc::clone(&wanted));
    let engine = driven.engine();
    Ok((Some(Larger { model: model.clone(), engine, wanted }), Some(driven.into_run())))
}

impl EngineRole {
    /// What must run until the token is cancelled, apart from the handles.
    pub(crate) fn into_run(self) -> impl FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), String>> {
        let Self { switchboard, owner, larger, install, .. } = self;
        move |shutdown| {
            async move {
                let engines = switchboard.run(shutdown.clone());
                let larger = async {
                    match larger {
                        Some(run) => run(shutdown.clone()).await,
                        None => Ok(()),
                    }
                };
                let setup = async {
                    if let Some(install) = install {
                        shutdown.run_until_cancelled(install.run()).await;
                    }
                };
                let (engines, larger, (), ()) =
                    tokio::join!(engines, larger, owner.run(shutdown.clone()), setup);
                engines.map_err(|error| error.to_string()).and(larger)
            }
            .boxed()
        }
    }
}

fn health(state: &EngineState) -> EngineHealth {
    let (state, detail) = match state {
        EngineState::Ready(capabilities) => {
            return EngineHealth {
                state: "ready".to_owned(),
                model: Some(capabilities.model.clone()),
                context_tokens: Some(capabilities.context_tokens),
                detail: None,
            };
        }
        EngineState::Starting => ("starting", None),
        EngineState::Restarting { reason, .. } => ("restarting", Some(reason.clone())),
        EngineState::Failed(error) => ("failed", Some(error.to_string())),
        EngineState::Stopped => ("absent", None),
    };
    EngineHealth { state: state.to_owned(), detail, ..EngineHealth::default() }
}
