//! One streamed answer becoming events: a JSON value a line.

use std::collections::VecDeque;
use std::time::Instant;

use serde::Deserialize;

use super::wire::{Asked, refused};
use crate::http::{Parser, cut_short};
use crate::lines::LineSplitter;
use crate::switch::millis;
use crate::{Error, Event, Finish, TokenUsage};

/// Status of an error told inside a stream that had begun with success.
const BAD_GATEWAY: u16 = 502;

type Out = VecDeque<Result<Event, Error>>;

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    error: Option<String>,
    /// Of `/api/chat`.
    #[serde(default)]
    message: Option<Said>,
    /// Of `/api/generate`.
    #[serde(default)]
    response: Option<String>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: Option<u32>,
    #[serde(default)]
    eval_count: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
}

/// Reads the lines of one answer.
#[derive(Debug)]
pub(super) struct AnswerParser {
    lines: LineSplitter,
    since: Instant,
    asked: Asked,
    started: bool,
    over: bool,
    deltas: u32,
    told: Option<(u32, u32)>,
}

impl AnswerParser {
    pub(super) fn new(asked: Asked) -> Self {
        let lines = LineSplitter::default();
        Self { lines, since: Instant::now(), asked, started: false, over: false, deltas: 0, told: None }
    }

    fn take(&mut self, line: &str, out: &mut Out) {
        if self.over || line.trim().is_empty() {
            return;
        }
        match serde_json::from_str::<Line>(line) {
            Ok(line) => self.line(line, out),
            Err(error) => self.fail(Error::protocol(format!("unexpected line: {error}")), out),
        }
    }

    fn line(&mut self, line: Line, out: &mut Out) {
        if let Some(words) = line.error {
            return self.fail(refused(BAD_GATEWAY, &words, "the model", self.asked), out);
        }
        let text = line.message.map(|said| said.content).or(line.response).unwrap_or_default();
        if !text.is_empty() {
            self.start(out);
            self.deltas = self.deltas.saturating_add(1);
            out.push_back(Ok(Event::Delta { text }));
        }
        if line.done {
            let written = line.eval_count.unwrap_or(self.deltas);
            self.told = line.prompt_eval_count.map(|read| (read, written));
            self.done(line.done_reason.as_deref(), line.prompt_eval_count, out);
        }
    }

    fn start(&mut self, out: &mut Out) {
        if !self.started {
            self.started = true;
            out.push_back(Ok(Event::Started { prompt_tokens: self.asked.prompt_tokens }));
        }
    }

    fn done(&mut self, reason: Option<&str>, read: Option<u32>, out: &mut Out) {
        let finish = match reason {
            Some("length") => Finish::Length,
            Some("load" | "unload") => {
                return self.fail(Error::protocol("the server only loaded the model"), out);
            }
            Some(_) | None => Finish::Stop,
        };
        // Fewer tokens than the prompt has words, or a window that is full before the first answer: it was cut.
        let cut = |read: u32| read < self.asked.fewest_tokens || read >= self.asked.context_tokens;
        if let Some(read) = read.filter(|read| cut(*read)) {
            let Asked { fewest_tokens, context_tokens, .. } = self.asked;
            tracing::warn!(
                read,
                fewest_tokens,
                context_tokens,
                "the server cut the prompt; its answer is refused"
            );
            let context_tokens = read.min(context_tokens);
            return self.fail(Asked { context_tokens, ..self.asked }.overflow(), out);
        }
        self.start(out);
        self.over = true;
        out.push_back(Ok(Event::Done { finish, usage: self.usage() }));
    }

    fn fail(&mut self, error: Error, out: &mut Out) {
        self.over = true;
        out.push_back(Err(error));
    }
}

impl Parser for AnswerParser {
    fn push(&mut self, chunk: &[u8], out: &mut Out) {
        match self.lines.push(chunk) {
            Ok(lines) => lines.iter().for_each(|line| self.take(line, out)),
            Err(error) => self.fail(error, out),
        }
    }

    fn end(&mut self, out: &mut Out) {
        match self.lines.rest() {
            Ok(Some(line)) => self.take(&line, out),
            Ok(None) => {}
            Err(error) => self.fail(error, out),
        }
        if !self.over {
            self.fail(cut_short(), out);
        }
    }

    fn usage(&self) -> TokenUsage {
        let (read, written) = self.told.unwrap_or((self.asked.prompt_tokens, self.deltas));
        TokenUsage { prompt_tokens: read, output_tokens: written, model_ms: millis(self.since.elapsed()) }
    }
}
