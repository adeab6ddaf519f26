//! A door with a scripted engine behind it, asked in process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use edgecoder_base::Timestamp;
use edgecoder_http::Metrics;
use edgecoder_http::ide::{Config, Deps, Elsewhere, Nowhere, State, router};
use edgecoder_inference::{Driven, Engine, Error, ScriptedEngine, Switch, SwitchConfig, Switchboard};
use edgecoder_protocol::api::status::EngineHealth;
use edgecoder_worker::Inference;
use edgecoder_worker::models::{EngineMaker, EngineSpec, Models, ModelsConfig, ModelsDeps};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// No model is swapped in these tests.
#[derive(Debug)]
struct NoMaker;

impl EngineMaker for NoMaker {
    fn make(&self, _: &EngineSpec) -> Result<Driven, Error> {
        Err(Error::EngineStopped)
    }
}

/// The door, and what must live as long as it.
pub(crate) struct Rig {
    pub(crate) router: Router,
    pub(crate) switch: Switch,
    _owners: (Switchboard, Models),
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn entropy() -> u128 {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    u128::from(DRAWN.fetch_add(1, Ordering::Relaxed)) << 64
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The `data:` of every event but `[DONE]`.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        assert_eq!(self.headers["content-type"], "text/event-stream", "{}", self.text);
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Rig {
    pub(crate) fn new(engine: impl Engine + 'static) -> Self {
        Self::with(engine, &Config::default(), Arc::new(Nowhere))
    }

    pub(crate) fn with(
        engine: impl Engine + 'static,
        config: &Config,
        elsewhere: Arc<dyn Elsewhere>,
    ) -> Self {
        Self::with_all(engine, config, elsewhere, None, None)
    }

    pub(crate) fn with_tasks(
        engine: impl Engine + 'static,
        config: &Config,
        tasks: Arc<dyn edgecoder_http::mcp::Tasks>,
    ) -> Self {
        Self::with_all(engine, config, Arc::new(Nowhere), Some(tasks), None)
    }

    pub(crate) fn with_companion(
        engine: impl Engine + 'static,
        config: &Config,
        companion: edgecoder_companion::Companion,
    ) -> Self {
        Self::with_all(engine, config, Arc::new(Nowhere), None, Some(companion))
    }

    fn with_all(
        engine: impl Engine + 'static,
        config: &Config,
        elsewhere: Arc<dyn Elsewhere>,
        tasks: Option<Arc<dyn edgecoder_http::mcp::Tasks>>,
        companion: Option<edgecoder_companion::Companion>,
    ) -> Self {
        let (switch, switchboard) = Switch::build(Driven::server(Arc::new(engine)), SwitchConfig::default());
        let models = ModelsConfig {
            first: EngineSpec::local("scripted", "/m.gguf"),
            choose: false,
            order: Vec::new(),
            wanted: None,
            places: Vec::new(),
        };
        let deps =
            ModelsDeps { switch: switch.clone(), maker: Arc::new(NoMaker), shelves: Vec::new(), clock: now };
        let models = Models::build(models, deps);
        let ready = || EngineHealth { state: "ready".into(), ..Default::default() };
        let deps = Deps {
            inference: Inference::new(Arc::new(switch.clone())),
            models: models.handle(),
            elsewhere,
            tasks,
            metrics: Metrics::new(),
            engine: Arc::new(ready),
            clock: now,
            entropy,
        };
        let state = State::new(&Config { node: "here".to_owned(), ..config.clone() }, deps);
        let state = match companion {
            Some(companion) => state.with_companion(companion),
            None => state,
        };
        let router = router(state);
        Self { router, switch, _owners: (switchboard, models) }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request("POST", path, &body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, &Value::Null)).await
    }
}

pub(crate) fn request(method: &str, path: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:4304");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.header("content-type", "application/json").body(body).unwrap()
}

/// A body for a chat, with more fields.
pub(crate) fn chat(more: Value) -> Value {
    let mut body = json!({"model": "edgecoder-auto", "messages": [{"role": "user", "content": "hello"}]});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

pub(crate) fn reads() -> Value {
    let parameters =
        json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    json!([{"type": "function", "function": {"name": "read_file", "description": "reads", "parameters": parameters}}])
}

pub(crate) fn says(text: &str) -> ScriptedEngine {
    ScriptedEngine::new().reply(text)
}

pub(crate) const CALL: &str =
    "Let me look.\n<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"a.py\"}}\n</tool_call>";
