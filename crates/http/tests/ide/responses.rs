//! OpenAI's responses.

use edgecoder_inference::ScriptedEngine;
use serde_json::{Value, json};

use crate::rig::{CALL, Rig, says};

fn asked(more: Value) -> Value {
    let mut body = json!({"model": "edgecoder-auto", "input": "hello"});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn reads() -> Value {
    let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    json!([{"type": "function", "name": "read_file", "parameters": parameters}])
}

#[tokio::test]
async fn a_conversation_goes_on_from_an_answer() {
    let engine = ScriptedEngine::new().reply("first").reply("second");
    let rig = Rig::new(engine.clone());
    let first = rig.post("/v1/responses", asked(json!({"instructions": "frame"}))).await.json();
    assert_eq!((&first["object"], &first["status"]), (&json!("response"), &json!("completed")), "{first}");
    assert_eq!(first["output"][0]["content"][0]["text"], "first");
    let next = asked(json!({"input": "and?", "previous_response_id": first["id"]}));
    assert_eq!(rig.post("/v1/responses", next).await.json()["output"][0]["content"][0]["text"], "second");
    let said: Vec<_> = engine.requests()[1].messages.iter().map(|message| message.content.clone()).collect();
    assert_eq!(said, ["hello", "first", "and?"], "instructions are of one request only");
    let gone = rig.post("/v1/responses", asked(json!({"previous_response_id": "resp-x"}))).await;
    assert_eq!((gone.status, &gone.json()["error"]["param"]), (404, &json!("previous_response_id")));
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_not() {
    let rig = Rig::new(ScriptedEngine::new().reply("first").reply("second"));
    let first = rig.post("/v1/responses", asked(json!({"store": false}))).await.json();
    let next = rig.post("/v1/responses", asked(json!({"previous_response_id": first["id"]}))).await;
    assert_eq!(next.status, 404);
}

#[tokio::test]
async fn events_are_numbered_and_end_with_the_whole_response() {
    let answer =
        Rig::new(says(CALL)).post("/v1/responses", asked(json!({"stream": true, "tools": reads()}))).await;
    let events = answer.events();
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..u64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    let mut kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds, expected);
    let output = &events.last().unwrap()["response"]["output"];
    assert_eq!((&output[0]["type"], &output[1]["name"]), (&json!("message"), &json!("read_file")));
}

#[tokio::test]
async fn items_become_turns() {
    let engine = says("x");
    let input = json!([
        {"role": "developer", "content": "frame"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "read"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "read_file", "arguments": "{\"path\":\"a\"}"},
        {"type": "function_call_output", "call_id": "c", "output": "code"},
    ]);
    let answer = Rig::new(engine.clone()).post("/v1/responses", asked(json!({"input": input}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let asked = engine.requests().remove(0);
    let roles: Vec<_> = asked.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
}

#[tokio::test]
async fn a_cut_answer_is_incomplete_and_refusals_name_the_parameter() {
    let cut = Rig::new(ScriptedEngine::new().reply_cut("half"))
        .post("/v1/responses", asked(json!({})))
        .await
        .json();
    assert_eq!(
        (&cut["status"], &cut["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    for (more, param) in [
        (json!({"reasoning": {"effort": "high"}}), "reasoning"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"truncation": "auto"}), "truncation"),
        (json!({"surprise": 1}), "surprise"),
    ] {
        let answer = Rig::new(says("x")).post("/v1/responses", asked(more)).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!(param)));
    }
}
