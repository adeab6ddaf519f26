//! What chat and generate answer: whole, or a line for every piece.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use edgecoder_base::{Clock, Timestamp};
use serde_json::{Value, json};

use super::error_body;
use crate::Error;
use crate::ide::fault::Fault;
use crate::ide::said::{Answer, Called, End, Ending, Said, Whole};
use crate::ide::sse;
use crate::ide::stamp::route_header;
use crate::ide::tell::{Tell, told_by};

/// Which of the two routes answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chat,
    Generate,
}

/// How the answer is told.
#[derive(Debug, Clone)]
pub(super) struct Style {
    pub(super) form: Form,
    pub(super) stream: bool,
    /// The model as the client named it: it looks for that name.
    pub(super) model: String,
    pub(super) since: Timestamp,
    pub(super) clock: Clock,
}

/// Tells the answer.
pub(super) async fn told(answer: Answer, style: Style) -> Result<Response, Fault> {
    let headers = route_header(&answer.card);
    if style.stream {
        return Ok(sse::lines(headers, told_by(vec![answer], style)));
    }
    let Whole { text, calls, end, .. } = answer.whole().await?;
    let mut body = style.end(&end, &text);
    if style.form == Form::Chat && !calls.is_empty() {
        body["message"]["tool_calls"] = calls.iter().map(call).collect();
    }
    Ok((headers, Json(body)).into_response())
}

fn call(called: &Called) -> Value {
    let arguments: Value = serde_json::from_str(&called.arguments).unwrap_or_default();
    json!({"id": called.id, "function": {"name": called.name, "arguments": arguments}})
}

impl Style {
    fn piece(&self, text: &str, done: bool) -> Value {
        let mut piece = json!({"model": self.model, "created_at": (self.clock)(), "done": done});
        match self.form {
            Form::Chat => piece["message"] = json!({"role": "assistant", "content": text}),
            Form::Generate => piece["response"] = text.into(),
        }
        piece
    }

    fn end(&self, end: &End, text: &str) -> Value {
        let took = (self.clock)().since(self.since);
        let model = Duration::from_millis(end.usage.model_ms).min(took);
        let mut body = self.piece(text, true);
        body["done_reason"] = match end.why {
            Ending::Stop | Ending::Calls => "stop",
            Ending::Length => "length",
        }
        .into();
        body["total_duration"] = nanos(took);
        body["load_duration"] = 0.into();
        body["prompt_eval_count"] = end.usage.prompt_tokens.into();
        body["prompt_eval_duration"] = nanos(took.saturating_sub(model));
        body["eval_count"] = end.usage.output_tokens.into();
        body["eval_duration"] = nanos(model);
        body["edgecoder"] = json!(end.card);
        body
    }
}

fn nanos(duration: Duration) -> Value {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
}

impl Tell for Style {
    fn tell(&mut self, _: usize, said: Result<Said, Error>) -> Vec<Bytes> {
        match said {
            Ok(Said::Text(text)) => vec![sse::line(&self.piece(&text, false))],
            Ok(Said::Logprobs(_)) => Vec::new(),
            Ok(Said::Call(called)) => {
                let mut piece = self.piece("", false);
                piece["message"]["tool_calls"] = json!([call(&called)]);
                vec![sse::line(&piece)]
            }
            Ok(Said::Done(end)) => vec![sse::line(&self.end(&end, ""))],
            Err(error) => vec![sse::line(&error_body(&error))],
        }
    }
}
