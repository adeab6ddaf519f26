//! `POST /v1/responses`: what is answered. A response is a list of items: one message, and the calls behind it.

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use edgecoder_worker::TokenUsage;
use serde_json::{Value, json};

use super::error_body;
use super::responses::Echo;
use crate::Error;
use crate::ide::State;
use crate::ide::ask::{PastCall, Turn};
use crate::ide::card::Card;
use crate::ide::fault::Fault;
use crate::ide::said::{Answer, Called, End, Ending, Said, Whole};
use crate::ide::sse;
use crate::ide::stamp::{Stamp, route_header};
use crate::ide::tell::{Tell, told_by};

/// Tells the answer in the style that was asked for, and keeps it where that was asked for.
pub(super) async fn told(
    answer: Answer,
    stream: bool,
    echo: Echo,
    conversation: Vec<Turn>,
    state: State,
) -> Result<Response, Fault> {
    let headers = route_header(&answer.card);
    let (stamp, card) = (state.stamp("resp"), answer.card.clone());
    let mut writer =
        Writer { stamp, card, echo, conversation, state, text: String::new(), calls: Vec::new(), number: 0 };
    if stream {
        return Ok(sse::events(headers, told_by(vec![answer], writer)));
    }
    let Whole { text, calls, end, .. } = answer.whole().await?;
    (writer.text, writer.calls) = (text, calls);
    let response = writer.ended(&end);
    Ok((headers, Json(response)).into_response())
}

/// Writes the events of a response, and gathers what it consists of.
struct Writer {
    stamp: Stamp,
    card: Card,
    echo: Echo,
    conversation: Vec<Turn>,
    state: State,
    text: String,
    calls: Vec<Called>,
    number: u32,
}

impl Writer {
    /// The response as far as it is there.
    fn response(&self, status: &str, output: &[Value], usage: Option<TokenUsage>) -> Value {
        json!({
            "id": self.stamp.id,
            "object": "response",
            "created_at": self.stamp.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": self.echo.instructions,
            "max_output_tokens": self.card.max_tokens,
            "metadata": self.echo.metadata,
            "model": self.card.model,
            "output": output,
            "parallel_tool_calls": self.echo.several_calls,
            "previous_response_id": self.echo.previous,
            "store": self.echo.store,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": usage.map(cost),
        })
    }

    fn message_id(&self) -> String {
        self.stamp.id.replacen("resp", "msg", 1)
    }

    fn message(&self, status: &str) -> Value {
        let content = if status == "completed" { json!([output_text(&self.text)]) } else { json!([]) };
        json!({"id": self.message_id(), "type": "message", "role": "assistant", "status": status, "content": content})
    }

    fn call(called: &Called, status: &str, arguments: &str) -> Value {
        let Called { id, name, .. } = called;
        let item = id.replacen("call", "fc", 1);
        json!({"id": item, "type": "function_call", "status": status, "call_id": id, "name": name, "arguments": arguments})
    }

    /// The message stands first; an answer of calls alone has none.
    fn output(&self) -> Vec<Value> {
        let speaks = !self.text.is_empty() || self.calls.is_empty();
        let message = speaks.then(|| self.message("completed"));
        let calls = self.calls.iter().map(|called| Self::call(called, "completed", &called.arguments));
        message.into_iter().chain(calls).collect()
    }

    /// The whole response. Keeps the conversation for the next one.
    fn ended(&mut self, end: &End) -> Value {
        let cut = end.why == Ending::Length;
        let mut response =
            self.response(if cut { "incomplete" } else { "completed" }, &self.output(), Some(end.usage));
        if cut {
            response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        response["edgecoder"] = json!(end.card);
        if self.echo.store {
            let mut conversation = std::mem::take(&mut self.conversation);
            let calls = self.calls.iter().map(|called| PastCall {
                name: called.name.clone(),
                arguments: serde_json::from_str(&called.arguments).unwrap_or_default(),
            });
            conversation.push(Turn::Assistant(self.text.clone(), calls.collect()));
            self.state.kept().keep(&self.stamp.id, conversation);
        }
        response
    }

    fn event(&mut self, name: &'static str, mut body: Value) -> Bytes {
        body["type"] = name.into();
        body["sequence_number"] = self.number.into();
        self.number = self.number.saturating_add(1);
        sse::named_event(name, &body)
    }

    fn place(&self) -> Value {
        json!({"item_id": self.message_id(), "output_index": 0, "content_index": 0})
    }

    fn with_place(&self, more: Value) -> Value {
        let mut place = self.place();
        if let (Some(place), Value::Object(more)) = (place.as_object_mut(), more) {
            place.extend(more);
        }
        place
    }

    fn text(&mut self, text: &str) -> Vec<Bytes> {
        let mut told = Vec::new();
        if self.text.is_empty() {
            let item = self.message("in_progress");
            told.push(self.event("response.output_item.added", json!({"output_index": 0, "item": item})));
            let part = self.with_place(json!({"part": output_text("")}));
            told.push(self.event("response.content_part.added", part));
        }
        self.text.push_str(text);
        let delta = self.with_place(json!({"delta": text, "logprobs": []}));
        told.push(self.event("response.output_text.delta", delta));
        told
    }

    fn end_text(&mut self) -> Vec<Bytes> {
        let done = self.with_place(json!({"text": self.text, "logprobs": []}));
        let part = self.with_place(json!({"part": output_text(&self.text)}));
        let item = self.message("completed");
        vec![
            self.event("response.output_text.done", done),
            self.event("response.content_part.done", part),
            self.event("response.output_item.done", json!({"output_index": 0, "item": item})),
        ]
    }

    fn called(&mut self, called: Called) -> Vec<Bytes> {
        let first = self.calls.is_empty() && !self.text.is_empty();
        let mut told = if first { self.end_text() } else { Vec::new() };
        let index = self.calls.len() + usize::from(!self.text.is_empty());
        let begun = Self::call(&called, "in_progress", "");
        let whole = Self::call(&called, "completed", &called.arguments);
        let place = json!({"item_id": whole["id"], "output_index": index});
        let (mut delta, mut done) = (place.clone(), place);
        delta["delta"] = called.arguments.as_str().into();
        done["arguments"] = called.arguments.as_str().into();
        done["name"] = called.name.as_str().into();
        told.push(self.event("response.output_item.added", json!({"output_index": index, "item": begun})));
        told.push(self.event("response.function_call_arguments.delta", delta));
        told.push(self.event("response.function_call_arguments.done", done));
        told.push(self.event("response.output_item.done", json!({"output_index": index, "item": whole})));
        self.calls.push(called);
        told
    }

    fn end(&mut self, end: &End) -> Vec<Bytes> {
        let mut told = Vec::new();
        if self.calls.is_empty() {
            if self.text.is_empty() {
                told = self.text("");
            }
            told.extend(self.end_text());
        }
        let name = if end.why == Ending::Length { "response.incomplete" } else { "response.completed" };
        let response = self.ended(end);
        told.push(self.event(name, json!({"response": response})));
        told
    }
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn cost(usage: TokenUsage) -> Value {
    let TokenUsage { prompt_tokens, output_tokens, .. } = usage;
    json!({
        "input_tokens": prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt_tokens.saturating_add(output_tokens),
    })
}

impl Tell for Writer {
    fn begin(&mut self) -> Vec<Bytes> {
        let response = self.response("in_progress", &[], None);
        let created = self.event("response.created", json!({"response": response}));
        vec![created, self.event("response.in_progress", json!({"response": response}))]
    }

    fn tell(&mut self, _: usize, said: Result<Said, Error>) -> Vec<Bytes> {
        match said {
            Ok(Said::Text(text)) => self.text(&text),
            Ok(Said::Logprobs(_)) => Vec::new(),
            Ok(Said::Call(called)) => self.called(called),
            Ok(Said::Done(end)) => self.end(&end),
            Err(error) => {
                let body = error_body(&error, None);
                let told = json!({"code": body["error"]["code"], "message": error.message});
                let mut response = self.response("failed", &[], None);
                response["error"] = told.clone();
                let mut event = told;
                event["param"] = Value::Null;
                vec![self.event("error", event), self.event("response.failed", json!({"response": response}))]
            }
        }
    }
}
