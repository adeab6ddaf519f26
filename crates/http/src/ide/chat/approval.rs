//! `POST /v1/ide/tool-approval`: a person decides on one action.

use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Error;
use crate::ide::State;
use crate::ide::body::Sent;
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured};

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/ide/tool-approval",
    unknown: Unknown::Refused,
    parameters: &[honoured("id"), honoured("approved")],
    notes: &[
        "`id` is that of the `tool_call`: a random part and the hash of what was shown. It is decided on once; after \
         five minutes, or when the chat's client is gone, nothing of that id waits any more (404).",
    ],
};

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ide::ApprovalRequest)]
pub(in crate::ide) struct ApprovalRequest {
    /// The action.
    id: String,
    /// Whether it may be done.
    approved: bool,
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ide::Ok)]
pub(in crate::ide) struct Done {
    ok: bool,
}

pub(super) const DONE: Done = Done { ok: true };

/// Approves or rejects the one action of that id.
#[utoipa::path(post, path = "/v1/ide/tool-approval", tag = "companion", request_body = ApprovalRequest,
    responses((status = 200, body = Done)))]
pub(in crate::ide) async fn decide(state: Shared<State>, Sent(bytes): Sent) -> Result<Json<Done>, Fault> {
    let ApprovalRequest { id, approved } = ENDPOINT.read(&bytes)?;
    state.companion()?.decide(&id, approved).map_err(Error::from)?;
    Ok(Json(DONE))
}
