//! The IDE door (4304): editors speak to it. Only alive yet.

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::{Metrics, door};

/// The door's routes.
pub fn router(metrics: &Metrics) -> Router {
    door::bare("ide", metrics)
}

/// The door's description.
pub fn openapi() -> OpenApi {
    door::bare_openapi("ide")
}
