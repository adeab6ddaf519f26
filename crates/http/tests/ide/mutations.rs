//! Thousands of spoilt requests per dialect: none is a bug of ours (no 5xx), none hangs, none keeps a slot.

use std::collections::BTreeSet;

use edgecoder_inference::ScriptedEngine;
use serde_json::{Value, json};

use crate::rig::{CALL, Rig, reads, request};

/// Requests for each route of a dialect: five thousand for the dialect.
const OF_THREE_ROUTES: u32 = 1_700;
const OF_TWO_ROUTES: u32 = 2_500;

/// A small generator: the same requests in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn surprise(dice: &mut Dice) -> Value {
    let deep = (0..dice.below(90)).fold(json!(1), |inner, _| json!([inner]));
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1e308),
        json!(18_446_744_073_709_551_615_u64),
        json!(0.5),
        json!(""),
        json!("\u{0}"),
        json!("x".repeat(3_000)),
        json!("edgecoder-auto"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"type": "text", "text": "x"}),
        json!({"type": "json_schema"}),
        json!("required"),
        json!([{"role": "user", "content": "hi"}]),
        json!("<tool_call>"),
        deep,
    ];
    values[dice.below(values.len())].clone()
}

/// Changes, removes or adds something somewhere.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let deeper = dice.below(3) > 0;
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let place = dice.below(fields.len());
            let name = fields.keys().nth(place).unwrap().clone();
            match dice.below(5) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert(format!("{name}x"), surprise(dice))),
                _ => spoil(fields.get_mut(&name).unwrap(), dice),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let place = dice.below(items.len());
            match dice.below(4) {
                0 => drop(items.remove(place)),
                1 => items.push(surprise(dice)),
                _ => spoil(&mut items[place], dice),
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            *value = surprise(dice);
        }
    }
}

async fn check(path: &str, spoilt: u32, whole: Value) {
    let engine = ScriptedEngine::new().otherwise(|request| {
        Ok(if request.max_tokens % 2 == 0 { CALL.to_owned() } else { "some words".to_owned() })
    });
    let rig = Rig::new(engine);
    assert_eq!(rig.post(path, whole.clone()).await.status, 200, "{path}: the whole request is good");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut statuses = BTreeSet::new();
    for _ in 0..spoilt {
        let mut body = whole.clone();
        for _ in 0..=dice.below(2) {
            spoil(&mut body, &mut dice);
        }
        let mut bytes = body.to_string().into_bytes();
        if dice.below(20) == 0 {
            let place = dice.below(bytes.len());
            bytes[place] = b"\"{}[],:\xff0"[dice.below(9)];
        }
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let mut asked = request("POST", path, &json!({}));
        *asked.body_mut() = bytes.into();
        let answer = rig.send(asked).await;
        statuses.insert(answer.status);
        assert!(answer.status < 500, "{path} {}: {shown} → {}", answer.status, answer.text);
        assert_eq!(rig.switch.load().running, 0, "{path}: {shown} kept a slot");
    }
    assert!(statuses.contains(&200) && statuses.contains(&400), "{path}: {statuses:?}");
}

fn flat() -> Value {
    let function = reads()[0]["function"].clone();
    json!([{"type": "function", "name": function["name"], "parameters": function["parameters"]}])
}

#[tokio::test]
async fn spoilt_chats_are_refused_or_answered() {
    let messages = json!([
        {"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "t"}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]);
    let body = json!({
        "model": "scripted", "messages": messages, "tools": reads(), "tool_choice": "auto", "stream": true,
        "stream_options": {"include_usage": true}, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ["x"], "n": 1,
        "max_tokens": 9, "user": "u", "parallel_tool_calls": false,
    });
    check("/v1/chat/completions", OF_THREE_ROUTES, body).await;
}

#[tokio::test]
async fn spoilt_responses_are_refused_or_answered() {
    let input = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "t"}]},
        {"type": "function_call", "call_id": "c", "name": "read_file", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]);
    let body = json!({
        "model": "scripted", "input": input, "instructions": "i", "tools": flat(), "tool_choice": "auto", "stream": true,
        "max_output_tokens": 8, "store": true, "metadata": {"a": "b"}, "text": {"format": {"type": "text"}},
    });
    check("/v1/responses", OF_THREE_ROUTES, body).await;
}

#[tokio::test]
async fn spoilt_texts_are_refused_or_answered() {
    let body = json!({
        "model": "scripted", "prompt": ["a", "b"], "stream": false, "max_tokens": 3, "stop": "x", "n": 2, "suffix": "",
    });
    check("/v1/completions", OF_THREE_ROUTES, body).await;
}

#[tokio::test]
async fn spoilt_messages_are_refused_or_answered() {
    let messages = json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read_file", "input": {"path": "a"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]}]},
    ]);
    let schema = reads()[0]["function"]["parameters"].clone();
    let body = json!({
        "model": "scripted", "max_tokens": 9, "messages": messages, "system": [{"type": "text", "text": "s"}], "stream": true,
        "tools": [{"name": "read_file", "description": "d", "input_schema": schema}], "tool_choice": {"type": "auto"},
        "stop_sequences": ["x"], "temperature": 0.5, "top_k": 3,
    });
    check("/v1/messages", OF_TWO_ROUTES, body.clone()).await;
    let mut counted = body;
    for field in ["max_tokens", "stream", "stop_sequences", "temperature", "top_k"] {
        counted.as_object_mut().unwrap().remove(field);
    }
    check("/v1/messages/count_tokens", OF_TWO_ROUTES, counted).await;
}

#[tokio::test]
async fn spoilt_ollama_requests_are_refused_or_answered() {
    let body = json!({
        "model": "scripted:latest", "messages": [{"role": "user", "content": "q"}], "tools": reads(), "stream": true,
        "options": {"temperature": 0.5, "num_predict": 8, "stop": ["x"], "num_ctx": 9}, "keep_alive": "5m",
    });
    check("/api/chat", OF_THREE_ROUTES, body).await;
    let body =
        json!({"model": "scripted", "prompt": "p", "system": "s", "stream": false, "options": {"seed": 1}});
    check("/api/generate", OF_THREE_ROUTES, body).await;
    check("/api/show", OF_THREE_ROUTES, json!({"model": "scripted"})).await;
}
