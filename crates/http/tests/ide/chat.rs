//! OpenAI's chats and completions.

use edgecoder_inference::{Error, ScriptedEngine};
use serde_json::{Value, json};

use crate::rig::{Rig, chat, request, says};

#[tokio::test]
async fn a_whole_answer_has_openais_form_and_says_where_it_was_made() {
    let rig = Rig::new(says("hello there"));
    let answer = rig.post("/v1/chat/completions", chat(json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["x-edgecoder-route"], "local; node=here; model=scripted");
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "hello there");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["completion_tokens"], 2);
    let card = &body["edgecoder"];
    assert_eq!(
        (&card["route"], &card["tier"], &card["window"]),
        (&json!("local"), &json!("devices"), &json!(8192))
    );
}

#[tokio::test]
async fn a_stream_begins_with_the_speaker_and_ends_with_usage_and_done() {
    let rig = Rig::new(says("hello there"));
    let asked = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let answer = rig.post("/v1/chat/completions", asked).await;
    let events = answer.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "hello there");
    let [.., last, usage] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 2);
    assert!(answer.text.ends_with("data: [DONE]\n\n"));
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn what_is_asked_reaches_the_engine() {
    let engine = says("x");
    let rig = Rig::new(engine.clone());
    let asked = json!({
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "frame"},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        ],
        "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["END"], "max_completion_tokens": 9,
        "frequency_penalty": 0.25, "presence_penalty": -0.5, "user": "me", "store": false, "n": 1,
    });
    let answer = rig.post("/v1/chat/completions", asked).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let asked = engine.requests().remove(0);
    let said: Vec<_> = asked.messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(said, ["frame", "one\ntwo"]);
    assert_eq!((asked.temperature, asked.top_p, asked.seed, asked.max_tokens), (0.5, 0.9, 7, 9));
    assert_eq!((asked.frequency_penalty, asked.presence_penalty), (0.25, -0.5));
    assert_eq!(asked.stop, ["END"]);
}

#[tokio::test]
async fn several_answers_stand_side_by_side() {
    for stream in [false, true] {
        let rig = Rig::new(ScriptedEngine::new().reply("one").reply("two"));
        let answer = rig.post("/v1/chat/completions", chat(json!({"n": 2, "stream": stream}))).await;
        if stream {
            let ends = answer.events().iter().filter(|e| e["choices"][0]["finish_reason"] == "stop").count();
            assert_eq!((ends, answer.text.matches("[DONE]").count()), (2, 1));
        } else {
            let mut told: Vec<_> = answer.json()["choices"].as_array().unwrap().clone();
            told.sort_by_key(|choice| choice["index"].as_u64());
            assert_eq!(told[1]["index"], 1);
        }
    }
}

#[tokio::test]
async fn refusals_have_openais_form_and_name_the_parameter() {
    let check = async |body: Value, status: u16, code: &str, param: Value| {
        let answer = Rig::new(says("x")).post("/v1/chat/completions", body.clone()).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["param"]), (status, &param), "{body}: {error}");
        assert_eq!(error["code"], code, "{body}: {error}");
        assert!(error["message"].is_string() && error["type"].is_string());
    };
    check(chat(json!({"nonsense": 1})), 400, "unknown_parameter", json!("nonsense")).await;
    check(chat(json!({"logit_bias": {"1": 2}})), 400, "invalid_request", json!("logit_bias")).await;
    check(chat(json!({"n": 0})), 400, "invalid_request", json!("n")).await;
    check(chat(json!({"temperature": "hot"})), 400, "invalid_request", json!("temperature")).await;
    check(chat(json!({"temperature": -1})), 400, "invalid_request", json!(null)).await;
    check(chat(json!({"model": "gpt-9"})), 404, "model_not_found", json!(null)).await;
    check(chat(json!({"model": "edgecoder-swarm"})), 400, "no_place", json!(null)).await;
    check(chat(json!({"tool_choice": "required"})), 400, "invalid_request", json!(null)).await;
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]);
    check(chat(json!({"messages": image})), 400, "invalid_request", json!("messages[0].content[0]")).await;
    check(json!({"messages": []}), 400, "invalid_request", json!(null)).await;
    let long = json!([{"role": "user", "content": "word ".repeat(9_000)}]);
    check(chat(json!({"messages": long})), 400, "context_length_exceeded", json!(null)).await;
}

#[tokio::test]
async fn other_paths_and_methods_answer_in_the_dialect_of_the_path() {
    let rig = Rig::new(says("x"));
    assert_eq!(rig.get("/v1/nowhere").await.json()["error"]["code"], "route_not_found");
    assert_eq!(rig.get("/v1/chat/completions").await.status, 405);
    assert_eq!(rig.get("/v1/messages/x").await.json()["type"], "error");
    assert!(rig.get("/api/nowhere").await.json()["error"].is_string());
    assert_eq!(rig.get("/nowhere").await.json()["code"], "route_not_found");
}

#[tokio::test]
async fn an_answer_that_breaks_is_an_error_in_the_stream_and_a_status_before_it() {
    let crash = || Error::EngineCrashed { reason: "signal 9".into() };
    let rig = Rig::new(ScriptedEngine::new().break_after("half an answer", crash()).fail(Error::Overloaded));
    let answer = rig.post("/v1/chat/completions", chat(json!({"stream": true}))).await;
    assert_eq!(answer.events().last().unwrap()["error"]["code"], "model_unavailable");
    assert!(!answer.text.contains("[DONE]") && !answer.text.contains("signal 9"));
    let answer = rig.post("/v1/chat/completions", chat(json!({"stream": true}))).await;
    assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &"1".parse().unwrap()));
}

#[tokio::test]
async fn texts_are_gone_on_with_and_gaps_need_a_model_for_it() {
    let engine = says(" world");
    let rig = Rig::new(engine.clone());
    let answer = rig.post("/v1/completions", json!({"model": "scripted", "prompt": "hello"})).await;
    assert_eq!(answer.json()["choices"][0]["text"], " world");
    assert_eq!(engine.requests()[0].max_tokens, 16, "as OpenAI does");
    let gap = json!({"model": "scripted", "prompt": "a", "suffix": "b"});
    let answer = rig.post("/v1/completions", gap).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("filling a gap"), "{}", answer.text);
}

#[tokio::test]
async fn a_schema_that_the_engine_cannot_keep_is_refused() {
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    let answer =
        Rig::new(says("x")).post("/v1/chat/completions", chat(json!({"response_format": format}))).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("schema"), "{}", answer.text);
}

#[tokio::test]
async fn models_can_be_listed_and_looked_up() {
    let rig = Rig::new(says("x"));
    let listed = rig.get("/v1/models").await.json();
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["edgecoder-auto", "edgecoder-local", "edgecoder-swarm", "scripted"]);
    assert_eq!(rig.get("/v1/models/scripted").await.json()["object"], "model");
    assert_eq!(rig.get("/v1/models/none").await.status, 404);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_before_anything_is_asked() {
    let rig = Rig::new(says("x"));
    let mut plain = request("POST", "/v1/chat/completions", &chat(json!({})));
    plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(rig.send(plain).await.status, 415);
    let mut broken = request("POST", "/v1/chat/completions", &Value::Null);
    *broken.body_mut() = "{".repeat(200_000).into();
    assert_eq!(rig.send(broken).await.status, 400);
}
