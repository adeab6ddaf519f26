//! Ollama's routes.

use serde_json::{Value, json};

use crate::rig::{CALL, Rig, chat, reads, request, says};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn chats_are_streamed_as_lines_unless_asked_otherwise() {
    let answer = Rig::new(says("hello there")).post("/api/chat", chat(json!({}))).await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let lines = lines(&answer.text);
    let text: String = lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    assert_eq!(text, "hello there");
    let last = lines.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert_eq!(last["model"], "edgecoder-auto", "as the client named it");
    let whole = Rig::new(says("hello")).post("/api/chat", chat(json!({"stream": false}))).await.json();
    assert_eq!(whole["message"]["content"], "hello");
    assert!(whole["eval_count"].is_u64() && whole["total_duration"].is_u64());
}

#[tokio::test]
async fn calls_have_objects_as_arguments() {
    let body = chat(json!({"stream": false, "tools": reads(), "model": "scripted:latest"}));
    let answer = Rig::new(says(CALL)).post("/api/chat", body).await.json();
    let call = &answer["message"]["tool_calls"][0]["function"];
    assert_eq!(*call, json!({"name": "read_file", "arguments": {"path": "a.py"}}), "{answer}");
}

#[tokio::test]
async fn prompts_are_framed_or_raw() {
    let engine = says("one").reply("two");
    let rig = Rig::new(engine.clone());
    let framed = json!({"model": "scripted", "prompt": "p", "system": "s", "stream": false, "options": {"num_predict": 5}});
    assert_eq!(rig.post("/api/generate", framed).await.json()["response"], "one");
    let raw = json!({"model": "scripted", "prompt": "p", "raw": true, "stream": false, "unheard_of": 1});
    assert_eq!(rig.post("/api/generate", raw).await.json()["response"], "two");
    let asked = engine.requests();
    assert_eq!((asked[0].messages.len(), asked[0].max_tokens), (2, 5));
    assert!(asked[1].text.is_some());
}

#[tokio::test]
async fn what_curl_declares_as_a_form_is_read() {
    let mut form =
        request("POST", "/api/generate", &json!({"model": "scripted", "prompt": "p", "stream": false}));
    form.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(Rig::new(says("x")).send(form).await.status, 200);
}

#[tokio::test]
async fn models_are_told() {
    let rig = Rig::new(says("x"));
    let tags = rig.get("/api/tags").await.json();
    assert_eq!(tags["models"][0]["name"], "edgecoder-auto");
    assert_eq!(rig.get("/api/version").await.status, 200);
    assert_eq!(rig.get("/api/ps").await.json()["models"][0]["name"], "scripted");
    let shown = rig.post("/api/show", json!({"model": "scripted"})).await.json();
    assert_eq!(shown["model_info"]["llama.context_length"], 8192);
    assert_eq!(rig.post("/api/show", json!({"model": "none"})).await.status, 404);
    let loaded = rig.post("/api/generate", json!({"model": "scripted"})).await.json();
    assert_eq!(loaded["done_reason"], "load");
    let there = rig.post("/api/pull", json!({"model": "scripted"})).await.json();
    assert_eq!(there["status"], "success");
}

#[tokio::test]
async fn refusals_have_ollamas_form() {
    let check = async |path: &str, body: Value, status: u16| {
        let answer = Rig::new(says("x")).post(path, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.json()["error"].is_string(), "{}", answer.text);
    };
    check("/api/chat", chat(json!({"model": "none"})), 404).await;
    check("/api/chat", chat(json!({"think": true})), 400).await;
    check("/api/chat", chat(json!({"truncate": true})), 400).await;
    check("/api/chat", chat(json!({"shift": true})), 400).await;
    check("/api/generate", json!({"model": "scripted", "prompt": "p", "images": ["x"]}), 400).await;
    check("/api/embed", json!({"model": "scripted", "input": "x"}), 400).await;
}
