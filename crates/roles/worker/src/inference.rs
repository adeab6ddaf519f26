//! The inference role: what the node's doors ask of its engine.

use std::sync::Arc;

use edgecoder_inference::{CompletionRequest, Engine, Error, Message, collect};
use edgecoder_protocol::api::inference::{
    DecomposeReply, DecomposeRequest, DecomposedSubtask, EscalateReply, EscalateRequest, MAX_SUBTASKS,
};
use edgecoder_protocol::{Decomposer, ErrorCode, WorkError};
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

pub use edgecoder_inference::CountRequest;

/// Tokens a split may take: ten subtasks of a sentence each.
const SPLIT_TOKENS: u32 = 256;
/// Tokens a corrected piece of code may take.
const CODE_TOKENS: u32 = 256;

/// A cheap handle to the engine with the role's own skills.
#[derive(Debug, Clone)]
pub struct Inference {
    engine: Arc<dyn Engine>,
}

/// One element of a split as models are taught to write it.
#[derive(Debug, Deserialize)]
struct Split {
    task: String,
    #[serde(default)]
    depends_on: Vec<usize>,
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
        let prompt = CompletionRequest::new(
            vec![Message::system("You split tasks into subtasks."), Message::user(request.prompt.clone())],
            SPLIT_TOKENS,
        );
        let text = match self.engine.complete(prompt, CancellationToken::new()).await {
            Ok(events) => collect(events).await?.text,
            Err(overflow @ Error::ContextOverflow { .. }) => {
                return Ok(whole(request, &overflow.to_string()));
            }
            Err(error) => return Err(error),
        };
        Ok(match read_split(&text) {
            Ok(parts) => DecomposeReply {
                subtasks: parts
                    .into_iter()
                    .map(|part| subtask(request, part.task, part.depends_on))
                    .collect(),
                fallback: None,
            },
            Err(why) => whole(request, why),
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

/// What a model wrote, if it is a usable plan.
fn read_split(text: &str) -> Result<Vec<Split>, &'static str> {
    let (Some(start), Some(end)) = (text.find('['), text.rfind(']')) else {
        return Err("the model did not answer with a list");
    };
    let list = text.get(start..=end).ok_or("the model did not answer with a list")?;
    let parts: Vec<Split> = serde_json::from_str(list).map_err(|_| "the model's list is not readable")?;
    if parts.is_empty() || parts.len() > MAX_SUBTASKS {
        return Err("the model's list does not have 1 to 10 subtasks");
    }
    let lawful = |(index, part): (usize, &Split)| {
        !part.task.trim().is_empty() && part.depends_on.iter().all(|on| *on < index)
    };
    if parts.iter().enumerate().all(lawful) { Ok(parts) } else { Err("the model's list is not a plan") }
}

fn whole(request: &DecomposeRequest, why: &str) -> DecomposeReply {
    DecomposeReply {
        subtasks: vec![subtask(request, request.prompt.clone(), Vec::new())],
        fallback: Some(why.to_owned()),
    }
}

fn subtask(request: &DecomposeRequest, input: String, depends_on: Vec<usize>) -> DecomposedSubtask {
    let steps = u64::try_from(input.len() / 50).unwrap_or(u64::MAX);
    DecomposedSubtask {
        task_id: request.task_id.clone(),
        kind: "micro_loop".to_owned(),
        language: request.language.clone(),
        timeout_ms: 5_000_u64.saturating_add(steps.saturating_mul(1_000)).min(60_000),
        snapshot_ref: request.snapshot_ref.clone(),
        input,
        depends_on,
    }
}
