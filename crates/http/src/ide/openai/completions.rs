//! `POST /v1/completions`: going on with a text, and filling a gap, which is what autocompletion in editors asks for.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse as _, Response};
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::chat::{StreamOptions, Style};
use super::chat_answer::finish_reason;
use super::tail::Tail;
use super::{LOGIT_BIAS, USER, error_body, usage};
use crate::Error;
use crate::extract::Closing;
use crate::ide::State;
use crate::ide::ask::{Ask, Prompt, Sampling};
use crate::ide::body::{Sent, Stops};
use crate::ide::fault::Fault;
use crate::ide::parameters::{Endpoint, Unknown, honoured, only, refused};
use crate::ide::prompt::SEVERAL_TEMPERATURE;
use crate::ide::room;
use crate::ide::said::{Answer, End, Said, Whole};
use crate::ide::sse;
use crate::ide::stamp::{Stamp, route_header, together};
use crate::ide::tell::{Tell, told_by};

/// OpenAI's default: completions are short.
const USUAL_TOKENS: u32 = 16;
/// Most answers of one request: each takes a slot.
const MAX_ANSWERS: usize = 16;

pub(in crate::ide) const ENDPOINT: Endpoint = Endpoint {
    method: "POST",
    path: "/v1/completions",
    unknown: Unknown::Refused,
    parameters: &[
        honoured("model"),
        honoured("prompt"),
        honoured("suffix"),
        honoured("stream"),
        honoured("stream_options"),
        honoured("max_tokens"),
        honoured("temperature"),
        honoured("top_p"),
        honoured("top_k"),
        honoured("min_p"),
        honoured("repeat_penalty"),
        honoured("frequency_penalty"),
        honoured("presence_penalty"),
        honoured("seed"),
        honoured("stop"),
        honoured("n"),
        USER,
        LOGIT_BIAS,
        only("best_of", &["1"], "every answer that is made is told"),
        refused("echo", "the client has its prompt already"),
        refused("logprobs", "use `/v1/chat/completions`"),
    ],
    notes: &[
        "With `suffix` the gap between `prompt` and `suffix` is filled, for models whose file names the tokens for it.",
        "`prompt` is a text or a list of texts; lists of token ids are refused.",
    ],
};

/// A text to go on with.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::ide) struct TextRequest {
    model: String,
    prompt: Prompts,
    suffix: Option<String>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i32>,
    min_p: Option<f32>,
    repeat_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    seed: Option<i64>,
    stop: Option<Stops>,
    n: Option<u32>,
}

/// One text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::ide) enum Prompts {
    One(String),
    Several(Vec<String>),
}

/// Goes on with a text, or fills the gap before `suffix`.
#[utoipa::path(post, path = "/v1/completions", tag = "openai", request_body = TextRequest,
    responses((status = 200, body = Object), (status = "default", body = Object)))]
pub(in crate::ide) async fn complete(
    state: Shared<State>,
    Closing(closing): Closing,
    Sent(bytes): Sent,
) -> Result<Response, Fault> {
    let request: TextRequest = ENDPOINT.read(&bytes)?;
    let usage = request.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let style = Style { stream: request.stream, usage };
    let asks = request.into_asks()?;
    let answers = try_join_all(asks.iter().map(|ask| state.desk().answer(ask, closing.clone()))).await?;
    told(answers, style, state.stamp("cmpl")).await
}

impl TextRequest {
    fn into_asks(self) -> Result<Vec<Ask>, Fault> {
        let prompts = match self.prompt {
            Prompts::One(prompt) => vec![prompt],
            Prompts::Several(prompts) => prompts,
        };
        let each = usize::try_from(self.n.unwrap_or(1)).unwrap_or(usize::MAX);
        if !(1..=MAX_ANSWERS).contains(&prompts.len().saturating_mul(each)) {
            let words = format!("from 1 to {MAX_ANSWERS} answers can be asked for at once");
            return Err(Fault::of(if prompts.is_empty() { "prompt" } else { "n" }, words));
        }
        let max_tokens = room::named("max_tokens", self.max_tokens)?.unwrap_or(USUAL_TOKENS);
        let several = (each > 1).then_some(SEVERAL_TEMPERATURE);
        let sampling = Sampling {
            temperature: self.temperature.or(several),
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            repeat_penalty: self.repeat_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed.map(i64::cast_unsigned),
        };
        let stop = self.stop.map(Stops::into_list).unwrap_or_default();
        let ask = |(text, index): (String, u64)| {
            let prompt = match &self.suffix {
                Some(suffix) if !suffix.is_empty() => Prompt::Gap { prefix: text, suffix: suffix.clone() },
                Some(_) | None => Prompt::Text(text),
            };
            let mut ask = Ask::new(self.model.clone(), prompt);
            ask.sampling = sampling.clone();
            ask.sampling.seed = sampling.seed.map(|seed| seed.wrapping_add(index));
            ask.max_tokens = Some(max_tokens);
            ask.stop.clone_from(&stop);
            ask
        };
        let repeated = prompts.into_iter().flat_map(|prompt| vec![prompt; each]);
        Ok(repeated.zip(0..).map(ask).collect())
    }
}

async fn told(answers: Vec<Answer>, style: Style, stamp: Stamp) -> Result<Response, Fault> {
    let Some(first) = answers.first() else { return Err(crate::ide::desk::broken_off().into()) };
    let headers = route_header(&first.card);
    if style.stream {
        let model = first.card.model.clone();
        let chunks = Chunks { stamp, model, tail: Tail::of(answers.len(), style.usage) };
        return Ok(sse::events(headers, told_by(answers, chunks)));
    }
    let wholes = try_join_all(answers.into_iter().map(Answer::whole)).await?;
    let choice =
        |(whole, index): (&Whole, usize)| choice(index, &whole.text, Some(finish_reason(whole.end.why)));
    let choices: Vec<Value> = wholes.iter().zip(0..).map(choice).collect();
    let card = wholes.last().map(|whole| &whole.end.card);
    let body = json!({
        "id": stamp.id,
        "object": "text_completion",
        "created": stamp.created,
        "model": card.map(|card| &card.model),
        "choices": choices,
        "usage": usage(together(wholes.iter().map(|whole| whole.end.usage))),
        "edgecoder": card,
    });
    Ok((headers, Json(body)).into_response())
}

fn choice(index: usize, text: &str, finish_reason: Option<&str>) -> Value {
    json!({"index": index, "text": text, "logprobs": null, "finish_reason": finish_reason})
}

/// Writes the chunks of all answers.
struct Chunks {
    stamp: Stamp,
    model: String,
    tail: Tail,
}

impl Chunks {
    fn chunk(&self, choices: Value) -> Value {
        let Stamp { id, created, .. } = &self.stamp;
        json!({"id": id, "object": "text_completion", "created": created, "model": self.model, "choices": choices})
    }

    fn end(&mut self, index: usize, end: &End) -> Vec<Bytes> {
        let mut chunk = self.chunk(json!([choice(index, "", Some(finish_reason(end.why)))]));
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
            Ok(Said::Text(text)) => vec![sse::event(&self.chunk(json!([choice(index, &text, None)])))],
            Ok(Said::Logprobs(_) | Said::Call(_)) => Vec::new(),
            Ok(Said::Done(end)) => self.end(index, &end),
            Err(error) => vec![sse::event(&error_body(&error, None))],
        }
    }
}
