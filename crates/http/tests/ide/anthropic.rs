//! Anthropic's messages.

use serde_json::{Value, json};

use crate::rig::{CALL, Rig, says};

fn asked(more: Value) -> Value {
    let mut body = json!({
        "model": "edgecoder-auto", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}],
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn reads() -> Value {
    json!([{"name": "read_file", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}])
}

#[tokio::test]
async fn a_whole_message_has_anthropics_form() {
    let body = Rig::new(says("hello there")).post("/v1/messages", asked(json!({}))).await.json();
    assert_eq!((&body["type"], &body["stop_reason"]), (&json!("message"), &json!("end_turn")), "{body}");
    assert_eq!(body["content"][0]["text"], "hello there");
    assert_eq!(body["usage"]["output_tokens"], 2);
    assert_eq!(body["edgecoder"]["route"], "local");
}

#[tokio::test]
async fn events_open_and_close_every_block() {
    let answer =
        Rig::new(says(CALL)).post("/v1/messages", asked(json!({"stream": true, "tools": reads()}))).await;
    let events = answer.events();
    let mut kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    let expected = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected);
    let call = events.iter().find(|event| event["content_block"]["type"] == "tool_use").unwrap();
    assert_eq!((&call["index"], &call["content_block"]["name"]), (&json!(1), &json!("read_file")));
    let input = events.iter().find(|event| event["delta"]["type"] == "input_json_delta").unwrap();
    assert_eq!(input["delta"]["partial_json"], "{\"path\":\"a.py\"}");
    let end = events.iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
}

#[tokio::test]
async fn blocks_become_turns() {
    let engine = says("x");
    let messages = json!([
        {"role": "user", "content": "read it"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Yes."},
            {"type": "tool_use", "id": "t", "name": "read_file", "input": {"path": "a"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "code"}]},
            {"type": "text", "text": "and now?"},
        ]},
    ]);
    let system = json!([{"type": "text", "text": "frame", "cache_control": {"type": "ephemeral"}}]);
    let answer = Rig::new(engine.clone())
        .post("/v1/messages", asked(json!({"messages": messages, "system": system})))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let asked = engine.requests().remove(0);
    let roles: Vec<_> = asked.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
    assert_eq!(asked.messages[3].content, "code");
    assert!(asked.messages[2].content.starts_with("Yes.\n<tool_call>\n"));
}

#[tokio::test]
async fn tokens_are_counted() {
    let body = Rig::new(says("x"))
        .post(
            "/v1/messages/count_tokens",
            json!({"model": "scripted", "messages": [{"role": "user", "content": "hi"}]}),
        )
        .await
        .json();
    assert!(body["input_tokens"].as_u64().unwrap() > 0, "{body}");
}

#[tokio::test]
async fn refusals_have_anthropics_form() {
    let check = async |body: Value, status: u16, kind: &str| {
        let answer = Rig::new(says("x")).post("/v1/messages", body.clone()).await;
        let error = answer.json();
        assert_eq!((answer.status, &error["error"]["type"]), (status, &json!(kind)), "{body}: {error}");
        assert_eq!(error["type"], "error");
        assert!(error["request_id"].is_string());
    };
    check(
        json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}),
        400,
        "invalid_request_error",
    )
    .await;
    check(asked(json!({"surprise": 1})), 400, "invalid_request_error").await;
    check(asked(json!({"thinking": {"type": "enabled", "budget_tokens": 9}})), 400, "invalid_request_error")
        .await;
    check(asked(json!({"model": "claude-9"})), 404, "not_found_error").await;
    check(asked(json!({"tools": [{"type": "bash_20250124", "name": "bash"}]})), 400, "invalid_request_error")
        .await;
}
