//! How tokens are drawn: what a client says of it reaches the engine in every dialect, or is refused by its name.

use edgecoder_inference::CompletionRequest;
use serde_json::{Value, json};

use crate::rig::{Rig, chat, says};

/// A body with `more` in it, sent to a route; what the engine was asked.
async fn asked(path: &str, mut body: Value, more: Value) -> CompletionRequest {
    let engine = says("x");
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = Rig::new(engine.clone()).post(path, body).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    engine.requests().remove(0)
}

fn prompt() -> Value {
    json!({"model": "scripted", "prompt": "p", "stream": false})
}

/// As much as every dialect of local servers has.
fn all() -> Value {
    json!({
        "temperature": 0.5, "top_p": 0.75, "top_k": 7, "min_p": 0.125, "repeat_penalty": 1.5,
        "frequency_penalty": 0.25, "presence_penalty": -0.5, "seed": 3, "stop": ["END", "STOP"],
    })
}

#[track_caller]
fn is_all(path: &str, asked: &CompletionRequest) {
    let CompletionRequest { temperature, top_p, top_k, min_p, .. } = *asked;
    assert_eq!((temperature, top_p, top_k, min_p), (0.5, 0.75, 7, 0.125), "{path}");
    let penalties = (asked.repeat_penalty, asked.frequency_penalty, asked.presence_penalty);
    assert_eq!(penalties, (1.5, 0.25, -0.5), "{path}");
    assert_eq!((asked.seed, asked.max_tokens), (3, 9), "{path}");
    assert_eq!(asked.stop, ["END", "STOP"], "{path}");
}

#[tokio::test]
async fn every_dialect_hands_on_how_tokens_are_drawn() {
    let with = |name: &str, tokens: &str| {
        let mut all = all();
        all[tokens] = json!(9);
        if name.is_empty() { all } else { json!({name: all}) }
    };
    for (path, body, more) in [
        ("/v1/chat/completions", chat(json!({})), with("", "max_tokens")),
        ("/v1/chat/completions", chat(json!({"max_tokens": 500})), with("", "max_completion_tokens")),
        ("/v1/completions", prompt(), with("", "max_tokens")),
        ("/api/chat", chat(json!({"stream": false})), with("options", "num_predict")),
        ("/api/generate", prompt(), with("options", "num_predict")),
    ] {
        is_all(path, &asked(path, body, more).await);
    }
}

#[tokio::test]
async fn dialects_with_fewer_words_hand_on_those_they_have() {
    let drawn = json!({"temperature": 0.5, "top_p": 0.75, "max_output_tokens": 9});
    let responses = asked("/v1/responses", json!({"model": "scripted", "input": "hi"}), drawn).await;
    assert_eq!((responses.temperature, responses.top_p, responses.max_tokens), (0.5, 0.75, 9));
    let drawn =
        json!({"temperature": 0.5, "top_p": 0.75, "top_k": 7, "stop_sequences": ["END"], "max_tokens": 9});
    let messages = asked("/v1/messages", chat(json!({})), drawn).await;
    assert_eq!((messages.temperature, messages.top_p, messages.top_k), (0.5, 0.75, 7));
    assert_eq!((messages.max_tokens, messages.stop.as_slice()), (9, ["END".to_owned()].as_slice()));
}

/// What is asked, and the name in the refusal; none where it is taken.
async fn check(path: &str, body: Value, refused: Option<&str>) {
    let answer = Rig::new(says("x")).post(path, body.clone()).await;
    let expected = if refused.is_some() { 400 } else { 200 };
    assert_eq!(answer.status, expected, "{path} {body}: {}", answer.text);
    assert!(refused.is_none_or(|name| answer.text.contains(name)), "{path} {body}: {}", answer.text);
}

#[tokio::test]
async fn what_the_engine_does_not_do_is_refused_by_name() {
    for name in ["logit_bias", "mirostat", "typical_p", "tfs_z", "repetition_penalty", "min_tokens"] {
        let value = if name == "logit_bias" { json!({"50256": -100}) } else { json!(2) };
        check("/v1/chat/completions", chat(json!({name: value.clone()})), Some(name)).await;
        let mut body = prompt();
        body[name] = value;
        check("/v1/completions", body, Some(name)).await;
    }
    for name in ["seed", "min_p", "presence_penalty", "logit_bias", "inference_geo"] {
        check("/v1/messages", chat(json!({"max_tokens": 5, name: 1})), Some(name)).await;
    }
    for name in ["seed", "stop", "presence_penalty", "logit_bias"] {
        check("/v1/responses", json!({"model": "scripted", "input": "hi", name: 1}), Some(name)).await;
    }
    let likelihoods =
        json!({"model": "scripted", "input": "hi", "include": ["message.output_text.logprobs"]});
    check("/v1/responses", likelihoods, Some("include")).await;
    let thoughts = json!({"model": "scripted", "input": "hi", "include": ["reasoning.encrypted_content"]});
    check("/v1/responses", thoughts, None).await;
}

#[tokio::test]
async fn an_answer_of_no_tokens_is_refused_by_the_name_that_was_used() {
    for name in ["max_tokens", "max_completion_tokens"] {
        check("/v1/chat/completions", chat(json!({name: 0})), Some(name)).await;
    }
    check(
        "/v1/completions",
        json!({"model": "scripted", "prompt": "p", "max_tokens": 0}),
        Some("max_tokens"),
    )
    .await;
    let responses = json!({"model": "scripted", "input": "hi", "max_output_tokens": 0});
    check("/v1/responses", responses, Some("max_output_tokens")).await;
    check("/v1/messages", chat(json!({"max_tokens": 0})), Some("max_tokens")).await;
    check("/api/chat", chat(json!({"options": {"num_predict": 0}})), Some("options.num_predict")).await;
}

#[tokio::test]
async fn ollamas_options_are_refused_where_they_would_change_the_answer() {
    for (name, usual, other) in [
        ("mirostat", json!(0), json!(2)),
        ("typical_p", json!(1.0), json!(0.7)),
        ("tfs_z", json!(1), json!(0.5)),
        ("repeat_last_n", json!(64), json!(-1)),
    ] {
        for path in ["/api/chat", "/api/generate"] {
            let with = |value: &Value| {
                let mut body = chat(json!({"prompt": "p", "stream": false}));
                body["options"] = json!({name: value, "num_ctx": 4096, "unheard_of": 1});
                body
            };
            check(path, with(&usual), None).await;
            check(path, with(&Value::Null), None).await;
            check(path, with(&other), Some(&format!("options.{name}"))).await;
        }
    }
}
