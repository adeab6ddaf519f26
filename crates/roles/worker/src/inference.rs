//! The inference role: what the node's doors ask of its engine.

use std::sync::Arc;

use edgecoder_agent::{Profile, split, target};
use edgecoder_inference::{CompletionRequest, Engine, Error, Message, collect};
use edgecoder_protocol::api::inference::{
    DecomposeReply, DecomposeRequest, DecomposedSubtask, EscalateReply, EscalateRequest,
};
use edgecoder_protocol::{Decomposer, ErrorCode, WorkError};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::perform;

pub use edgecoder_inference::CountRequest;

/// Tokens a corrected piece of code may take.
const CODE_TOKENS: u32 = 256;

/// A cheap handle to the engine with the role's own skills.
#[derive(Debug, Clone)]
pub struct Inference {
    engine: Arc<dyn Engine>,
}

impl Inference {
    /// The role over an engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The engine, for completing and counting.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// `POST /decompose`: splits a request; falls back to one subtask and says why.
    pub async fn split(&self, request: &DecomposeRequest) -> Result<DecomposeReply, Error> {
        let engine = self.engine.capabilities().await?;
        let profile = Profile::for_model(&engine.model);
        // What is asked for is split; where it goes is told to every part.
        let asked = target::Request::parse(&request.prompt);
        let Some(prompt) = split::prompt(&profile, &request.prompt, engine.context_tokens, 0) else {
            return Ok(whole(request, "the request does not fit the model's window"));
        };
        let events = self.engine.complete(perform::request(&prompt, None), CancellationToken::new()).await?;
        Ok(match split::parse(&collect(events).await?.text) {
            Ok(parts) if parts.len() > 1 => {
                let place = asked.path.map(|path| format!(" Put it into {path}.")).unwrap_or_default();
                let parts = parts.into_iter().map(|part| format!("{}{place}", part.task));
                let chained = |(index, input)| subtask(request, input, index);
                DecomposeReply { subtasks: parts.enumerate().map(chained).collect(), fallback: None }
            }
            Ok(_) => whole(request, "the request is one subtask"),
            Err(error) => whole(request, &error.to_string()),
        })
    }

    /// `POST /escalate`: another look at code that failed.
    pub async fn escalate(&self, request: &EscalateRequest) -> Result<EscalateReply, Error> {
        let errors = request.error_history.last().map(String::as_str).unwrap_or_default();
        let language = &request.language;
        let user = format!("{}\n\n```{language}\n{}\n```\n{errors}", request.task, request.failed_code);
        let messages = vec![Message::system("You fix Python code."), Message::user(user)];
        let events = self
            .engine
            .complete(CompletionRequest::new(messages, CODE_TOKENS), CancellationToken::new())
            .await?;
        let reply = collect(events).await?;
        let fenced = reply
            .text
            .split("```")
            .nth(1)
            .map(|block| block.split_once('\n').map_or(block, |(_, code)| code));
        let improved_code = fenced.unwrap_or(&reply.text).trim_end().to_owned();
        Ok(EscalateReply { improved_code, explanation: errors.to_owned() })
    }
}

impl Decomposer for Inference {
    fn decompose(&self, request: DecomposeRequest) -> BoxFuture<'_, Result<DecomposeReply, WorkError>> {
        Box::pin(async move {
            self.split(&request).await.map_err(|error| WorkError::Refused {
                code: ErrorCode::InferenceServiceUnavailable,
                message: error.to_string(),
            })
        })
    }
}

fn whole(request: &DecomposeRequest, why: &str) -> DecomposeReply {
    DecomposeReply {
        subtasks: vec![subtask(request, request.prompt.clone(), 0)],
        fallback: Some(why.to_owned()),
    }
}

/// Part number `index`. Parts of one request mostly go into the same file, so each builds on the one before.
fn subtask(request: &DecomposeRequest, input: String, index: usize) -> DecomposedSubtask {
    let steps = u64::try_from(input.len() / 50).unwrap_or(u64::MAX);
    DecomposedSubtask {
        task_id: request.task_id.clone(),
        kind: "micro_loop".to_owned(),
        language: request.language.clone(),
        timeout_ms: 5_000_u64.saturating_add(steps.saturating_mul(1_000)).min(60_000),
        snapshot_ref: request.snapshot_ref.clone(),
        input,
        depends_on: index.checked_sub(1).into_iter().collect(),
    }
}
