//! `POST /v1/messages`: what is answered.

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use edgecoder_worker::TokenUsage;
use serde_json::{Value, json};

use super::error_body;
use crate::Error;
use crate::ide::card::Card;
use crate::ide::fault::Fault;
use crate::ide::said::{Answer, Called, End, Ending, Said, Whole};
use crate::ide::sse;
use crate::ide::stamp::{Stamp, route_header};
use crate::ide::tell::{Tell, told_by};

/// Tells the answer in the style that was asked for.
pub(super) async fn told(answer: Answer, stream: bool, stamp: Stamp) -> Result<Response, Fault> {
    let headers = route_header(&answer.card);
    if stream {
        let (card, prompt_tokens) = (answer.card.clone(), answer.prompt_tokens);
        let events = Events { stamp, card, prompt_tokens, blocks: 0, in_text: false };
        return Ok(sse::events(headers, told_by(vec![answer], events)));
    }
    let Whole { text, calls, end, .. } = answer.whole().await?;
    let mut content = Vec::new();
    if !text.is_empty() || calls.is_empty() {
        content.push(json!({"type": "text", "text": text, "citations": null}));
    }
    content.extend(calls.iter().map(|called| tool_use(called, input(called))));
    let mut message = message(&stamp, &end.card, end.usage);
    message["content"] = content.into();
    message["stop_reason"] = stop_reason(end.why).into();
    message["edgecoder"] = json!(end.card);
    Ok((headers, Json(message)).into_response())
}

fn message(stamp: &Stamp, card: &Card, usage: TokenUsage) -> Value {
    json!({
        "id": stamp.id,
        "type": "message",
        "role": "assistant",
        "model": card.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": cost(usage),
    })
}

fn cost(usage: TokenUsage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    })
}

const fn stop_reason(why: Ending) -> &'static str {
    match why {
        Ending::Stop => "end_turn",
        Ending::Length => "max_tokens",
        Ending::Calls => "tool_use",
    }
}

fn tool_use(called: &Called, input: Value) -> Value {
    json!({"type": "tool_use", "id": called.id, "name": called.name, "input": input})
}

fn input(called: &Called) -> Value {
    // The rules have written it: it is an object.
    serde_json::from_str(&called.arguments).unwrap_or_default()
}

/// Writes the events of an answer: blocks, each begun and ended.
struct Events {
    stamp: Stamp,
    card: Card,
    prompt_tokens: u32,
    blocks: u32,
    in_text: bool,
}

impl Events {
    fn event(name: &'static str, mut body: Value) -> Bytes {
        body["type"] = name.into();
        sse::named_event(name, &body)
    }

    fn start(&self, block: &Value) -> Bytes {
        Self::event("content_block_start", json!({"index": self.blocks, "content_block": block}))
    }

    fn delta(&self, delta: &Value) -> Bytes {
        Self::event("content_block_delta", json!({"index": self.blocks, "delta": delta}))
    }

    fn stop(&mut self) -> Bytes {
        let index = self.blocks;
        self.blocks = index.saturating_add(1);
        Self::event("content_block_stop", json!({"index": index}))
    }

    fn end_text(&mut self) -> Option<Bytes> {
        std::mem::take(&mut self.in_text).then(|| self.stop())
    }

    fn text(&mut self, text: &str) -> Vec<Bytes> {
        let begun = std::mem::replace(&mut self.in_text, true);
        let start = (!begun).then(|| self.start(&json!({"type": "text", "text": ""})));
        start.into_iter().chain([self.delta(&json!({"type": "text_delta", "text": text}))]).collect()
    }

    fn call(&mut self, called: &Called) -> Vec<Bytes> {
        let mut told: Vec<Bytes> = self.end_text().into_iter().collect();
        told.push(self.start(&tool_use(called, json!({}))));
        told.push(self.delta(&json!({"type": "input_json_delta", "partial_json": called.arguments})));
        told.push(self.stop());
        told
    }

    fn end(&mut self, end: &End) -> Vec<Bytes> {
        // A message without a block is one that clients stumble over.
        let empty = self.blocks == 0 && !self.in_text;
        let mut told = if empty { self.text("") } else { Vec::new() };
        told.extend(self.end_text());
        told.push(Self::event(
            "message_delta",
            json!({
                "delta": {"stop_reason": stop_reason(end.why), "stop_sequence": null},
                "usage": cost(end.usage),
                "edgecoder": end.card,
            }),
        ));
        told.push(Self::event("message_stop", json!({})));
        told
    }
}

impl Tell for Events {
    fn begin(&mut self) -> Vec<Bytes> {
        let usage = TokenUsage { prompt_tokens: self.prompt_tokens, ..TokenUsage::default() };
        let message = message(&self.stamp, &self.card, usage);
        vec![Self::event("message_start", json!({"message": message})), Self::event("ping", json!({}))]
    }

    fn tell(&mut self, _: usize, said: Result<Said, Error>) -> Vec<Bytes> {
        match said {
            Ok(Said::Text(text)) => self.text(&text),
            Ok(Said::Logprobs(_)) => Vec::new(),
            Ok(Said::Call(called)) => self.call(&called),
            Ok(Said::Done(end)) => self.end(&end),
            Err(error) => vec![Self::event("error", error_body(&error))],
        }
    }
}
