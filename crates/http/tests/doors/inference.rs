//! The inference door over a scripted engine.

mod models;
mod rig;
mod signatures;

use edgecoder_http::inference;
use edgecoder_inference::{Capabilities, Error, Event, ScriptedEngine, codec};
use edgecoder_protocol::ErrorCode;
use serde_json::{Value, json};

use rig::{Rig, TOKEN, ask, call, door};

fn messages() -> Value {
    json!([{"role": "user", "content": "hi"}])
}

#[tokio::test]
async fn hole_09_everything_but_health_metrics_and_an_empty_page_needs_the_token() {
    let openapi = serde_json::to_value(inference::openapi()).unwrap();
    let bodies = [
        ("/decompose", json!({"taskId": "t", "prompt": "p"})),
        ("/escalate", json!({"task": "t", "failedCode": "c"})),
        ("/complete", json!({"messages": messages(), "max_tokens": 1})),
        ("/count_tokens", json!({"messages": messages()})),
        ("/model/swap", json!({"model": "scripted"})),
        ("/model/pull", json!({"model": "scripted"})),
    ];
    let open_paths = ["/health", "/metrics", "/dashboard", "/dashboard/page.css", "/dashboard/page.js"];
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        let open = open_paths.contains(&path.as_str());
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
            let bearer = format!("Bearer {TOKEN}");
            let rig = Rig::start(ScriptedEngine::new().otherwise(|_| Ok("[]".to_owned())));
            let path = path.replace("{id}", "kept");
            if path == "/models/events" {
                // It has no end as long as the owner of the models lives.
                rig.stop().await;
            }
            let answer = ask(&rig.router, Some(("authorization", &bearer)), &method, &path, &body).await;
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
async fn a_plan_keeps_its_order_and_its_scope_or_is_none() {
    let part = |id: u32, after: &[u32], files: &[&str]| json!({"id": id, "function": format!("f{id}"), "task": format!("t{id}"), "after": after, "files": files});
    let body = json!({
        "taskId": "t", "prompt": "do it", "scope": {"allow": ["src/**"]}, "verifier": {"command": "pytest -q"},
    });
    let split = async |parts: Value| {
        let router = door(ScriptedEngine::new().named("qwen2.5-coder:7b").reply(parts.to_string()), TOKEN);
        call(&router, "POST", "/decompose", body.clone()).await.json()
    };
    let plan = split(json!([part(2, &[1], &["src/b.py"]), part(1, &[], &[])])).await;
    let seen: Vec<_> = plan["subtasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| (part["input"].clone(), part["dependsOn"].clone(), part["scope"]["allow"].clone()))
        .collect();
    let expected =
        [(json!("t1"), json!([]), json!(["src/**"])), (json!("t2"), json!([0]), json!(["{src/b.py}"]))];
    assert_eq!(seen, expected);
    assert_eq!(plan["subtasks"][1]["verifier"]["command"], "pytest -q");
    let eleven: Vec<_> = (0..11).map(|id| part(id, &[], &[])).collect();
    for (parts, words) in [
        (json!([part(1, &[2], &[]), part(2, &[1], &[])]), "circle"),
        (json!([part(1, &[], &["etc/passwd"]), part(2, &[], &[])]), "outside"),
        (json!(eleven), "11 parts"),
    ] {
        let whole = split(parts).await;
        assert_eq!(whole["subtasks"].as_array().unwrap().len(), 1);
        assert!(whole["fallback"].as_str().unwrap().contains(words), "{whole}");
    }
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

/// A model's name and words come from whoever made it.
#[tokio::test]
async fn what_a_model_wrote_is_never_markup() {
    let hostile = "<img src=//evil.example/x onerror=alert(1)><script>alert(1)</script>";
    let router = door(ScriptedEngine::new().named(hostile).otherwise(move |_| Ok(hostile.to_owned())), TOKEN);
    let page = call(&router, "GET", "/dashboard", Value::Null).await;
    assert!(!page.text().contains("evil.example"), "the page is the same for every model");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for rule in
        ["default-src 'none'", "script-src 'self'", "img-src 'self'", "connect-src 'self'", "base-uri 'none'"]
    {
        assert!(policy.contains(rule), "{policy}");
    }
    let script = call(&router, "GET", "/dashboard/page.js", Value::Null).await.text();
    for markup in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"]
    {
        assert!(!script.contains(markup), "text of others is set as text only, without {markup}");
    }
    let complete = json!({"messages": messages(), "max_tokens": 256});
    for (method, path, body) in [
        ("GET", "/dashboard/api/overview", Value::Null),
        ("GET", "/model/status", Value::Null),
        ("GET", "/capabilities", Value::Null),
        ("POST", "/complete", complete),
    ] {
        let answer = call(&router, method, path, body).await;
        let kind = answer.headers["content-type"].to_str().unwrap();
        assert!(kind == "application/json" || kind == "application/x-ndjson", "{path}: {kind}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        // A stream tells it in pieces.
        let told = path == "/capabilities";
        assert_eq!(answer.text().contains("onerror"), told, "{path} tells it as data");
    }
}

#[tokio::test]
async fn the_model_is_told_in_the_published_shape() {
    let router = door(ScriptedEngine::new(), TOKEN);
    let status = call(&router, "GET", "/model/status", Value::Null).await.json();
    assert_eq!((status["model"].clone(), status["status"].clone()), (json!("scripted"), json!("ready")));
    let list = call(&router, "GET", "/model/list", Value::Null).await.json();
    let scripted = json!({
        "modelId": "scripted", "paramSize": null, "quantization": null, "installed": true, "active": true,
        "source": "local", "removable": false,
    });
    assert_eq!(list[0], scripted);
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
        ("/model/swap", json!({}), ErrorCode::ModelRequired),
        ("/model/swap", json!({"model": " "}), ErrorCode::ModelRequired),
        ("/model/pull", json!({}), ErrorCode::ModelRequired),
        ("/model/swap", json!({"model": "a b"}), ErrorCode::InvalidRequest),
        ("/model/swap", json!({"model": "x".repeat(300)}), ErrorCode::InvalidRequest),
        ("/model/swap", json!({"name": "x"}), ErrorCode::UnknownField),
        ("/model/swap", json!({"model": "unheard"}), ErrorCode::ModelNotFound),
        ("/model/swap", json!({"model": "kept", "provider": "vllm"}), ErrorCode::ModelNotFound),
    ] {
        assert_eq!(call(&router, "POST", path, body.clone()).await.code(), code, "{path} {body}");
    }
}
