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
    let (_, _, text) =
        post(&node, "/v1/chat/completions", &asked(json!({"response_format": format, "max_tokens": 300})));
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

/// Counted by the shipped model's own tokenizer, with five tools wherever tools are taken.
#[test]
fn hello_costs_few_tokens_on_every_surface() {
    let home = tempfile::tempdir().unwrap();
    let node = node(home.path());
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    let five =
        |tool: &dyn Fn(String) -> Value| Value::Array((0..5).map(|n| tool(format!("tool_{n}"))).collect());
    let words = "Reads a file of the project.";
    let nested = five(
        &|name| json!({"type": "function", "function": {"name": name, "description": words, "parameters": schema}}),
    );
    let flat =
        five(&|name| json!({"type": "function", "name": name, "description": words, "parameters": schema}));
    let anthropic = five(&|name| json!({"name": name, "description": words, "input_schema": schema}));
    let hello = json!([{"role": "user", "content": "hello"}]);
    let model = "edgecoder-auto";
    for (path, body, counted) in [
        (
            "/v1/chat/completions",
            json!({"messages": hello, "tools": nested, "max_tokens": 1}),
            "/usage/prompt_tokens",
        ),
        ("/v1/completions", json!({"prompt": "hello", "max_tokens": 1}), "/usage/prompt_tokens"),
        (
            "/v1/responses",
            json!({"input": "hello", "tools": flat, "max_output_tokens": 16}),
            "/usage/input_tokens",
        ),
        (
            "/v1/messages",
            json!({"messages": hello, "tools": anthropic, "max_tokens": 1}),
            "/usage/input_tokens",
        ),
        ("/v1/messages/count_tokens", json!({"messages": hello, "tools": anthropic}), "/input_tokens"),
        (
            "/api/chat",
            json!({"messages": hello, "tools": nested, "stream": false, "options": {"num_predict": 1}}),
            "/prompt_eval_count",
        ),
        (
            "/api/generate",
            json!({"prompt": "hello", "stream": false, "options": {"num_predict": 1}}),
            "/prompt_eval_count",
        ),
    ] {
        let mut body = body;
        body["model"] = json!(model);
        let (status, _, text) = post(&node, path, &body);
        assert_eq!(status, 200, "{path}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let tokens = answer.pointer(counted).and_then(Value::as_u64);
        assert!(
            tokens.is_some_and(|tokens| (1..2_000).contains(&tokens)),
            "{path}: {tokens:?} tokens: {text}"
        );
    }
}

#[test]
fn an_mcp_server_without_a_node_says_how_to_start_one() {
    let home = tempfile::tempdir().unwrap();
    let output = command(home.path()).arg("mcp").output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("edgecoder up") && output.stdout.is_empty(), "{said}");
}
