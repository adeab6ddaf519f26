//! The editors' door of the real program with the shipped model: what editors send, answered by real weights.

use std::path::Path;

use serde_json::{Value, json};

use crate::rig::{Program, command};

const ASK: &str = "Write a function add(a, b) that returns the sum of a and b.";

/// A node whose engine holds the shipped model.
fn node(home: &Path) -> Program {
    let mut command = command(home);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny/edgecoder-tiny.gguf");
    command.env("EDGECODER_INFERENCE__MODEL_PATH", model).env("EDGECODER_NODE__ROLES", "inference,ide");
    Program::started(command, 2)
}

/// Status, route and text of an answer.
fn post(node: &Program, path: &str, body: &Value) -> (u16, String, String) {
    let door = node.doors.iter().find_map(|line| line.trim().strip_prefix("ide")).unwrap().trim();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    runtime.block_on(async {
        let answer = client.post(format!("{door}{path}")).json(body).send().await.unwrap();
        let route = answer.headers().get("x-edgecoder-route").map(|route| route.to_str().unwrap().to_owned());
        (answer.status().as_u16(), route.unwrap_or_default(), answer.text().await.unwrap())
    })
}

fn asked(more: Value) -> Value {
    let mut body = json!({
        "model": "edgecoder-auto", "max_tokens": 64, "messages": [{"role": "user", "content": ASK}],
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

#[test]
fn the_shipped_model_answers_in_every_dialect() {
    let home = tempfile::tempdir().unwrap();
    let node = node(home.path());
    let stream = json!({"stream": true});
    for (path, body) in [
        ("/v1/chat/completions", asked(json!({}))),
        ("/v1/chat/completions", asked(stream.clone())),
        ("/v1/responses", json!({"model": "edgecoder-local", "input": ASK, "max_output_tokens": 64})),
        ("/v1/messages", asked(json!({"system": "Be brief."}))),
        ("/v1/messages", asked(stream)),
        ("/api/chat", json!({"model": "edgecoder-tiny", "messages": [{"role": "user", "content": ASK}]})),
        ("/api/generate", json!({"model": "edgecoder-tiny:latest", "prompt": ASK})),
    ] {
        let (status, route, text) = post(&node, path, &body);
        assert_eq!(status, 200, "{path}: {text}");
        assert!(route.starts_with("local; node=node_") && route.ends_with("model=edgecoder-tiny"), "{route}");
        // Streams are cut somewhere: the word may stand in two pieces.
        assert!(text.contains("add"), "{path}: {text}");
    }
}

#[test]
fn the_shipped_model_keeps_to_schemas_and_calls_what_it_must() {
    let home = tempfile::tempdir().unwrap();
    let node = node(home.path());
    let side =
        json!({"type": "object", "properties": {"side": {"enum": ["left", "right"]}}, "required": ["side"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "turn", "schema": side}});
    let (_, _, text) = post(&node, "/v1/chat/completions", &asked(json!({"response_format": format})));
    let answer: Value = serde_json::from_str(&text).unwrap();
    let held: Value =
        serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert!(["left", "right"].contains(&held["side"].as_str().unwrap()), "{held}");
    let tools = json!([{"type": "function", "function": {"name": "turn", "parameters": side}}]);
    let (_, _, text) = post(
        &node,
        "/v1/chat/completions",
        &asked(json!({"tools": tools, "tool_choice": "required", "max_tokens": 300})),
    );
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "turn", "{answer}");
}

#[test]
fn hello_costs_few_tokens_in_every_dialect_also_with_tools() {
    let home = tempfile::tempdir().unwrap();
    let node = node(home.path());
    let tool = |index: u32| {
        let parameters =
            json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
        json!({"name": format!("tool_{index}"), "description": "Reads a file of the project.", "input_schema": parameters})
    };
    let tools: Vec<Value> = (0..5).map(tool).collect();
    let body = json!({"model": "edgecoder-auto", "messages": [{"role": "user", "content": "hello"}], "tools": tools});
    let (_, _, text) = post(&node, "/v1/messages/count_tokens", &body);
    let counted: Value = serde_json::from_str(&text).unwrap();
    let tokens = counted["input_tokens"].as_u64().unwrap();
    assert!((1..2_000).contains(&tokens), "{tokens} tokens");
}
