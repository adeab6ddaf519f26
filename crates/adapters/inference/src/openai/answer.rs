//! One streamed chat answer becoming events.

use std::collections::VecDeque;
use std::time::Instant;

use super::sse::SseSplitter;
use super::wire::{Chunk, ChunkLogprobs, ChunkUsage, finish_of, refusal};
use crate::http::{Parser, cut_short};
use crate::{Error, Event, Finish, TokenUsage};

/// Status of an error told inside a stream that had begun with success.
const BAD_GATEWAY: u16 = 502;

type Out = VecDeque<Result<Event, Error>>;

/// Reads `chat.completion.chunk`s.
#[derive(Debug)]
pub(super) struct AnswerParser {
    messages: SseSplitter,
    since: Instant,
    /// Estimated prompt tokens, asked tokens, context: for servers that do not say.
    asked: (u32, u32, u32),
    started: bool,
    /// The part of the prefill that the server may yet repeat at the head of its answer.
    echo: Option<String>,
    head: String,
    deltas: u32,
    finish: Option<Finish>,
    usage: Option<ChunkUsage>,
}

impl AnswerParser {
    pub(super) fn new(asked: (u32, u32, u32), prefill: Option<&str>) -> Self {
        Self {
            messages: SseSplitter::default(),
            since: Instant::now(),
            asked,
            started: false,
            echo: prefill.filter(|prefill| !prefill.is_empty()).map(str::to_owned),
            head: String::new(),
            deltas: 0,
            finish: None,
            usage: None,
        }
    }

    fn take(&mut self, data: &str, out: &mut Out) {
        if data.trim() == "[DONE]" {
            return self.done(out);
        }
        let chunk: Chunk = match serde_json::from_str(data) {
            Ok(chunk) => chunk,
            Err(error) => {
                return out.push_back(Err(Error::protocol(format!(
                    "unexpected event at column {}",
                    error.column()
                ))));
            }
        };
        if let Some(error) = chunk.error {
            let status = error.get("code").and_then(serde_json::Value::as_u64);
            let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(BAD_GATEWAY);
            return out.push_back(Err(refusal(status, &error.to_string(), self.asked)));
        }
        self.usage = chunk.usage.or(self.usage);
        for choice in chunk.choices {
            if let Some(text) = choice.delta.and_then(|delta| delta.content) {
                self.text(&text, out);
            }
            if let Some(tokens) = choice.logprobs.map(ChunkLogprobs::into_tokens)
                && !tokens.is_empty()
            {
                self.start(out);
                out.push_back(Ok(Event::Logprobs { tokens }));
            }
            if let Some(reason) = choice.finish_reason {
                self.finish = Some(finish_of(&reason));
            }
        }
    }

    fn text(&mut self, text: &str, out: &mut Out) {
        if text.is_empty() {
            return;
        }
        self.start(out);
        self.deltas = self.deltas.saturating_add(1);
        self.head.push_str(text);
        if let Some(echo) = &self.echo {
            if echo.len() > self.head.len() && echo.starts_with(&self.head) {
                return;
            }
            if let Some(rest) = self.head.strip_prefix(echo.as_str()) {
                self.head = rest.to_owned();
            }
            self.echo = None;
        }
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Out) {
        if !self.head.is_empty() {
            out.push_back(Ok(Event::Delta { text: std::mem::take(&mut self.head) }));
        }
    }

    fn start(&mut self, out: &mut Out) {
        if !self.started {
            self.started = true;
            out.push_back(Ok(Event::Started { prompt_tokens: self.usage().prompt_tokens }));
        }
    }

    /// `[DONE]`, or the end of a body in which the answer had finished.
    fn done(&mut self, out: &mut Out) {
        let Some(finish) = self.finish.or(if self.started { Some(Finish::Stop) } else { None }) else {
            return out.push_back(Err(Error::protocol("the server ended the stream without an answer")));
        };
        self.start(out);
        self.flush(out);
        out.push_back(Ok(Event::Done { finish, usage: self.usage() }));
    }
}

impl Parser for AnswerParser {
    fn push(&mut self, chunk: &[u8], out: &mut Out) {
        match self.messages.push(chunk) {
            Ok(messages) => messages.iter().for_each(|data| self.take(data, out)),
            Err(error) => out.push_back(Err(error)),
        }
    }

    fn end(&mut self, out: &mut Out) {
        match self.messages.rest() {
            Ok(Some(data)) => self.take(&data, out),
            Ok(None) => {}
            Err(error) => return out.push_back(Err(error)),
        }
        let ended = out.iter().any(|event| matches!(event, Ok(Event::Done { .. }) | Err(_)));
        match (ended, self.finish) {
            (true, _) => {}
            // Some servers leave `[DONE]` away; a finish reason is end enough.
            (false, Some(_)) => self.done(out),
            (false, None) => out.push_back(Err(cut_short())),
        }
    }

    fn usage(&self) -> TokenUsage {
        let told =
            self.usage.unwrap_or(ChunkUsage { prompt_tokens: self.asked.0, completion_tokens: self.deltas });
        TokenUsage {
            prompt_tokens: told.prompt_tokens,
            output_tokens: told.completion_tokens,
            model_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
