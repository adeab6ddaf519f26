//! The portal door (4310): people and their accounts. Only alive yet.

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::{Metrics, door};

/// The door's routes.
pub fn router(metrics: &Metrics) -> Router {
    door::bare("portal", metrics)
}

/// The door's description.
pub fn openapi() -> OpenApi {
    door::bare_openapi("portal")
}
