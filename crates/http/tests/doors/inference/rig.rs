//! A door with scripted models behind it.

use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use edgecoder_base::Secret;
use edgecoder_http::{Metrics, inference};
use edgecoder_inference::{
    Capabilities, CompletionRequest, CountRequest, Driven, Engine, Error, EventStream, ScriptedEngine,
    Switch, SwitchConfig, Switchboard,
};
use edgecoder_protocol::api::status::EngineHealth;
use edgecoder_worker::Inference;
use edgecoder_worker::models::{
    EngineMaker, EngineSpec, ModelShelf, Models, ModelsConfig, ModelsDeps, ModelsHandle, ShelfModel,
    ShelfPull, ShelfPullStep,
};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, ask_router, now};

pub(super) const TOKEN: &str = "the inference token of the test";

/// Engines that say their model's name; `broken` does not get ready.
#[derive(Debug)]
struct ScriptedMaker;

impl EngineMaker for ScriptedMaker {
    fn make(&self, spec: &EngineSpec) -> Result<Driven, Error> {
        let name = spec.model.clone();
        Ok(Driven::server(match name.as_str() {
            "broken" => Arc::new(Broken),
            _ => Arc::new(ScriptedEngine::new().named(&name).otherwise(move |_| Ok(format!("I am {name}")))),
        }))
    }
}

#[derive(Debug)]
struct Broken;

impl Engine for Broken {
    fn capabilities(&self) -> BoxFuture<'_, Result<Capabilities, Error>> {
        futures::future::err(Error::ModelUnreadable { path: "m".into(), reason: "it is cut".into() }).boxed()
    }

    fn complete(
        &self,
        _: CompletionRequest,
        _: CancellationToken,
    ) -> BoxFuture<'_, Result<EventStream, Error>> {
        futures::future::err(Error::EngineStopped).boxed()
    }

    fn count_tokens(&self, _: CountRequest) -> BoxFuture<'_, Result<u32, Error>> {
        futures::future::err(Error::EngineStopped).boxed()
    }
}

/// Has `kept` and `broken`; knows how to fetch `far` and `torn`.
#[derive(Debug)]
struct ScriptedShelf;

impl ModelShelf for ScriptedShelf {
    fn provider(&self) -> &str {
        "local"
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ShelfModel>, Error>> {
        let there = |name: &str| ShelfModel {
            removable: true,
            parameters: Some("1.0B".to_owned()),
            ..ShelfModel::of(self.spec(name))
        };
        let far = |name: &str| ShelfModel { installed: false, ..ShelfModel::of(self.spec(name)) };
        futures::future::ok(vec![there("kept"), there("broken"), far("far"), far("torn")]).boxed()
    }

    fn fetches_any(&self) -> bool {
        true
    }

    fn spec(&self, model: &str) -> EngineSpec {
        EngineSpec::local(model, "/m.gguf")
    }

    fn pull(&self, model: String) -> BoxFuture<'_, Result<ShelfPull, Error>> {
        let step =
            |completed, done| Ok(ShelfPullStep { status: "pulling".into(), completed, total: 100, done });
        let end = match model.as_str() {
            "torn" => Err(Error::Unreachable { reason: "no route".into() }),
            _ => step(100, true),
        };
        futures::future::ok(futures::stream::iter([step(40, false), end]).boxed()).boxed()
    }

    fn remove(&self, _: String) -> BoxFuture<'_, Result<(), Error>> {
        futures::future::ok(()).boxed()
    }
}

/// A door whose owners run.
pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) models: ModelsHandle,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

struct Parts {
    router: Router,
    models: Models,
    switchboard: Switchboard,
}

fn parts(engine: ScriptedEngine, config: inference::Config) -> Parts {
    let (switch, switchboard) = Switch::build(Driven::server(Arc::new(engine)), SwitchConfig::default());
    let config_of_models = ModelsConfig {
        first: EngineSpec::local("scripted", "/m.gguf"),
        choose: false,
        order: vec!["local".to_owned()],
        wanted: None,
        places: Vec::new(),
    };
    let deps = ModelsDeps {
        switch: switch.clone(),
        maker: Arc::new(ScriptedMaker),
        shelves: vec![Arc::new(ScriptedShelf)],
        clock: now,
    };
    let models = Models::build(config_of_models, deps);
    let ready =
        || EngineHealth { state: "ready".into(), model: Some("scripted".into()), ..Default::default() };
    let inference = Inference::new(Arc::new(switch));
    let handle = models.handle();
    let state = inference::State::new(inference, handle, config, Metrics::new(), Arc::new(ready), now);
    Parts { router: inference::router(state), models, switchboard }
}

impl Rig {
    pub(super) fn start(engine: ScriptedEngine) -> Self {
        Self::with(engine, inference::Config::new(Secret::new(TOKEN.to_owned())))
    }

    pub(super) fn with(engine: ScriptedEngine, config: inference::Config) -> Self {
        let Parts { router, models, switchboard } = parts(engine, config);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let handle = models.handle();
        tasks.spawn(models.run(stop.clone()));
        let ending = stop.clone();
        tasks.spawn(async move { switchboard.run(ending).await.unwrap() });
        Self { router, models: handle, stop, tasks }
    }

    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let mut changes = self.models.changes();
        while changes.changed().await.is_ok() {}
    }

    pub(super) async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A door whose owners do not run: enough for whoever only looks and completes.
pub(super) fn door(engine: ScriptedEngine, token: &str) -> Router {
    parts(engine, inference::Config::new(Secret::new(token.to_owned()))).router
}

pub(super) async fn ask(
    router: &Router,
    token: Option<(&str, &str)>,
    method: &str,
    path: &str,
    body: &Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some((name, value)) = token {
        request = request.header(name, value);
    }
    ask_router(router, request.body(body.to_string().into()).unwrap()).await
}

pub(super) async fn call(router: &Router, method: &str, path: &str, body: Value) -> Answer {
    ask(router, Some(("x-inference-token", TOKEN)), method, path, &body).await
}
