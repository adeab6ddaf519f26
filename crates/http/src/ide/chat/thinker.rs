//! The desk as the companion sees it: the same router, the same tier, the same reading of tool calls as for any client.

use std::fmt;

use edgecoder_agent::TokenUsage;
use edgecoder_companion::{PastCall as Call, Thinker, Thought, Turn as Told, Uttered};
use edgecoder_protocol::ErrorCode;
use edgecoder_routing::{Model, Wish};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::ide::State;
use crate::ide::ask::{Ask, PastCall, Prompt, Turn};
use crate::ide::said::{Called, End, Ending, Said};

/// The desk of this door.
pub(super) struct AtDesk {
    pub(super) state: State,
    pub(super) closing: CancellationToken,
}

impl fmt::Debug for AtDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtDesk")
    }
}

type Refused = edgecoder_companion::Error;

impl Thinker for AtDesk {
    fn window(&self, model: String) -> BoxFuture<'_, Result<u32, Refused>> {
        async move {
            let desk = self.state.desk();
            let candidates = desk.candidates().await;
            let wish = Wish::new(Model::of(&model), desk.rules.tier);
            let decision = desk.decide(&wish, &candidates).map_err(refused)?;
            let chosen = candidates.iter().find(|candidate| candidate.place.id == decision.chosen);
            Ok(chosen.map_or(0, |candidate| candidate.place.window_tokens))
        }
        .boxed()
    }

    fn think(
        &self,
        thought: Thought,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Uttered, Refused>>, Refused>> {
        async move {
            let Thought { model, turns, tools } = thought;
            let mut ask = Ask::new(model, Prompt::Chat(turns.into_iter().map(turn).collect()));
            ask.tools = tools;
            let answer = self.state.desk().answer(&ask, self.closing.clone()).await.map_err(refused)?;
            let uttered = answer.said.filter_map(|said| std::future::ready(uttered(said)));
            Ok(uttered.boxed())
        }
        .boxed()
    }
}

fn refused(Error { code, message }: Error) -> Refused {
    Refused::new(code, message)
}

fn turn(told: Told) -> Turn {
    match told {
        Told::System { text } => Turn::System(text),
        Told::Person { text } => Turn::User(text),
        Told::Tool { text, .. } => Turn::Tool(text),
        Told::Model { text, calls } => {
            let past =
                |Call { name, arguments, .. }: Call| PastCall { name, arguments: Value::Object(arguments) };
            Turn::Assistant(text, calls.into_iter().map(past).collect())
        }
    }
}

fn uttered(said: Result<Said, Error>) -> Option<Result<Uttered, Refused>> {
    Some(match said {
        Ok(Said::Logprobs(_)) => return None,
        Ok(Said::Text(text)) => Ok(Uttered::Text(text)),
        Ok(Said::Call(Called { id, name, arguments })) => {
            let arguments: Result<Map<String, Value>, _> = serde_json::from_str(&arguments);
            arguments
                .map(|arguments| Uttered::Call { id, name, arguments })
                .map_err(|_| Refused::new(ErrorCode::Internal, "a call's arguments are no object"))
        }
        Ok(Said::Done(End { why, usage, card })) => {
            let usage = TokenUsage {
                prompt_tokens: usage.prompt_tokens,
                output_tokens: usage.output_tokens,
                model_ms: usage.model_ms,
            };
            let card = serde_json::to_value(card).unwrap_or_default();
            Ok(Uttered::Done { usage, cut: why == Ending::Length, card })
        }
        Err(error) => Err(refused(error)),
    })
}
