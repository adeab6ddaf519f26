//! `POST /v1/chat/completions`: what is answered.

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use edgecoder_worker::TokenLogprob;
use serde_json::{Value, json};

use super::chat::Style;
use super::tail::Tail;
use super::{error_body, usage};
use crate::Error;
use crate::ide::card::Card;
use crate::ide::fault::Fault;
use crate::ide::said::{Answer, Called, End, Ending, Said, Whole};
use crate::ide::sse;
use crate::ide::stamp::{Stamp, route_header, together};
use crate::ide::tell::{Tell, told_by};

/// Tells the answers in the style that was asked for.
pub(super) async fn told(answers: Vec<Answer>, style: Style, stamp: Stamp) -> Result<Response, Fault> {
    let Some(first) = answers.first() else { return Err(crate::ide::desk::broken_off().into()) };
    let headers = route_header(&first.card);
    if style.stream {
        let chunks = Chunks::new(&first.card, answers.len(), style.usage, stamp);
        return Ok(sse::events(headers, told_by(answers, chunks)));
    }
    let wholes = futures::future::try_join_all(answers.into_iter().map(Answer::whole)).await?;
    Ok((headers, Json(completion(&wholes, &stamp))).into_response())
}

fn completion(wholes: &[Whole], stamp: &Stamp) -> Value {
    let choices: Vec<Value> = wholes.iter().zip(0..).map(|(whole, index)| choice(whole, index)).collect();
    let end = wholes.last().map(|whole| &whole.end);
    json!({
        "id": stamp.id,
        "object": "chat.completion",
        "created": stamp.created,
        "model": end.map(|end| &end.card.model),
        "choices": choices,
        "usage": usage(together(wholes.iter().map(|whole| whole.end.usage))),
        "system_fingerprint": end.and_then(|end| fingerprint(&end.card)),
        "edgecoder": end.map(|end| &end.card),
    })
}

fn choice(whole: &Whole, index: u32) -> Value {
    let mut message = json!({"role": "assistant", "content": whole.text, "refusal": null});
    if !whole.calls.is_empty() {
        let calls: Vec<Value> = whole.calls.iter().map(called).collect();
        message["tool_calls"] = calls.into();
        if whole.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let logprobs = (!whole.logprobs.is_empty()).then(|| likelihoods(&whole.logprobs));
    json!({
        "index": index,
        "message": message,
        "logprobs": logprobs,
        "finish_reason": finish_reason(whole.end.why),
    })
}

fn called(called: &Called) -> Value {
    let Called { id, name, arguments } = called;
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

pub(super) const fn finish_reason(why: Ending) -> &'static str {
    match why {
        Ending::Stop => "stop",
        Ending::Length => "length",
        Ending::Calls => "tool_calls",
    }
}

/// Same model file, same answers to the same seed.
fn fingerprint(card: &Card) -> Option<String> {
    card.model_hash.map(|hash| format!("fp_{}", &hash.to_string()[..16]))
}

fn likelihoods(tokens: &[TokenLogprob]) -> Value {
    let told =
        |token: &TokenLogprob| json!({"token": token.text, "bytes": token.bytes, "logprob": token.logprob});
    let content = tokens.iter().map(|token| {
        let mut value = told(token);
        value["top_logprobs"] = token.alternatives.iter().map(told).collect();
        value
    });
    json!({"content": content.collect::<Vec<_>>(), "refusal": null})
}

/// Writes the chunks of all answers, as they come.
pub(super) struct Chunks {
    stamp: Stamp,
    model: String,
    usage_wanted: bool,
    /// Of each answer: whether it began, and the calls told so far.
    courses: Vec<(bool, u32)>,
    tail: Tail,
}

impl Chunks {
    fn new(card: &Card, answers: usize, usage_wanted: bool, stamp: Stamp) -> Self {
        let (courses, model) = (vec![(false, 0); answers], card.model.clone());
        Self { stamp, model, usage_wanted, courses, tail: Tail::of(answers, usage_wanted) }
    }

    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.stamp.id,
            "object": "chat.completion.chunk",
            "created": self.stamp.created,
            "model": self.model,
            "choices": choices,
        });
        if self.usage_wanted {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// One chunk of one answer. The first names the speaker.
    fn part(&mut self, index: usize, mut delta: Value, logprobs: Option<Value>) -> Bytes {
        if let Some(course) = self.courses.get_mut(index)
            && !std::mem::replace(&mut course.0, true)
        {
            delta["role"] = "assistant".into();
        }
        let choice = json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null});
        sse::event(&self.chunk(json!([choice])))
    }

    fn call(&mut self, index: usize, told: &Called) -> Bytes {
        let place = self.courses.get(index).map_or(0, |course| course.1);
        if let Some(course) = self.courses.get_mut(index) {
            course.1 = place.saturating_add(1);
        }
        let mut call = called(told);
        call["index"] = place.into();
        self.part(index, json!({"tool_calls": [call]}), None)
    }

    /// The last chunk of an answer, and of the stream after the last of all.
    fn end(&mut self, index: usize, end: &End) -> Vec<Bytes> {
        let choice =
            json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": finish_reason(end.why)});
        let mut chunk = self.chunk(json!([choice]));
        chunk["edgecoder"] = json!(end.card);
        let bare = self.chunk(json!([]));
        let mut told = vec![sse::event(&chunk)];
        told.extend(self.tail.after(end.usage, bare));
        told
    }
}

impl Tell for Chunks {
    fn tell(&mut self, index: usize, said: Result<Said, Error>) -> Vec<Bytes> {
        match said {
            Ok(Said::Text(text)) => vec![self.part(index, json!({"content": text}), None)],
            Ok(Said::Logprobs(tokens)) => {
                let likelihoods = likelihoods(&tokens);
                vec![self.part(index, json!({"content": ""}), Some(likelihoods))]
            }
            Ok(Said::Call(called)) => vec![self.call(index, &called)],
            Ok(Said::Done(end)) => self.end(index, &end),
            Err(error) => vec![sse::event(&error_body(&error, None))],
        }
    }
}
