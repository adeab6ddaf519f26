//! What all doors have: `/health`, `/metrics` and their own description.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use edgecoder_protocol::api::status::{EngineHealth, Health};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{Error, Metrics};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The routes of a door that only says it is alive.
#[derive(Debug, Clone)]
struct Bare {
    role: &'static str,
    metrics: Metrics,
}

/// The start of a door's description.
pub(crate) fn described(role: &str) -> OpenApi {
    let mut info = Info::new(format!("EdgeCoder {role} door"), VERSION.to_owned());
    info.description =
        Some("Errors of every route have the body `ErrorBody`; see docs/reference/errors.md.".into());
    OpenApiBuilder::new().info(info).build()
}

/// The health view of a door.
fn health(role: &str) -> Health {
    Health { ok: true, role: role.to_owned(), version: VERSION.to_owned(), waiting_for: Default::default() }
}

/// The health view of a door that needs the engine.
pub(crate) fn health_with_engine(role: &str, engine: &EngineHealth) -> Health {
    let mut health = health(role);
    if engine.state != "ready" {
        let why = engine.detail.as_ref().unwrap_or(&engine.state);
        health.waiting_for.insert("engine".to_owned(), why.clone());
    }
    health
}

/// Adds `/openapi.json` with everything that was registered before.
pub(crate) fn with_description<S: Clone + Send + Sync + 'static>(router: OpenApiRouter<S>) -> Router<S> {
    let (router, openapi) = router.split_for_parts();
    let text: std::sync::Arc<str> = openapi.to_json().unwrap_or_default().into();
    let answer = move || {
        let text = text.to_string();
        async move { ([(CONTENT_TYPE, "application/json")], text).into_response() }
    };
    router.route("/openapi.json", axum::routing::get(answer))
}

/// A door whose role does not exist yet.
pub(crate) fn bare(role: &'static str, metrics: &Metrics) -> Router {
    let state = Bare { role, metrics: metrics.clone() };
    let router = with_description(bare_routes(role)).with_state(state);
    crate::request::layered(router, role, metrics.clone(), std::time::Duration::from_secs(10))
}

/// The description of such a door.
pub(crate) fn bare_openapi(role: &str) -> OpenApi {
    bare_routes(role).into_openapi()
}

fn bare_routes(role: &str) -> OpenApiRouter<Bare> {
    OpenApiRouter::with_openapi(described(role)).routes(routes!(bare_health)).routes(routes!(bare_metrics))
}

/// Whether the door is open.
#[utoipa::path(get, path = "/health", tag = "door", responses((status = 200, body = Health)))]
async fn bare_health(door: axum::extract::State<Bare>) -> Json<Health> {
    Json(health(door.role))
}

/// Counters in OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "door", responses((status = 200, body = String)))]
async fn bare_metrics(door: axum::extract::State<Bare>) -> Result<Response, Error> {
    door.metrics.page()
}
