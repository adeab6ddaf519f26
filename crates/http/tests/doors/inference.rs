//! The inference door over a scripted engine.

use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use edgecoder_base::Secret;
use edgecoder_http::{Metrics, inference};
use edgecoder_inference::{Capabilities, Error, Event, ScriptedEngine, codec};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::status::EngineHealth;
use edgecoder_worker::Inference;
use serde_json::{Value, json};

use crate::support::{Answer, ask_router};

const TOKEN: &str = "the inference token of the test";

fn door(engine: ScriptedEngine, token: &str) -> Router {
    let ready =
        || EngineHealth { state: "ready".into(), model: Some("scripted".into()), ..Default::default() };
    let inference = Inference::new(Arc::new(engine));
    let token = Secret::new(token.to_owned());
    inference::router(inference::State::new(inference, &token, Metrics::new(), Arc::new(ready)))
}

async fn ask(router: &Router, token: Option<(&str, &str)>, method: &str, path: &str, body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some((name, value)) = token {
        request = request.header(name, value);
    }
    ask_router(router, request.body(body.to_string().into()).unwrap()).await
}

async fn call(router: &Router, method: &str, path: &str, body: Value) -> Answer {
    ask(router, Some(("x-inference-token", TOKEN)), method, path, &body).await
}

fn messages() -> Value {
    json!([{"role": "user", "content": "hi"}])
}

#[tokio::test]
async fn hole_09_everything_but_health_and_metrics_needs_the_token() {
    let openapi = serde_json::to_value(inference::openapi()).unwrap();
    let bodies = [
        ("/decompose", json!({"taskId": "t", "prompt": "p"})),
        ("/escalate", json!({"task": "t", "failedCode": "c"})),
        ("/complete", json!({"messages": messages(), "max_tokens": 1})),
        ("/count_tokens", json!({"messages": messages()})),
    ];
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        let open = ["/health", "/metrics"].contains(&path.as_str());
        let body =
            bodies.iter().find(|(known, _)| known == path).map_or(Value::Null, |(_, body)| body.clone());
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            for token in [None, Some(("x-inference-token", "")), Some(("x-inference-token", "wrong"))] {
                for set in [TOKEN, ""] {
                    let answer = ask(&door(ScriptedEngine::new(), set), token, &method, path, &body).await;
                    let expected = (!open).then_some(ErrorCode::InferenceUnauthorized);
                    assert_eq!(answer.outcome(), expected, "{method} {path} {token:?}");
                }
            }
            let engine = ScriptedEngine::new().otherwise(|_| Ok("[]".to_owned()));
            let bearer = format!("Bearer {TOKEN}");
            let answer =
                ask(&door(engine, TOKEN), Some(("authorization", &bearer)), &method, path, &body).await;
            assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_engines_own_wire_form_passes_through() {
    let router = door(ScriptedEngine::new().reply("hello"), TOKEN);
    let answer = call(&router, "POST", "/complete", json!({"messages": messages(), "max_tokens": 8})).await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let text = answer.text();
    let events: Vec<Result<Event, Error>> = text.lines().map(codec::decode_answer).collect();
    assert!(matches!(events.first(), Some(Ok(Event::Started { .. }))), "{text}");
    assert!(matches!(events.last(), Some(Ok(Event::Done { .. }))), "{text}");
    let answer = call(&router, "GET", "/capabilities", Value::Null).await;
    assert_eq!(codec::decode_answer::<Capabilities>(&answer.text()).unwrap().model, "scripted");
    let answer = call(&router, "POST", "/count_tokens", json!({"messages": messages()})).await;
    assert!(codec::decode_answer::<u32>(&answer.text()).unwrap() > 0);
}

#[tokio::test]
async fn a_split_that_is_none_stands_as_one_subtask() {
    let split = json!([
        {"id": 1, "function": "a", "task": "Write a function a(x) that returns x."},
        {"id": 2, "function": "b", "task": "Write a function b(x) that returns 2."},
    ]);
    let engine = ScriptedEngine::new().reply(split.to_string()).reply("no");
    let router = door(engine, TOKEN);
    let body = json!({"taskId": "t", "prompt": "do a and b"});
    let split = call(&router, "POST", "/decompose", body.clone()).await.json();
    assert_eq!(split["subtasks"][1]["dependsOn"], json!([0]));
    let whole = call(&router, "POST", "/decompose", body).await.json();
    assert_eq!(whole["subtasks"][0]["input"], "do a and b");
    assert!(whole["fallback"].is_string());
}

#[tokio::test]
async fn an_engine_that_fails_says_so_without_its_inside() {
    let secret = "/home/person/model.gguf";
    let error = Error::ModelMissing { path: secret.into(), fix: "x".into() };
    let router = door(ScriptedEngine::new().fail(error), TOKEN);
    let answer = call(&router, "POST", "/escalate", json!({"task": "t", "failedCode": "c"})).await;
    assert_eq!(answer.code(), ErrorCode::ModelUnavailable);
    assert!(!answer.text().contains(secret));
}

#[tokio::test]
async fn the_model_is_told_in_the_published_shape() {
    let router = door(ScriptedEngine::new(), TOKEN);
    let status = call(&router, "GET", "/model/status", Value::Null).await.json();
    assert_eq!((status["model"].clone(), status["status"].clone()), (json!("scripted"), json!("ready")));
    let list = call(&router, "GET", "/model/list", Value::Null).await.json();
    assert_eq!(list, json!([{"modelId": "scripted", "installed": true, "active": true}]));
}

#[tokio::test]
async fn bad_requests_are_refused_by_name() {
    let router = door(ScriptedEngine::new(), TOKEN);
    for (path, body, code) in [
        ("/decompose", json!({"taskId": "t", "prompt": ""}), ErrorCode::InvalidRequest),
        ("/decompose", json!({"taskId": "../t", "prompt": "p"}), ErrorCode::InvalidRequest),
        ("/decompose", json!({"taskId": "t", "prompt": "p", "x": 1}), ErrorCode::UnknownField),
        ("/complete", json!({"messages": "hi", "max_tokens": 1}), ErrorCode::InvalidRequest),
        ("/count_tokens", json!([]), ErrorCode::InvalidRequest),
    ] {
        assert_eq!(call(&router, "POST", path, body.clone()).await.code(), code, "{path} {body}");
    }
}
