//! Coordinators that sign: `/decompose` and `/escalate` where keys are trusted or signatures are required.

use std::time::Duration;

use axum::http::Request;
use edgecoder_base::{NodeKey, Secret, Timestamp};
use edgecoder_http::inference::Config;
use edgecoder_inference::ScriptedEngine;
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::inference_signing::{PeerSignature, TIMESTAMP_MS};
use serde_json::json;

use super::rig::{Rig, TOKEN};
use crate::support::{Answer, ask_router, now, unique};

const BODY: &str = r#"{"taskId": "t", "prompt": "p"}"#;

fn config(trusting: Option<&NodeKey>) -> Config {
    let trusted = trusting.map(|key| ("coord-1".to_owned(), key.public())).into_iter().collect();
    Config { trusted, require_signatures: true, ..Config::new(Secret::new(TOKEN.to_owned())) }
}

fn sign(key: &NodeKey, peer: &str, at: Timestamp) -> Vec<(&'static str, String)> {
    let call = ("POST", "/decompose");
    PeerSignature::sign(key, peer, at, format!("n{}", unique()), call, BODY.as_bytes()).to_pairs().into()
}

async fn send(rig: &Rig, path: &str, body: &str, headers: &[(&'static str, String)]) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/json");
    request = request.header("x-inference-token", TOKEN);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    ask_router(&rig.router, request.body(body.to_owned().into()).unwrap()).await
}

fn rig(config: Config) -> Rig {
    Rig::with(ScriptedEngine::new().otherwise(|_| Ok("[]".to_owned())), config)
}

#[tokio::test]
async fn hole_04_a_coordinators_signature_covers_the_body_the_path_and_the_moment() {
    let (key, other) = (NodeKey::from_seed(&[7; 32]), NodeKey::from_seed(&[8; 32]));
    let rig = rig(config(Some(&key)));
    let good = sign(&key, "coord-1", now());
    assert_eq!(send(&rig, "/decompose", BODY, &good).await.status, 200);
    let fresh = || sign(&key, "coord-1", now());
    let old = Timestamp::from_millis(now().as_millis() - 121_000);
    let mut unreadable = fresh();
    unreadable.iter_mut().find(|(name, _)| *name == TIMESTAMP_MS).unwrap().1 = "soon".to_owned();
    let swapped = BODY.replace("\"p\"", "\"q\"");
    let escalate = json!({"task": "t", "failedCode": "c"}).to_string();
    for (what, path, body, headers, code) in [
        ("unsigned", "/decompose", BODY, Vec::new(), ErrorCode::InferenceSignatureMissing),
        ("unsigned", "/escalate", escalate.as_str(), Vec::new(), ErrorCode::InferenceSignatureMissing),
        ("half signed", "/decompose", BODY, fresh()[..3].to_vec(), ErrorCode::InferenceSignatureMissing),
        ("sent again", "/decompose", BODY, good, ErrorCode::InferenceSignatureReplay),
        ("another body", "/decompose", &swapped, fresh(), ErrorCode::InferenceSignatureBodyMismatch),
        ("another path", "/escalate", BODY, fresh(), ErrorCode::InferenceSignatureInvalid),
        (
            "another key",
            "/decompose",
            BODY,
            sign(&other, "coord-1", now()),
            ErrorCode::InferenceSignatureInvalid,
        ),
        (
            "unknown",
            "/decompose",
            BODY,
            sign(&key, "coord-2", now()),
            ErrorCode::InferenceSignatureUntrustedPeer,
        ),
        ("old", "/decompose", BODY, sign(&key, "coord-1", old), ErrorCode::InferenceSignatureExpired),
        ("unreadable", "/decompose", BODY, unreadable, ErrorCode::InferenceSignatureInvalidTimestamp),
    ] {
        assert_eq!(send(&rig, path, body, &headers).await.code(), code, "{what}");
    }
    rig.end().await;
}

#[tokio::test]
async fn what_was_signed_before_the_door_opened_may_have_been_used_before() {
    let key = NodeKey::from_seed(&[7; 32]);
    let before = sign(&key, "coord-1", Timestamp::from_millis(now().as_millis() - 1_000));
    let rig = rig(config(Some(&key)));
    assert_eq!(send(&rig, "/decompose", BODY, &before).await.code(), ErrorCode::InferenceSignatureExpired);
    rig.end().await;
}

#[tokio::test]
async fn signatures_that_are_required_without_a_key_let_nobody_in() {
    let key = NodeKey::from_seed(&[7; 32]);
    let rig = rig(config(None));
    let signed = sign(&key, "coord-1", now());
    let answer = send(&rig, "/decompose", BODY, &signed).await;
    assert_eq!(answer.code(), ErrorCode::InferenceSignatureUntrustedPeer);
    rig.end().await;
}

#[tokio::test]
async fn without_keys_the_token_is_enough_and_a_short_skew_is_kept() {
    let open = rig(Config::new(Secret::new(TOKEN.to_owned())));
    assert_eq!(send(&open, "/decompose", BODY, &[]).await.status, 200);
    open.end().await;
    let key = NodeKey::from_seed(&[7; 32]);
    let strict = rig(Config { max_skew: Duration::from_secs(1), ..config(Some(&key)) });
    let ahead = Timestamp::from_millis(now().as_millis() + 60_000);
    let answer = send(&strict, "/decompose", BODY, &sign(&key, "coord-1", ahead)).await;
    assert_eq!(answer.code(), ErrorCode::InferenceSignatureExpired);
    strict.end().await;
}
