//! The inference role: an engine in a child process, or a model server; and what is known of its state.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_http::EngineWatch;
use edgecoder_inference::{
    Capabilities, Engine, EngineState, IsolateConfig, IsolatedEngine, OpenAiConfig, OpenAiEngine, Supervisor,
};
use edgecoder_protocol::api::status::EngineHealth;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{EngineKind, InferenceConfig};
use crate::error::Error;
use crate::model_file;

/// How often a model server is asked whether it is there: often enough for a person who just started it.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// An engine, what is known of it, and what must run for it to work.
pub(crate) struct EngineRole {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) watch: EngineWatch,
    run: Run,
}

enum Run {
    Child(Box<Supervisor>),
    Ask(Arc<dyn Engine>, watch::Sender<EngineHealth>),
}

/// Builds what the settings name; contacts and loads nothing yet.
pub(crate) fn build(config: &InferenceConfig) -> Result<EngineRole, Error> {
    match config.engine {
        EngineKind::Local => local(config),
        EngineKind::Openai => server(config),
    }
}

fn local(config: &InferenceConfig) -> Result<EngineRole, Error> {
    let program = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let working = std::env::current_dir().unwrap_or_default();
    let model = model_file::locate(config.model_path.as_deref(), &program, &working);
    let mut args: Vec<OsString> = vec!["__engine".into(), "--model".into(), model.into()];
    for (flag, value) in [("--context", config.context_tokens), ("--threads", config.threads)] {
        if let Some(value) = value {
            args.extend([flag.into(), value.to_string().into()]);
        }
    }
    let (engine, supervisor) = IsolatedEngine::build(IsolateConfig::new(program, args));
    let seen = engine.clone();
    let watch: EngineWatch = Arc::new(move || health(&seen.state()));
    Ok(EngineRole { engine: Arc::new(engine), watch, run: Run::Child(Box::new(supervisor)) })
}

fn server(config: &InferenceConfig) -> Result<EngineRole, Error> {
    let base = config.base_url.clone().unwrap_or_default();
    let mut settings = OpenAiConfig::new(base, config.model.clone().unwrap_or_default());
    settings.api_key.clone_from(&config.api_key);
    settings.context_tokens = config.context_tokens;
    let engine: Arc<dyn Engine> =
        Arc::new(OpenAiEngine::new(settings).map_err(|error| Error::Role(error.to_string()))?);
    let starting = EngineHealth { state: "starting".to_owned(), ..EngineHealth::default() };
    let (tell, seen) = watch::channel(starting);
    let watch: EngineWatch = Arc::new(move || seen.borrow().clone());
    Ok(EngineRole { engine: Arc::clone(&engine), watch, run: Run::Ask(engine, tell) })
}

impl EngineRole {
    /// What must run until `shutdown`, apart from the engine's handle.
    pub(crate) fn into_run(
        self,
    ) -> impl FnOnce(CancellationToken) -> futures::future::BoxFuture<'static, Result<(), String>> {
        move |shutdown| match self.run {
            Run::Child(supervisor) => {
                Box::pin(async move { supervisor.run(shutdown).await.map_err(|error| error.to_string()) })
            }
            Run::Ask(engine, tell) => Box::pin(async move {
                shutdown.run_until_cancelled(ask(&*engine, &tell)).await;
                Ok(())
            }),
        }
    }
}

/// Keeps what is known of a model server fresh.
async fn ask(engine: &dyn Engine, tell: &watch::Sender<EngineHealth>) {
    loop {
        tell.send_replace(match engine.capabilities().await {
            Ok(capabilities) => ready(&capabilities),
            Err(error) => EngineHealth {
                state: "restarting".to_owned(),
                detail: Some(error.to_string()),
                ..EngineHealth::default()
            },
        });
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn ready(capabilities: &Capabilities) -> EngineHealth {
    EngineHealth {
        state: "ready".to_owned(),
        model: Some(capabilities.model.clone()),
        context_tokens: Some(capabilities.context_tokens),
        detail: None,
    }
}

fn health(state: &EngineState) -> EngineHealth {
    let (state, detail) = match state {
        EngineState::Ready(capabilities) => return ready(capabilities),
        EngineState::Starting => ("starting", None),
        EngineState::Restarting { reason, .. } => ("restarting", Some(reason.clone())),
        EngineState::Failed(error) => ("failed", Some(error.to_string())),
        EngineState::Stopped => ("absent", None),
    };
    EngineHealth { state: state.to_owned(), detail, ..EngineHealth::default() }
}
