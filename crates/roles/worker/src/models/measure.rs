//! A few short questions to an engine: whether it answers rightly, how soon, how fast. No text of anybody is sent.

use std::time::{Duration, Instant};

use edgecoder_inference::{CompletionRequest, Engine, Error, Event, Message, Switch};
use futures::StreamExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::choice::Measured;
use super::shelf::EngineMaker;
use super::spec::EngineSpec;

/// Longest time for all questions to one engine, loading its model included.
const WITHIN: Duration = Duration::from_secs(60);
/// Tokens of an answer.
const ANSWER_TOKENS: u32 = 96;

type Judge = fn(&str) -> bool;

/// Questions whose answers can be judged by reading.
const QUESTIONS: [(&str, Judge); 3] = [
    ("Write a function `add(a, b)` that returns the sum of a and b.", |text| text.contains("returna+b")),
    ("Write a function `is_even(n)` that returns True if n is even.", |text| {
        text.contains("n%2==0") || text.contains("notn%2")
    }),
    (
        "Write a function `last(items)` that returns the last item of a list, or None if it is empty.",
        |text| text.contains("items[-1]") && text.contains("None"),
    ),
];

/// The engine that has the place.
pub(super) async fn active(switch: &Switch, spec: EngineSpec) -> Measured {
    bounded(switch, spec).await
}

/// An engine that is started for this and stopped afterwards.
pub(super) async fn other(maker: &dyn EngineMaker, spec: EngineSpec) -> Measured {
    let driven = match maker.make(&spec) {
        Ok(driven) => driven,
        Err(error) => return failed(spec, &error),
    };
    let engine = driven.engine();
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(driven.into_run()(stop.clone()));
    let measured = bounded(&*engine, spec).await;
    stop.cancel();
    while running.join_next().await.is_some() {}
    measured
}

async fn bounded(engine: &dyn Engine, spec: EngineSpec) -> Measured {
    match tokio::time::timeout(WITHIN, ask_all(engine)).await {
        Ok(Ok(answers)) => measured(spec, &answers),
        Ok(Err(error)) => failed(spec, &error),
        Err(_) => failed(spec, &Error::Timeout { after_ms: 1_000 * WITHIN.as_secs() }),
    }
}

/// One answer.
struct Answer {
    right: bool,
    first_text: Option<Duration>,
    took: Duration,
    tokens: u32,
}

async fn ask_all(engine: &dyn Engine) -> Result<Vec<Answer>, Error> {
    engine.capabilities().await?;
    let mut answers = Vec::new();
    for (question, judge) in QUESTIONS {
        answers.push(ask(engine, question, judge).await?);
    }
    Ok(answers)
}

async fn ask(engine: &dyn Engine, question: &str, judge: Judge) -> Result<Answer, Error> {
    let messages = vec![Message::system("You write Python code."), Message::user(question)];
    let since = Instant::now();
    let mut events =
        engine.complete(CompletionRequest::new(messages, ANSWER_TOKENS), CancellationToken::new()).await?;
    let (mut text, mut first_text, mut tokens) = (String::new(), None, 0);
    while let Some(event) = events.next().await {
        match event? {
            Event::Delta { text: more } => {
                first_text.get_or_insert_with(|| since.elapsed());
                text.push_str(&more);
            }
            Event::Done { usage, .. } => tokens = usage.output_tokens,
            Event::Started { .. } | Event::Compacted { .. } | Event::Logprobs { .. } => {}
        }
    }
    text.retain(|c| !c.is_whitespace());
    Ok(Answer { right: judge(&text), first_text, took: since.elapsed(), tokens })
}

fn measured(spec: EngineSpec, answers: &[Answer]) -> Measured {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let seconds: f64 = answers.iter().map(|answer| answer.took.as_secs_f64()).sum();
    let tokens: u32 = answers.iter().map(|answer| answer.tokens).sum();
    let first = answers.iter().filter_map(|answer| answer.first_text).min();
    Measured {
        spec,
        right: count(answers.iter().filter(|answer| answer.right).count()),
        asked: count(answers.len()),
        first_text_ms: first.map(|first| u64::try_from(first.as_millis()).unwrap_or(u64::MAX)),
        tokens_per_s: (seconds > 0.0).then(|| f64::from(tokens) / seconds),
        trouble: None,
    }
}

fn failed(spec: EngineSpec, error: &Error) -> Measured {
    let trouble = Some(error.to_string());
    Measured { spec, right: 0, asked: 0, first_text_ms: None, tokens_per_s: None, trouble }
}
