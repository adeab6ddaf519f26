//! Content by its hash: trees are offered, what is missing is sent.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use edgecoder_base::BlobHash;
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;
use edgecoder_protocol::api::snapshots::{
    MAX_BLOB_BYTES, MAX_PACK_BYTES, OfferSnapshot, SnapshotView, StoredBlobs, read_pack,
};

use super::State;
use crate::Error;
use crate::auth::{Admitted, AdmittedUpload, MeshMember};
use crate::extract::{Json as JsonBody, Path};

/// Names a tree; the answer names what of it is missing.
#[utoipa::path(post, path = "/snapshots", tag = "content", request_body = OfferSnapshot, responses(
    (status = 200, body = SnapshotView), (status = "default", body = ErrorBody)))]
pub(super) async fn offer(
    _: MeshMember,
    state: Shared<State>,
    JsonBody(offer): JsonBody<OfferSnapshot, MAX_BLOB_BYTES>,
) -> Result<Json<SnapshotView>, Error> {
    Ok(Json(state.handle().offer_snapshot(offer.manifest).await?))
}

/// One blob; its hash must be the one in the path.
#[utoipa::path(put, path = "/blobs/{hash}", tag = "content", params(("hash" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = StoredBlobs), (status = "default", body = ErrorBody)))]
pub(super) async fn put(
    state: Shared<State>,
    Path(hash): Path<BlobHash>,
    AdmittedUpload(bytes): AdmittedUpload<MAX_BLOB_BYTES>,
) -> Result<Json<StoredBlobs>, Error> {
    Ok(Json(state.handle().put_blob(hash, bytes).await?))
}

/// Many blobs, each after its length (32 bits, little-endian).
#[utoipa::path(post, path = "/blobs", tag = "content",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = StoredBlobs), (status = "default", body = ErrorBody)))]
pub(super) async fn put_pack(
    state: Shared<State>,
    AdmittedUpload(pack): AdmittedUpload<MAX_PACK_BYTES>,
) -> Result<Json<StoredBlobs>, Error> {
    let blobs = read_pack(&pack).ok_or_else(bad_pack)?.into_iter().map(<[u8]>::to_vec).collect();
    Ok(Json(state.handle().put_blobs(blobs).await?))
}

/// A blob's bytes.
#[utoipa::path(get, path = "/blobs/{hash}", tag = "content", params(("hash" = String, Path)), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = ErrorBody)))]
pub(super) async fn get(
    _: Admitted,
    state: Shared<State>,
    Path(hash): Path<BlobHash>,
) -> Result<Response, Error> {
    let bytes = state.handle().blob(hash).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

fn bad_pack() -> Error {
    Error::new(ErrorCode::InvalidRequest, "the pack's lengths do not add up; nothing was stored")
}
