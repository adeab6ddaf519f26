//! What can be asked of the tiny model besides plain answers: held to a form, with likelihoods, as vectors, in gaps,
//! shortened to fit, guessed ahead.
#![cfg(feature = "llama")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use edgecoder_inference::capabilities::{Bound, DeviceKind};
use edgecoder_inference::{
    CompletionRequest, EmbedRequest, Engine, Error, Event, Finish, Format, IsolateConfig, IsolatedEngine,
    Message, Overflow, Reply, TextPrompt, TokenLogprob, collect,
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf")
}

/// A supervised child; ends with the test.
struct Running {
    engine: IsolatedEngine,
    _tasks: JoinSet<Result<(), Error>>,
}

fn start(model: &Path, more: &[&str]) -> Running {
    let args = [&["--model", model.to_str().unwrap(), "--threads", "1", "--slots", "4"], more].concat();
    let config = IsolateConfig::new(env!("CARGO_BIN_EXE_edgecoder-engine"), args);
    let (engine, supervisor) = IsolatedEngine::build(config);
    let mut tasks = JoinSet::new();
    tasks.spawn(supervisor.run(CancellationToken::new()));
    Running { engine, _tasks: tasks }
}

impl Running {
    async fn events(&self, request: CompletionRequest) -> Result<Vec<Event>, Error> {
        let events = self.engine.complete(request, CancellationToken::new()).await?;
        events.collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn reply(&self, request: CompletionRequest) -> Result<Reply, Error> {
        collect(self.engine.complete(request, CancellationToken::new()).await?).await
    }
}

fn add() -> CompletionRequest {
    let messages = vec![
        Message::system("You write Python code."),
        Message::user("Write a function `add(a, b)` that returns the sum of a and b."),
    ];
    CompletionRequest::new(messages, 120)
}

fn held_to(format: Format, seed: u64) -> CompletionRequest {
    CompletionRequest { format: Some(format), temperature: 1.0, seed, max_tokens: 200, ..add() }
}

#[tokio::test]
async fn what_it_can_do_is_read_back() {
    let capabilities = start(&tiny(), &[]).engine.capabilities().await.unwrap();
    let window = capabilities.window.unwrap();
    assert_eq!((window.trained_tokens, window.bound, window.shared_tokens), (1024, Bound::Trained, 4096));
    // 8 layers, 2 heads of 64 numbers for key and value each, two bytes a number.
    assert_eq!(window.token_bytes, 8 * 2 * (64 + 64) * 2);
    let speed = capabilities.speed.unwrap();
    assert!(speed.output_us_per_token > 0 && speed.output_tokens_per_s() > 1.0, "{speed:?}");
    let features = capabilities.features;
    assert!(features.embeddings && features.grammar && features.logprobs && features.compaction);
    assert!(!features.infill, "the tiny model's file names no tokens for gaps");
    assert_eq!(capabilities.draft, None);
    if !cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal")) {
        assert_eq!((capabilities.device.kind, capabilities.device.gpu_layers), (DeviceKind::Cpu, 0));
    }
    assert_eq!(capabilities.device.threads, 1);
}

#[tokio::test]
async fn an_asked_context_is_kept_to() {
    let running = start(&tiny(), &["--context", "200"]);
    let capabilities = running.engine.capabilities().await.unwrap();
    assert_eq!((capabilities.context_tokens, capabilities.window.unwrap().bound), (200, Bound::Asked));
    let error = running.reply(CompletionRequest { max_tokens: 190, ..add() }).await.unwrap_err();
    assert!(matches!(error, Error::ContextOverflow { context_tokens: 200, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_follows_its_grammar() {
    let running = start(&tiny(), &[]);
    let gbnf = "root ::= \"yes\" | \"no, \" [0-9]+ \".\"".to_owned();
    for seed in 0..8 {
        let reply = running.reply(held_to(Format::Grammar { gbnf: gbnf.clone() }, seed)).await.unwrap();
        let number = reply.text.strip_prefix("no, ").map(|rest| rest.trim_end_matches('.'));
        let kept = reply.text == "yes"
            || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(kept, "{:?}", reply.text);
        assert!(reply.finish == Finish::Length || reply.text.ends_with(['s', '.']), "{reply:?}");
    }
    let broken = held_to(Format::Grammar { gbnf: "root ::= (".into() }, 0);
    assert!(matches!(running.reply(broken).await, Err(Error::InvalidRequest { .. })));
    assert!(
        running.reply(add()).await.unwrap().text.contains("def add("),
        "a broken grammar harms nobody else"
    );
}

#[tokio::test]
async fn an_answer_follows_its_schema() {
    let running = start(&tiny(), &[]);
    let schema = json!({
        "type": "object",
        "properties": {"name": {"enum": ["add", "sub"]}, "safe": {"type": "boolean"}},
        "required": ["name", "safe"],
        "additionalProperties": false,
    });
    for seed in 0..8 {
        let reply =
            running.reply(held_to(Format::JsonSchema { schema: schema.clone() }, seed)).await.unwrap();
        let value: Value = serde_json::from_str(&reply.text).unwrap();
        assert!(["add", "sub"].contains(&value["name"].as_str().unwrap()), "{value}");
        assert!(value["safe"].is_boolean() && value.as_object().unwrap().len() == 2, "{value}");
    }
    let unknown = held_to(Format::JsonSchema { schema: json!({"$ref": "#/nowhere"}) }, 0);
    assert!(matches!(running.reply(unknown).await, Err(Error::InvalidRequest { .. })));
}

#[tokio::test]
async fn likelihoods_are_told_token_by_token() {
    let running = start(&tiny(), &[]);
    let events = running.events(CompletionRequest { logprobs: Some(3), ..add() }).await.unwrap();
    let tokens: Vec<TokenLogprob> = events
        .iter()
        .filter_map(|event| if let Event::Logprobs { tokens } = event { Some(tokens.clone()) } else { None })
        .flatten()
        .collect();
    let Some(Event::Done { usage, .. }) = events.last() else { panic!("no end") };
    assert_eq!(tokens.len(), usize::try_from(usage.output_tokens).unwrap());
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.bytes.clone()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), running.reply(add()).await.unwrap().text);
    for token in &tokens {
        assert_eq!(token.alternatives.len(), 3);
        assert_eq!(token.alternatives[0].logprob, token.logprob, "a greedy answer takes the likeliest");
        let sum: f32 = token.alternatives.iter().map(|other| other.logprob.exp()).sum();
        assert!(token.logprob <= 0.0 && sum <= 1.001, "{token:?}");
    }
}

#[tokio::test]
async fn penalties_and_min_p_change_the_choice() {
    let running = start(&tiny(), &[]);
    let plain = running.reply(add()).await.unwrap().text;
    let penalised = CompletionRequest { repeat_penalty: 5.0, presence_penalty: 2.0, ..add() };
    assert_ne!(running.reply(penalised).await.unwrap().text, plain);
    // Only what is as likely as the likeliest is left: at any temperature the greedy answer.
    let strict = CompletionRequest { temperature: 5.0, min_p: 1.0, seed: 3, ..add() };
    assert_eq!(running.reply(strict).await.unwrap().text, plain);
}

#[tokio::test]
async fn vectors_have_length_one_and_alike_texts_are_near() {
    let running = start(&tiny(), &[]);
    let inputs = ["def add(a, b):", "def add(a, b):\n", "The moon is far away."].map(String::from).to_vec();
    let embeddings = running.engine.embed(EmbedRequest { inputs, model: None }).await.unwrap();
    assert!(embeddings.prompt_tokens > 0);
    let dot = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let [one, alike, other] = embeddings.vectors.as_slice() else { panic!("three vectors") };
    assert_eq!(one.len(), 192);
    assert!((dot(one, one) - 1.0).abs() < 1e-4);
    assert!(dot(one, alike) > dot(one, other), "{} and {}", dot(one, alike), dot(one, other));
    let long = EmbedRequest { inputs: vec!["x = 1\n".repeat(500)], model: None };
    assert!(matches!(running.engine.embed(long).await, Err(Error::ContextOverflow { .. })));
    let none = EmbedRequest::default();
    assert!(matches!(running.engine.embed(none).await, Err(Error::InvalidRequest { .. })));
}

#[tokio::test]
async fn a_text_goes_on_without_a_template() {
    let running = start(&tiny(), &[]);
    let text = TextPrompt::Continue { text: "def add(a, b):\n    return a".into() };
    let request = CompletionRequest::text(text.clone(), 8);
    assert_eq!(running.engine.count_tokens(request.prompt()).await.unwrap(), {
        let Some(Event::Started { prompt_tokens }) = running.events(request).await.unwrap().first().cloned()
        else {
            panic!("no start")
        };
        prompt_tokens
    });
}

/// The tiny model's file with tokens for gaps: settings are put before its own, in a length that keeps what follows
/// aligned to 32 bytes.
fn with_infill_tokens(file: &[u8]) -> Vec<u8> {
    const SETTINGS_AT: usize = 24;
    let key = |name: &str| [&u64::try_from(name.len()).unwrap().to_le_bytes()[..], name.as_bytes()].concat();
    let mut added = Vec::new();
    for (name, token) in [("fim_pre", 60_u32), ("fim_suf", 61), ("fim_mid", 62)] {
        added.extend(key(&format!("tokenizer.ggml.{name}_token_id")));
        added.extend(4_u32.to_le_bytes());
        added.extend(token.to_le_bytes());
    }
    let padding = key("test.padding");
    let text = (32 - (added.len() + padding.len() + 4 + 8) % 32) % 32;
    added.extend(padding);
    added.extend(8_u32.to_le_bytes());
    added.extend(key(&"x".repeat(text)));
    let count = u64::from_le_bytes(file[16..SETTINGS_AT].try_into().unwrap()) + 4;
    [&file[..16], &count.to_le_bytes(), &added, &file[SETTINGS_AT..]].concat()
}

#[tokio::test]
async fn a_gap_is_filled_where_the_model_has_tokens_for_it() {
    let gap = TextPrompt::Infill { prefix: "def add(a, b):\n    return ".into(), suffix: "\n".into() };
    let request = CompletionRequest::text(gap, 8);
    let without = start(&tiny(), &[]);
    let refused = without.reply(request.clone()).await;
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("infill.gguf");
    std::fs::write(&path, with_infill_tokens(&std::fs::read(tiny()).unwrap())).unwrap();
    let with = start(&path, &[]);
    assert!(with.engine.capabilities().await.unwrap().features.infill);
    let parts = ["def add(a, b):\n    return ", "\n"]
        .map(|text| CompletionRequest::text(TextPrompt::Continue { text: text.into() }, 1).prompt());
    let mut tokens = 3;
    for part in parts {
        tokens += with.engine.count_tokens(part).await.unwrap();
    }
    assert_eq!(with.engine.count_tokens(request.prompt()).await.unwrap(), tokens, "three marks, two texts");
    assert!(with.reply(request).await.is_ok());
}

#[tokio::test]
async fn a_conversation_is_shortened_only_when_asked_and_says_so() {
    let running = start(&tiny(), &[]);
    let mut request = add();
    request.messages.insert(1, Message::user("again?"));
    request.messages.insert(2, Message::assistant("def add(a, b):\n    return a + b\n".repeat(100)));
    request.messages.insert(3, Message::tool("passed"));
    let refused = running.reply(request.clone()).await;
    assert!(matches!(refused, Err(Error::ContextOverflow { .. })), "{refused:?}");
    request.overflow = Overflow::Compact;
    let events = running.events(request.clone()).await.unwrap();
    let Some(Event::Compacted { compaction }) = events.first() else { panic!("{events:?}") };
    assert_eq!(compaction.shortened, [2]);
    assert!(compaction.tokens_before > 1024 && compaction.tokens_after < 1024, "{compaction:?}");
    assert_eq!(events[1], Event::Started { prompt_tokens: compaction.tokens_after });
    compaction.apply(&mut request.messages);
    assert_eq!(running.engine.count_tokens(request.prompt()).await, Ok(compaction.tokens_after));
}

#[tokio::test]
async fn guessing_ahead_changes_no_answer() {
    let model = tiny();
    let alone = start(&model, &[]);
    let helped = start(&model, &["--draft", model.to_str().unwrap()]);
    assert_eq!(helped.engine.capabilities().await.unwrap().draft.as_deref(), Some("edgecoder-tiny"));
    let stopped = CompletionRequest { stop: vec!["return".into()], ..add() };
    let short = CompletionRequest { max_tokens: 5, ..add() };
    for request in [add(), stopped, short] {
        let expected = alone.reply(request.clone()).await.unwrap();
        let reply = helped.reply(request).await.unwrap();
        assert_eq!((reply.text, reply.finish), (expected.text, expected.finish));
        assert_eq!(reply.usage.output_tokens, expected.usage.output_tokens);
    }
    let sampled = CompletionRequest { temperature: 0.8, seed: 7, ..add() };
    assert_eq!(helped.reply(sampled.clone()).await.unwrap().text, alone.reply(sampled).await.unwrap().text);
}

#[tokio::test]
async fn a_draft_model_of_other_words_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.gguf");
    std::fs::write(&path, b"GGUF and nothing else").unwrap();
    let running = start(&tiny(), &["--draft", path.to_str().unwrap()]);
    assert!(matches!(running.engine.capabilities().await, Err(Error::ModelUnreadable { .. })));
}
