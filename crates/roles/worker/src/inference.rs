//! The inference role: what the node's doors ask of its engine.

mod route;

use std::sync::Arc;

use edgecoder_agent::split::{self, Form};
use edgecoder_agent::{Profile, target};
use edgecoder_base::Scope;
use edgecoder_inference::{CompletionRequest, Engine, Error, Format, Message, collect};
use edgecoder_protocol::api::inference::{
    DecomposeReply, DecomposeRequest, DecomposedSubtask, EscalateReply, EscalateRequest,
};
use edgecoder_protocol::{Decomposer, ErrorCode, WorkError};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::perform;

pub use edgecoder_inference::CountRequest;
pub use route::{Larger, Routed};

/// Tokens a corrected piece of code may take.
const CODE_TOKENS: u32 = 256;

/// A cheap handle to the engine with the role's own skills.
#[derive(Debug, Clone)]
pub struct Inference {
    engine: Arc<dyn Engine>,
    larger: Option<String>,
}

impl Inference {
    /// The role over an engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine, larger: None }
    }

    /// The role over an engine that can also reach a larger model.
    pub fn with_larger(routed: Routed) -> Self {
        let larger = routed.larger().map(str::to_owned);
        Self { engine: Arc::new(routed), larger }
    }

    /// The engine, for completing and counting.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The larger model that failed work is handed to.
    pub fn larger(&self) -> Option<&str> {
        self.larger.as_deref()
    }

    /// `POST /decompose`: splits a request; falls back to one subtask and says why.
    pub async fn split(&self, request: &DecomposeRequest) -> Result<DecomposeReply, Error> {
        let engine = self.engine.capabilities().await?;
        let profile = Profile::for_model(&engine.model);
        let Some(prompt) = split::prompt(&profile, &request.prompt, engine.context_tokens, 0) else {
            return Ok(whole(request, "the request does not fit the model's window"));
        };
        let format = engine.features.grammar.then(|| match Form::of(&profile, &request.prompt) {
            Form::Schema(schema) => Format::JsonSchema { schema },
            Form::Grammar(gbnf) => Format::Grammar { gbnf },
        });
        let owner = Some(request.task_id.to_string());
        let asked = CompletionRequest { format, owner, ..perform::request(&prompt, None) };
        let events = self.engine.complete(asked, CancellationToken::new()).await?;
        let answer = collect(events).await?.text;
        Ok(match planned(request, &answer) {
            Ok(subtasks) if subtasks.len() > 1 => DecomposeReply { subtasks, fallback: None },
            Ok(_) => whole(request, "the request is one subtask"),
            Err(error) => whole(request, &error.to_string()),
        })
    }

    /// `POST /escalate`: another look at code that failed, by the larger model where there is one.
    pub async fn escalate(&self, request: &EscalateRequest) -> Result<EscalateReply, Error> {
        let errors = request.error_history.last().map(String::as_str).unwrap_or_default();
        let language = &request.language;
        let user =
            format!("{}\n\n```{language}\n{}\n```\nTest failed: {errors}", request.task, request.failed_code);
        let messages = vec![Message::system("You fix Python code."), Message::user(user)];
        let mut asked = CompletionRequest::new(messages, CODE_TOKENS);
        asked.model.clone_from(&self.larger);
        let reply = collect(self.engine.complete(asked, CancellationToken::new()).await?).await?;
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

/// The subtasks of an answer, in an order that keeps what each needs.
fn planned(
    request: &DecomposeRequest,
    answer: &str,
) -> Result<Vec<DecomposedSubtask>, edgecoder_agent::Error> {
    let everything = Scope::default();
    let scope = request.scope.as_ref().unwrap_or(&everything);
    let parts = split::place(split::parse(answer)?, scope, request.verifier.as_ref())?;
    // What is asked for is split; where it goes is told to every part.
    let place = target::Request::parse(&request.prompt).path;
    let place = place.map(|path| format!(" Put it into {path}.")).unwrap_or_default();
    let subtask = |part: split::Placed| {
        let narrowed = request.scope.is_some() || part.scope != everything;
        DecomposedSubtask {
            depends_on: part.depends_on,
            scope: narrowed.then_some(part.scope),
            ..subtask(request, format!("{}{place}", part.task))
        }
    };
    Ok(parts.into_iter().map(subtask).collect())
}

fn whole(request: &DecomposeRequest, why: &str) -> DecomposeReply {
    let scope = request.scope.clone();
    let subtask = DecomposedSubtask { scope, ..subtask(request, request.prompt.clone()) };
    DecomposeReply { subtasks: vec![subtask], fallback: Some(why.to_owned()) }
}

fn subtask(request: &DecomposeRequest, input: String) -> DecomposedSubtask {
    let steps = u64::try_from(input.len() / 50).unwrap_or(u64::MAX);
    DecomposedSubtask {
        task_id: request.task_id.clone(),
        kind: "micro_loop".to_owned(),
        language: request.language.clone(),
        timeout_ms: 5_000_u64.saturating_add(steps.saturating_mul(1_000)).min(60_000),
        snapshot_ref: request.snapshot_ref.clone(),
        input,
        depends_on: Vec::new(),
        scope: None,
        verifier: request.verifier.clone(),
    }
}
