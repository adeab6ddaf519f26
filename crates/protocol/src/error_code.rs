//! Every error a door can answer with: one append-only list, from which the reference page is made.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($variant:ident = $text:literal, $status:literal, $advice:literal;)*) => {
        /// What went wrong, for programs. The text never changes once published.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum ErrorCode {
            $(#[doc = $advice] #[serde(rename = $text)] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in order of publication.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The published text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What the reader should do.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", 400, "Correct the named field and send the request again.";
    MalformedJson = "malformed_json", 400, "Send a JSON body that parses.";
    UnknownField = "unknown_field", 400, "Remove the named field, or check its spelling.";
    BodyTooLarge = "body_too_large", 413, "Send less; large content goes through blobs.";
    UnsupportedMediaType = "unsupported_media_type", 415, "Send `content-type: application/json`.";
    MeshUnauthorized = "mesh_unauthorized", 401, "Send the node's mesh token in `x-mesh-token`.";
    SignatureMissing = "signature_missing", 401, "Sign the request: the five `x-…` signature headers are required.";
    SignatureInvalid = "signature_invalid", 401, "Check key, clock, body hash and signed text.";
    RequestReplayed = "request_replayed", 401, "Use a new nonce for every request.";
    AgentIdMismatch = "agent_id_mismatch", 401, "The signed agent id and the one in the body must be equal.";
    AgentNotRegistered = "agent_not_registered", 401, "Call `/register` first.";
    NodeNotActivated = "node_not_activated", 403, "Register with a valid registration token.";
    KeyAlreadyBound = "key_already_bound", 409, "This agent id belongs to another key; choose another id.";
    InvalidAdminToken = "invalid_admin_token", 401, "Send the operator's token in `x-admin-token`.";
    InferenceUnauthorized = "inference_unauthorized", 401, "Send the inference token in `x-inference-token`.";
    Forbidden = "forbidden", 403, "This caller may not do that.";
    NotFound = "not_found", 404, "Check the id; it may have been collected.";
    RouteNotFound = "route_not_found", 404, "Check the path; `/openapi.json` lists this door's routes.";
    MethodNotAllowed = "method_not_allowed", 405, "Use one of the methods in the `Allow` header.";
    TaskExists = "task_exists", 409, "A task with this id and other content exists; choose another id.";
    IdempotencyMismatch = "idempotency_mismatch", 409, "This idempotency key was used for another request.";
    LeaseLost = "lease_lost", 409, "Another worker may hold this attempt now; drop the work.";
    WrongState = "wrong_state", 409, "The task is not in a state that allows this.";
    SnapshotIncomplete = "snapshot_incomplete", 409, "Upload the missing blobs first.";
    UnsafeSnapshot = "unsafe_snapshot", 422, "The manifest or patch names paths that are not safe.";
    HashMismatch = "hash_mismatch", 422, "The content does not have the hash that names it.";
    NoEligibleWorker = "no_eligible_worker", 422, "No worker can run this: relax the named constraint.";
    RateLimited = "rate_limited", 429, "Wait as long as `Retry-After` says.";
    ContextOverflow = "context_overflow", 422, "The prompt does not fit the model's window; send less or use another model.";
    ModelUnavailable = "model_unavailable", 503, "No model is ready: see `edgecoder doctor`.";
    InferenceServiceUnavailable = "inference_service_unavailable", 502, "The inference role did not answer; try again.";
    SandboxUnavailable = "sandbox_unavailable", 503, "The sandbox cannot start here: see `edgecoder doctor`.";
    StoreUnavailable = "store_unavailable", 503, "The database is locked, full or gone; nothing was lost; try again.";
    StorageFull = "storage_full", 507, "Free disk space in the data directory and try again.";
    ShuttingDown = "shutting_down", 503, "The node is stopping; try again when it is back.";
    Timeout = "timeout", 504, "It took too long; try again.";
    AdminDashboardNotConfigured = "admin_dashboard_not_configured", 503, "Set ADMIN_API_TOKEN.";
    NotImplementedHere = "not_available", 501, "This role does not offer that yet.";
    Internal = "internal", 500, "A bug: report it with the request id.";
    ModelRequired = "model_required", 400, "Name the model in `model`.";
    ModelNotFound = "model_not_found", 404, "Choose a model of `GET /models`, or one that its provider can fetch.";
    ModelBusy = "model_busy", 409, "A model is being loaded or fetched, or is in use; try again when that is over.";
    InferenceSignatureMissing = "inference_signature_missing", 401, "This door wants signed requests: send the five `x-inference-…` and `x-coordinator-peer-id` headers.";
    InferenceSignatureUntrustedPeer = "inference_signature_untrusted_peer", 401, "Add the coordinator's key to the trusted ones of this door.";
    InferenceSignatureInvalidTimestamp = "inference_signature_invalid_timestamp", 401, "Send Unix milliseconds in `x-inference-timestamp-ms`.";
    InferenceSignatureExpired = "inference_signature_expired", 401, "Check the clocks, and sign each request anew.";
    InferenceSignatureReplay = "inference_signature_replay", 401, "Use a new nonce for every request.";
    InferenceSignatureBodyMismatch = "inference_signature_body_mismatch", 401, "Sign the body that is sent.";
    InferenceSignatureInvalid = "inference_signature_invalid", 401, "Check key, method, path and the signed text.";
    IdeUnauthorized = "ide_unauthorized", 401, "Send the door's token as `Authorization: Bearer …`; `edgecoder doctor` says where it is kept.";
    ForeignPage = "foreign_page", 403, "Pages of other origins may not use this door; name the origin in `ide.allowed_origins` if it is yours.";
    ToolCallUnreadable = "tool_call_unreadable", 422, "The model wrote a tool call that nobody can read, several times; ask again or use a larger model.";
    NoPlace = "no_place", 422, "No machine may or can answer this: relax the model or the privacy tier.";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn codes_are_unique_and_serialise_as_published() {
        let texts: std::collections::BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
    }
}
