//! The ledger, page by page.

use axum::Json;
use axum::extract::State as Shared;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::ledger::{LedgerPage, LedgerVerdict};
use serde::Deserialize;

use super::State;
use crate::Error;
use crate::auth::MeshMember;
use crate::extract::Query;

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// `next` of the page before.
    #[serde(default)]
    after: u64,
    /// 1 to 1,000.
    limit: Option<u32>,
}

/// A page of this coordinator's chain and its newest signed head.
#[utoipa::path(get, path = "/ledger/snapshot", tag = "ledger", params(Range), responses(
    (status = 200, body = LedgerPage), (status = "default", body = ErrorBody)))]
pub(super) async fn snapshot(
    _: MeshMember,
    state: Shared<State>,
    Query(range): Query<Range>,
) -> Result<Json<LedgerPage>, Error> {
    Ok(Json(state.handle().ledger_page(range.after, range.limit).await?))
}

/// Walks every chain and says whether it holds.
#[utoipa::path(get, path = "/ledger/verify", tag = "ledger", responses(
    (status = 200, body = LedgerVerdict), (status = "default", body = ErrorBody)))]
pub(super) async fn verify(_: MeshMember, state: Shared<State>) -> Result<Json<LedgerVerdict>, Error> {
    Ok(Json(state.handle().verify_ledger().await?))
}
