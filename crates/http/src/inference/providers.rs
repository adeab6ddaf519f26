//! Model servers that were found, and how they compare.

use axum::Json;
use axum::extract::State as Shared;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::inference::{ListedProvider, MeasureReply};

use super::{InferenceCaller, State, view};
use crate::Error;
use crate::extract::Closing;

/// Model servers on this machine and at the addresses of the settings. Looked at again when the last look is old.
#[utoipa::path(get, path = "/models/providers", tag = "models", responses(
    (status = 200, body = Vec<ListedProvider>), (status = "default", body = ErrorBody)))]
pub(super) async fn providers(_: InferenceCaller, state: Shared<State>) -> Json<Vec<ListedProvider>> {
    Json(state.inner.models.providers().await.into_iter().map(view::provider).collect())
}

/// Asks each a few short questions, one after another, and says which would be chosen and why. Changes nothing;
/// takes as long as loading their models does.
#[utoipa::path(post, path = "/models/providers/measure", tag = "models", responses(
    (status = 200, body = MeasureReply), (status = "default", body = ErrorBody)))]
pub(super) async fn measure(
    _: InferenceCaller,
    state: Shared<State>,
    closing: Closing,
) -> Result<Json<MeasureReply>, Error> {
    let measured = async { Ok::<_, Error>(state.inner.models.measure().await) };
    let (measured, choice) = closing.or(measured).await?;
    Ok(Json(view::measured(measured, choice)))
}
