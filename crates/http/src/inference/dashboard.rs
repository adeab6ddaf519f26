//! A small page about the engine. Its frame is open and shows nothing of the node; every figure comes from routes
//! that need the token. Nothing is loaded from elsewhere, and the browser is told to refuse it.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::inference::{InferenceOverview, SwapRecord};
use edgecoder_worker::EngineState;

use super::counts::What;
use super::{InferenceCaller, State, view};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        // It changes with the program, and is small.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

/// The page.
#[utoipa::path(get, path = "/dashboard", tag = "dashboard", responses(
    (status = 200, body = String, content_type = "text/html")))]
pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("dashboard/page.html"))
}

/// Its style.
#[utoipa::path(get, path = "/dashboard/page.css", tag = "dashboard", responses(
    (status = 200, body = String, content_type = "text/css")))]
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("dashboard/page.css"))
}

/// Its script.
#[utoipa::path(get, path = "/dashboard/page.js", tag = "dashboard", responses(
    (status = 200, body = String, content_type = "text/javascript")))]
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("dashboard/page.js"))
}

/// Everything the page shows, apart from lists of models.
#[utoipa::path(get, path = "/dashboard/api/overview", tag = "dashboard", responses(
    (status = 200, body = InferenceOverview), (status = "default", body = ErrorBody)))]
pub(super) async fn overview(_: InferenceCaller, state: Shared<State>) -> Json<InferenceOverview> {
    let (models, counts) = (&state.inner.models, state.counts());
    let load = models.switch().load();
    let slots = match models.switch().state() {
        EngineState::Ready(capabilities) => Some(capabilities.slots),
        EngineState::Starting
        | EngineState::Restarting { .. }
        | EngineState::Failed(_)
        | EngineState::Stopped => None,
    };
    Json(InferenceOverview {
        status: view::status(models, (state.inner.engine)()),
        slots,
        running: load.running,
        waiting: load.waiting,
        draining: load.draining,
        restarts: models.switch().restarts(),
        decompose: counts.of(What::Decompose),
        decompose_fallbacks: counts.fallbacks(),
        escalate: counts.of(What::Escalate),
        complete: counts.of(What::Complete),
        larger: state.inner.inference.larger().map(str::to_owned),
        uptime_s: (state.inner.clock)().since(state.inner.opened).as_secs(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// The last swaps, the latest first.
#[utoipa::path(get, path = "/dashboard/api/swap-history", tag = "dashboard", responses(
    (status = 200, body = Vec<SwapRecord>), (status = "default", body = ErrorBody)))]
pub(super) async fn swap_history(_: InferenceCaller, state: Shared<State>) -> Json<Vec<SwapRecord>> {
    Json(state.inner.models.view().history.iter().map(view::record).collect())
}
