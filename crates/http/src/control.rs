//! The control door (4303): operators' business. Only alive yet.

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::{Metrics, door};

/// The door's routes.
pub fn router(metrics: &Metrics) -> Router {
    door::bare("control", metrics)
}

/// The door's description.
pub fn openapi() -> OpenApi {
    door::bare_openapi("control")
}
