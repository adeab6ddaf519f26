//! The coordinator's client of an inference door: what it signs.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use edgecoder_base::{NodeKey, Secret, Timestamp};
use edgecoder_net::{HttpDecomposer, Signer};
use edgecoder_protocol::api::inference::{DecomposeReply, DecomposeRequest};
use edgecoder_protocol::inference_signing::PeerSignature;
use edgecoder_protocol::{Decomposer, ErrorCode, WorkError};

use crate::door::{refusal, serve};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

async fn asked(router: Router) -> Result<DecomposeReply, WorkError> {
    let door = serve(router).await;
    let key = Arc::new(NodeKey::from_seed(&[3; 32]));
    let signer = Signer { agent_id: key.public().node_id(), key, clock: || NOW, entropy: || 7 };
    // A door behind a path, as behind a proxy: the path as it is sent is what is signed.
    let url = format!("{}/inference", door.url);
    let client = HttpDecomposer::build(&url, signer, Some(Secret::new("token".into()))).unwrap();
    let request = serde_json::json!({"taskId": "t", "prompt": "Write f(x)."});
    client.decompose(serde_json::from_value::<DecomposeRequest>(request).unwrap()).await
}

/// What the door checks of a signed request.
async fn verifying(uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = PeerSignature::read(header).unwrap();
    let key = NodeKey::from_seed(&[3; 32]).public();
    assert_eq!(signed.peer_id, key.node_id().as_str());
    assert_eq!(header("x-inference-token"), Some("token"));
    let skew = std::time::Duration::from_secs(1);
    signed.verify(&key, NOW, skew, ("POST", uri.path()), &body).unwrap();
    axum::Json(serde_json::json!({"subtasks": []})).into_response()
}

#[tokio::test]
async fn a_request_is_signed_over_its_path_and_body() {
    let reply = asked(Router::new().route("/inference/decompose", post(verifying))).await.unwrap();
    assert_eq!(reply.subtasks, []);
}

#[tokio::test]
async fn a_door_that_does_not_trust_the_key_is_heard() {
    let untrusting = || async { refusal(ErrorCode::InferenceSignatureUntrustedPeer) };
    let error = asked(Router::new().route("/inference/decompose", post(untrusting))).await.unwrap_err();
    assert!(
        matches!(&error, WorkError::Refused { code: ErrorCode::InferenceSignatureUntrustedPeer, .. }),
        "{error}"
    );
}
