//! Tool calls: read whatever way the model wrote them, asked for again when nobody can read them.

use edgecoder_inference::ScriptedEngine;
use serde_json::{Value, json};

use crate::rig::{CALL, Rig, chat, reads, says};

/// The start of a call that nobody can read.
const BROKEN: &str = "<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": }}\n</tool_call>";

fn asked(more: Value) -> Value {
    let mut body = chat(more);
    body["tools"] = reads();
    body
}

#[tokio::test]
async fn a_call_is_told_as_one_and_its_text_before_it() {
    let rig = Rig::new(says(CALL));
    let body = rig.post("/v1/chat/completions", asked(json!({}))).await.json();
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{body}");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"], json!({"name": "read_file", "arguments": "{\"path\":\"a.py\"}"}));
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!(choice["message"]["content"].as_str().unwrap().trim(), "Let me look.");
}

#[tokio::test]
async fn half_a_call_never_leaks_into_a_stream() {
    let rig = Rig::new(says(CALL));
    let answer = rig.post("/v1/chat/completions", asked(json!({"stream": true}))).await;
    let events = answer.events();
    let text: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text.trim(), "Let me look.");
    let call =
        events.iter().find_map(|event| event["choices"][0]["delta"]["tool_calls"][0].as_object()).unwrap();
    assert_eq!(call["index"], 0);
    assert_eq!(call["function"]["name"], "read_file");
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_call_that_nobody_can_read_is_asked_for_again_visibly() {
    let engine = ScriptedEngine::new().reply(BROKEN).reply(CALL);
    let rig = Rig::new(engine.clone());
    let body = rig.post("/v1/chat/completions", asked(json!({}))).await.json();
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls", "{body}");
    assert!(body["edgecoder"]["notes"][0].as_str().unwrap().contains("asked for again"), "{body}");
    let again = engine.requests().remove(1);
    assert_eq!(again.messages.len(), 4, "what was written and the reason stand behind the request");
}

#[tokio::test]
async fn what_stays_unreadable_is_an_error_and_never_prose() {
    let broken = || ScriptedEngine::new().otherwise(|_| Ok(BROKEN.to_owned()));
    let answer = Rig::new(broken()).post("/v1/chat/completions", asked(json!({}))).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (422, &json!("tool_call_unreadable")));
    let answer = Rig::new(broken()).post("/v1/chat/completions", asked(json!({"stream": true}))).await;
    assert!(!answer.text.contains("read_file"), "{}", answer.text);
    assert_eq!(answer.events().last().unwrap()["error"]["code"], "tool_call_unreadable");
}

#[tokio::test]
async fn a_call_that_must_come_and_does_not_is_an_error() {
    let answer = Rig::new(says("I would rather talk."))
        .post("/v1/chat/completions", asked(json!({"tool_choice": "required"})))
        .await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "other"}}});
    assert_eq!(Rig::new(says("x")).post("/v1/chat/completions", asked(named)).await.status, 400);
}

#[tokio::test]
async fn without_tools_to_call_everything_is_text() {
    let body =
        Rig::new(says(CALL)).post("/v1/chat/completions", asked(json!({"tool_choice": "none"}))).await.json();
    assert_eq!(body["choices"][0]["message"]["content"], CALL);
}

#[tokio::test]
async fn hello_with_tools_costs_few_tokens() {
    let engine = says("hi");
    Rig::new(engine.clone()).post("/v1/chat/completions", asked(json!({}))).await;
    let bytes: usize = engine.requests()[0].messages.iter().map(|message| message.content.len()).sum();
    assert!(bytes < 2_000, "{bytes} bytes, so fewer tokens than that");
}
