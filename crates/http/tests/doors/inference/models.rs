//! Swapping, fetching and removing models through the door.

use edgecoder_inference::ScriptedEngine;
use edgecoder_protocol::ErrorCode;
use serde_json::{Value, json};

use super::rig::{Rig, TOKEN, ask, call};

async fn answer_of(rig: &Rig) -> String {
    let body = json!({"messages": [{"role": "user", "content": "who?"}], "max_tokens": 8});
    call(&rig.router, "POST", "/complete", body).await.text()
}

fn rig() -> Rig {
    Rig::start(ScriptedEngine::new().named("scripted").otherwise(|_| Ok("I am scripted".to_owned())))
}

async fn swap(rig: &Rig, model: &str) -> Value {
    call(&rig.router, "POST", "/model/swap", json!({"model": model})).await.json()
}

#[tokio::test]
async fn hole_31_a_swapped_model_is_the_one_that_answers() {
    let rig = rig();
    assert!(answer_of(&rig).await.contains("ripted"));
    let swapped = swap(&rig, "kept").await;
    let expected = json!({"previous": "scripted", "active": "kept", "status": "ready", "paramSize": "1.0B"});
    assert_eq!(swapped, expected);
    assert!(answer_of(&rig).await.contains("I am ke"));
    let again = swap(&rig, "kept").await;
    assert_eq!((&again["previous"], &again["status"]), (&json!("kept"), &json!("ready")));
    let history = call(&rig.router, "GET", "/dashboard/api/swap-history", Value::Null).await.json();
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert_eq!((&history[0]["from"], &history[0]["to"]), (&json!("scripted"), &json!("kept")));
    rig.end().await;
}

#[tokio::test]
async fn a_model_that_does_not_load_leaves_the_old_one_and_says_why() {
    let rig = rig();
    let failed = swap(&rig, "broken").await;
    assert_eq!((&failed["active"], &failed["status"]), (&json!("scripted"), &json!("error")));
    assert!(failed["error"].as_str().unwrap().contains("cut"), "{failed}");
    assert!(answer_of(&rig).await.contains("ripted"));
    let overview = call(&rig.router, "GET", "/dashboard/api/overview", Value::Null).await.json();
    assert_eq!((&overview["complete"]["requests"], &overview["slots"]), (&json!(1), &json!(4)), "{overview}");
    rig.end().await;
}

#[tokio::test]
async fn a_model_that_is_not_there_is_fetched_and_then_used() {
    let rig = rig();
    let mut changes = rig.models.changes();
    let begun = swap(&rig, "far").await;
    assert_eq!((&begun["previous"], &begun["status"]), (&json!("scripted"), &json!("pulling")));
    changes.wait_for(|view| view.active.model == "far").await.unwrap();
    let told = call(&rig.router, "GET", "/model/pull/progress", Value::Null).await.json();
    let seen = (&told["model"], &told["status"], &told["progressPct"]);
    assert_eq!(seen, (&json!("far"), &json!("done"), &json!(100)));
    assert!(told["startedAtMs"].is_i64());
    rig.end().await;
}

#[tokio::test]
async fn a_fetch_that_breaks_off_is_told_and_changes_nothing() {
    let rig = rig();
    assert_eq!(
        call(&rig.router, "GET", "/model/pull/progress", Value::Null).await.json(),
        json!({"status": "idle"})
    );
    let mut changes = rig.models.changes();
    call(&rig.router, "POST", "/model/pull", json!({"model": "torn"})).await.json();
    let failed = |view: &edgecoder_worker::models::ModelsView| {
        view.pull.as_ref().is_some_and(|pull| pull.error.is_some())
    };
    changes.wait_for(failed).await.unwrap();
    let told = call(&rig.router, "GET", "/model/pull/progress", Value::Null).await.json();
    assert_eq!((&told["status"], &told["completed"]), (&json!("error"), &json!(40)));
    assert!(told["error"].as_str().unwrap().contains("no route"));
    assert_eq!(rig.models.view().active.model, "scripted");
    rig.end().await;
}

#[tokio::test]
async fn only_what_is_not_in_use_is_removed() {
    let rig = rig();
    let remove = async |id: &str| {
        let token = Some(("x-inference-token", TOKEN));
        ask(&rig.router, token, "DELETE", &format!("/models/{id}"), &Value::Null).await
    };
    assert_eq!(remove("kept").await.status, 200);
    assert_eq!(remove("unheard").await.code(), ErrorCode::ModelNotFound);
    assert_eq!(remove("far").await.code(), ErrorCode::ModelNotFound);
    assert_eq!(remove("scripted").await.code(), ErrorCode::ModelBusy);
    swap(&rig, "kept").await;
    assert_eq!(remove("kept").await.code(), ErrorCode::ModelBusy);
    rig.end().await;
}

#[tokio::test]
async fn engines_are_measured_without_changing_anything() {
    let right = "def add(a, b):\n    return a + b\n# n % 2 == 0, items[-1], None";
    let rig = Rig::start(ScriptedEngine::new().otherwise(move |_| Ok(right.to_owned())));
    let told = call(&rig.router, "POST", "/models/providers/measure", Value::Null).await.json();
    assert_eq!((&told["measured"][0]["right"], &told["measured"][0]["asked"]), (&json!(3), &json!(3)));
    assert_eq!((&told["model"], &told["provider"]), (&json!("scripted"), &json!("local")));
    assert_eq!(call(&rig.router, "GET", "/models/providers", Value::Null).await.json(), json!([]));
    assert!(rig.models.view().history.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn the_page_comes_with_a_policy_that_lets_nothing_else_in() {
    let rig = rig();
    for (path, kind) in [
        ("/dashboard", "text/html; charset=utf-8"),
        ("/dashboard/page.css", "text/css; charset=utf-8"),
        ("/dashboard/page.js", "text/javascript; charset=utf-8"),
    ] {
        let page = ask(&rig.router, None, "GET", path, &Value::Null).await;
        assert_eq!((page.status, page.headers["content-type"].to_str().unwrap()), (200, kind));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        let text = page.text();
        assert!(
            !text.contains("http://") && !text.contains("https://") && !text.contains("innerHTML"),
            "{path}"
        );
    }
    rig.end().await;
}

#[tokio::test]
async fn what_was_asked_is_counted() {
    let rig = rig();
    answer_of(&rig).await;
    call(&rig.router, "POST", "/decompose", json!({"taskId": "t", "prompt": "p"})).await.json();
    let page = ask(&rig.router, None, "GET", "/metrics", &Value::Null).await.text();
    for line in [
        "edgecoder_inference_requests_total{what=\"complete\",outcome=\"ok\"} 1",
        "edgecoder_inference_requests_total{what=\"decompose\",outcome=\"ok\"} 1",
        "edgecoder_decompose_fallbacks_total 1",
        "edgecoder_engine_answers_running 0",
        "edgecoder_engine_restarts_total 0",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    rig.end().await;
}
