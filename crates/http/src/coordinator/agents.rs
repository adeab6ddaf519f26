//! The conversation with workers.

use axum::Json;
use axum::extract::State as Shared;
use edgecoder_base::NodeId;
use edgecoder_protocol::api::agents::{
    DiagnosticsRequest, DiagnosticsView, HeartbeatReply, HeartbeatRequest, PullReply, PullRequest,
    RegisterReply, RegisterRequest, ResultReply, ResultRequest,
};
use edgecoder_protocol::api::error::ErrorBody;
use serde::Serialize;

use super::State;
use crate::Error;
use crate::auth::{EnrolledNode, MeshMember, Registration};
use crate::extract::{Closing, Path};
use crate::metrics::Ended;

/// A worker asks in, with the mesh token or a registration token. Idempotent.
#[utoipa::path(post, path = "/register", tag = "workers", request_body = RegisterRequest, responses(
    (status = 200, body = RegisterReply), (status = "default", body = ErrorBody)))]
pub(super) async fn register(
    state: Shared<State>,
    registration: Registration,
) -> Result<Json<RegisterReply>, Error> {
    let Registration { request, trust, signed } = registration;
    Ok(Json(state.handle().register(request, trust, signed.as_ref()).await?))
}

/// Renews leases; answers when one must stop, or after `waitMs`. Signed.
#[utoipa::path(post, path = "/heartbeat", tag = "workers", request_body = HeartbeatRequest, responses(
    (status = 200, body = HeartbeatReply), (status = "default", body = ErrorBody)))]
pub(super) async fn heartbeat(
    state: Shared<State>,
    closing: Closing,
    node: EnrolledNode<HeartbeatRequest>,
) -> Result<Json<HeartbeatReply>, Error> {
    closing.or(state.handle().heartbeat(&node.caller, node.body)).await.map(Json)
}

/// Asks for an attempt; waits up to `waitMs` for one. Signed.
#[utoipa::path(post, path = "/pull", tag = "workers", request_body = PullRequest, responses(
    (status = 200, body = PullReply), (status = "default", body = ErrorBody)))]
pub(super) async fn pull(
    state: Shared<State>,
    closing: Closing,
    node: EnrolledNode<PullRequest>,
) -> Result<Json<PullReply>, Error> {
    let reply = closing.or(state.handle().pull(&node.caller, node.body)).await?;
    if reply.work.is_some() {
        state.inner.metrics.lease_granted();
    }
    Ok(Json(reply))
}

/// Takes an attempt's outcome from the holder of its lease. Signed, idempotent.
#[utoipa::path(post, path = "/result", tag = "workers", request_body = ResultRequest, responses(
    (status = 200, body = ResultReply), (status = "default", body = ErrorBody)))]
pub(super) async fn result(
    state: Shared<State>,
    node: EnrolledNode<ResultRequest>,
) -> Result<Json<ResultReply>, Error> {
    let counts = node.body.report.as_ref().map(Ended::of);
    let reply = state.handle().result(&node.caller, node.body).await?;
    if let Some(ended) = counts {
        state.inner.metrics.sandbox().ended(ended);
    }
    Ok(Json(reply))
}

/// How many lines were kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct StoredLines {
    ok: bool,
    stored: usize,
}

/// Keeps lines of a worker's own log, the newest 200 of each. Signed.
#[utoipa::path(post, path = "/agent/diagnostics", tag = "workers", request_body = DiagnosticsRequest, responses(
    (status = 200, body = StoredLines), (status = "default", body = ErrorBody)))]
pub(super) async fn add_diagnostics(
    state: Shared<State>,
    node: EnrolledNode<DiagnosticsRequest>,
) -> Result<Json<StoredLines>, Error> {
    let stored = state.handle().add_diagnostics(&node.caller, node.body)?;
    Ok(Json(StoredLines { ok: true, stored }))
}

/// The lines a worker sent, newest first.
#[utoipa::path(get, path = "/agent/diagnostics/{agentId}", tag = "workers", params(("agentId" = String, Path)),
    responses((status = 200, body = DiagnosticsView), (status = "default", body = ErrorBody)))]
pub(super) async fn diagnostics(
    _: MeshMember,
    state: Shared<State>,
    Path(agent): Path<NodeId>,
) -> Json<DiagnosticsView> {
    Json(state.handle().diagnostics(agent))
}
