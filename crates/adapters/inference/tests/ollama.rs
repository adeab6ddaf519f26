//! Ollama's interface against a server that behaves like it, well and badly; and finding servers on a machine.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use edgecoder_inference::discover::{Place, ServerKind, discover};
use edgecoder_inference::ollama::{InstalledModel, PullProgress};
use edgecoder_inference::{
    CompletionRequest, EmbedRequest, Engine, Error, Event, Finish, Format, Message, Ollama, OllamaConfig,
    OllamaEngine, Reply, TextPrompt, collect,
};
use futures::StreamExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a path answers.
struct Answer {
    status: u16,
    body: String,
    /// Bytes sent at a time.
    piece: usize,
    /// Whether the connection stays open behind the body.
    stay: bool,
}

impl Answer {
    fn json(value: &Value) -> Self {
        Self { status: 200, body: value.to_string(), piece: usize::MAX, stay: false }
    }

    fn lines(values: &[Value]) -> Self {
        let body = values.iter().map(|value| format!("{value}\n")).collect();
        Self { status: 200, body, piece: usize::MAX, stay: false }
    }

    fn error(status: u16, words: &str) -> Self {
        Self { status, ..Self::json(&json!({"error": words})) }
    }
}

type Script = dyn Fn(&str, &Value) -> Answer + Send + Sync;

/// A server; remembers what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    /// Tells when a client hung up inside an answer that stays open.
    hung_up: CancellationToken,
    _tasks: JoinSet<()>,
}

async fn fake(script: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, hung_up) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
    let (remember, tell) = (Arc::clone(&asked), hung_up.clone());
    let script: Arc<Script> = Arc::new(script);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            connections.spawn(one(socket, Arc::clone(&script), Arc::clone(&remember), tell.clone()));
        }
    });
    Fake { url, asked, hung_up, _tasks: tasks }
}

async fn one(
    mut socket: TcpStream,
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    hung_up: CancellationToken,
) {
    let (path, body) = request(&mut socket).await;
    asked.lock().push((path.clone(), body.clone()));
    let answer = script(&path, &body);
    let head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n\r\n", answer.status);
    socket.write_all(head.as_bytes()).await.unwrap();
    for piece in answer.body.as_bytes().chunks(answer.piece.min(1 << 20)) {
        socket.write_all(piece).await.unwrap();
        socket.flush().await.unwrap();
    }
    if answer.stay {
        let _gone = socket.read(&mut [0; 1]).await;
        hung_up.cancel();
    }
}

async fn request(socket: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap_or_default().trim().parse().unwrap_or(0));
            if body.len() >= length {
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return (path, serde_json::from_str(body).unwrap_or(Value::Null));
            }
        }
        if socket.read_buf(&mut bytes).await.unwrap() == 0 {
            return (String::new(), Value::Null);
        }
    }
}

const TRAINED: u64 = 8_192;

/// A healthy Ollama, except for what `bad` says of a path.
async fn ollama(bad: impl Fn(&str, &Value) -> Option<Answer> + Send + Sync + 'static) -> Fake {
    fake(move |path, body| {
        if let Some(answer) = bad(path, body) {
            return answer;
        }
        match path {
            "/api/version" => Answer::json(&json!({"version": "0.13.1"})),
            "/api/tags" => Answer::json(&json!({"models": [{
                "name": "qwen:7b", "model": "qwen:7b", "size": 4_700_000_000_u64, "digest": "d",
                "details": {"parameter_size": "7.6B", "quantization_level": "Q4_K_M", "family": "qwen2"},
            }, {"name": "bare:latest"}]})),
            "/api/show" => Answer::json(&json!({"model_info": {
                "general.architecture": "q", "q.context_length": TRAINED, "q.block_count": 2,
                "q.embedding_length": 8, "q.attention.head_count": 2, "q.attention.head_count_kv": 1,
            }})),
            "/api/ps" => Answer::json(&json!({"models": [{"name": "qwen:7b", "context_length": TRAINED}]})),
            "/api/chat" if body["messages"] == json!([]) => {
                Answer::json(&json!({"done": true, "done_reason": "load"}))
            }
            "/api/chat" | "/api/generate" => Answer::lines(&told("stop", 9)),
            _ => Answer::error(404, "404 page not found"),
        }
    })
    .await
}

fn told(reason: &str, read: u32) -> Vec<Value> {
    let said = |text: &str| json!({"message": {"role": "assistant", "content": text}, "response": text, "done": false});
    let end = json!({"message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason,
                     "prompt_eval_count": read, "eval_count": 5});
    vec![said("Hel"), said("lo \u{e9}\u{1F600}"), end]
}

fn engine(url: &str) -> OllamaEngine {
    OllamaEngine::new(OllamaConfig::new(url, "qwen:7b")).unwrap()
}

fn hello() -> CompletionRequest {
    CompletionRequest::new(vec![Message::system("be short"), Message::user("say hello to me")], 50)
}

async fn ask(engine: &OllamaEngine, request: CompletionRequest) -> Result<Reply, Error> {
    collect(engine.complete(request, CancellationToken::new()).await?).await
}

fn never(_: &str, _: &Value) -> Option<Answer> {
    None
}

#[tokio::test]
async fn every_request_carries_the_window_that_was_read_back() {
    let server = ollama(never).await;
    let engine = engine(&server.url);
    let capabilities = engine.capabilities().await.unwrap();
    assert_eq!((capabilities.context_tokens, capabilities.engine.as_str()), (8_192, "ollama 0.13.1"));
    let reply = ask(&engine, hello()).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("Hello \u{e9}\u{1F600}", Finish::Stop));
    assert_eq!((reply.usage.prompt_tokens, reply.usage.output_tokens), (9, 5));
    ask(&engine, hello()).await.unwrap();
    let asked = server.asked.lock().clone();
    let chats: Vec<_> = asked.iter().filter(|(path, _)| path == "/api/chat").map(|(_, body)| body).collect();
    assert_eq!(chats.len(), 3, "one to load, two to answer");
    for chat in chats {
        assert_eq!(chat["options"]["num_ctx"], TRAINED, "{chat}");
    }
    assert_eq!(asked.iter().filter(|(path, _)| path == "/api/show").count(), 1);
    let last = &asked.last().unwrap().1;
    assert_eq!((&last["truncate"], &last["options"]["num_predict"]), (&json!(false), &json!(50)));
    assert_eq!(last["options"]["top_k"], 0, "left out, it would be Ollama's own 40");
}

#[tokio::test]
async fn an_answer_is_read_in_pieces_of_any_size() {
    for piece in [1, 2, 3, 7, 64] {
        let server = ollama(move |path, body| {
            (path == "/api/chat" && body["messages"] != json!([]))
                .then(|| Answer { piece, ..Answer::lines(&told("length", 9)) })
        })
        .await;
        let reply = ask(&engine(&server.url), hello()).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.finish), ("Hello \u{e9}\u{1F600}", Finish::Length), "{piece}");
    }
}

#[tokio::test]
async fn a_smaller_window_than_asked_is_the_window() {
    let opened = |tokens: u32| {
        move |path: &str, _: &Value| {
            let models = json!({"models": [{"model": "QWEN:7b", "context_length": tokens}]});
            (path == "/api/ps").then(|| Answer::json(&models))
        }
    };
    let server = ollama(opened(60)).await;
    let engine = engine(&server.url);
    assert_eq!(engine.capabilities().await.unwrap().context_tokens, 60);
    let refused = ask(&engine, hello()).await;
    assert!(matches!(refused, Err(Error::ContextOverflow { context_tokens: 60, .. })), "{refused:?}");
    assert!(!server.asked.lock().iter().any(|(_, body)| body["stream"] == json!(true)), "nothing was sent");
}

#[tokio::test]
async fn a_cut_prompt_is_an_error_and_never_an_answer() {
    let words = "one two three four five six seven eight nine ten eleven twelve thirteen";
    let long = CompletionRequest::new(vec![Message::user(words)], 50);
    // It read fewer tokens than there are words; it filled its whole window; it refuses by itself.
    for (answer, context_tokens) in [
        (Answer::lines(&told("stop", 12)), 12),
        (Answer::lines(&told("stop", 8_192)), 8_192),
        (Answer::error(400, "the input length exceeds the context length"), 8_192),
    ] {
        let answer = Mutex::new(Some(answer));
        let server = ollama(move |path, body| {
            (path == "/api/chat" && body["messages"] != json!([])).then(|| answer.lock().take().unwrap())
        })
        .await;
        match ask(&engine(&server.url), long.clone()).await {
            Err(Error::ContextOverflow { context_tokens: told, .. }) => assert_eq!(told, context_tokens),
            other => panic!("{other:?}"),
        }
    }
    // As many tokens as words, or no count at all (a prompt from the cache of an older version), is no proof.
    let mut uncounted = told("stop", 0);
    uncounted[2].as_object_mut().unwrap().remove("prompt_eval_count");
    for lines in [told("stop", 13), uncounted] {
        let server = ollama(move |path, body| {
            (path == "/api/chat" && body["messages"] != json!([])).then(|| Answer::lines(&lines))
        })
        .await;
        ask(&engine(&server.url), long.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn no_failure_looks_like_an_answer() {
    let half = told("stop", 9);
    let mut cut = Answer::lines(&half);
    cut.body.truncate(cut.body.len() - 30);
    let inside = Answer::lines(&[half[0].clone(), json!({"error": "llama runner process has terminated"})]);
    let unreadable = Answer { body: "Hello\n".into(), ..Answer::json(&Value::Null) };
    let cases = [
        (cut, "protocol"),
        (Answer::lines(&half[..2]), "cannot reach"),
        (inside, "terminated"),
        (unreadable, "protocol"),
        (Answer::lines(&[json!({"done": true, "done_reason": "load"})]), "only loaded"),
        (Answer::error(500, "out of memory"), "out of memory"),
        (Answer::error(404, "model \"qwen:7b\" not found"), "ollama pull qwen:7b"),
        (Answer { body: String::new(), ..Answer::json(&Value::Null) }, "cannot reach"),
    ];
    for (answer, words) in cases {
        let answer = Mutex::new(Some(answer));
        let server = ollama(move |path, body| {
            (path == "/api/chat" && body["messages"] != json!([])).then(|| answer.lock().take().unwrap())
        })
        .await;
        let error = ask(&engine(&server.url), hello()).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}, not {words}");
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_says_how_to_get_it() {
    let server =
        ollama(|path, _| (path == "/api/show").then(|| Answer::error(404, "model 'qwen:7b' not found")))
            .await;
    let error = engine(&server.url).capabilities().await.unwrap_err();
    assert!(
        matches!(&error, Error::ModelMissing { fix, .. } if fix.contains("ollama pull qwen:7b")),
        "{error}"
    );
    let gone = engine("http://127.0.0.1:1").capabilities().await;
    assert!(matches!(gone, Err(Error::Unreachable { .. })), "{gone:?}");
}

#[tokio::test]
async fn cancelling_hangs_up() {
    let server = ollama(|path, body| {
        (path == "/api/chat" && body["messages"] != json!([]))
            .then(|| Answer { stay: true, ..Answer::lines(&told("stop", 9)[..1]) })
    })
    .await;
    let engine = engine(&server.url);
    let cancel = CancellationToken::new();
    let mut events = engine.complete(hello(), cancel.clone()).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Started { .. }))));
    assert!(matches!(events.next().await, Some(Ok(Event::Delta { .. }))));
    cancel.cancel();
    let last = events.next().await;
    assert!(matches!(last, Some(Ok(Event::Done { finish: Finish::Cancelled, .. }))), "{last:?}");
    drop(events);
    server.hung_up.cancelled().await;
}

#[tokio::test]
async fn schemas_gaps_and_plain_texts_travel_in_ollamas_form() {
    let server = ollama(never).await;
    let engine = engine(&server.url);
    let schema = json!({"type": "array"});
    let mut request = hello();
    request.prefill = Some("[".into());
    request.format = Some(Format::JsonSchema { schema: schema.clone() });
    ask(&engine, request).await.unwrap();
    let sent = server.asked.lock().last().unwrap().clone();
    assert_eq!((&sent.1["format"], &sent.1["messages"][2]["content"]), (&schema, &json!("[")));
    let gap = TextPrompt::Infill { prefix: "def f(".into(), suffix: "): pass".into() };
    ask(&engine, CompletionRequest::text(gap, 9)).await.unwrap();
    let (path, body) = server.asked.lock().last().unwrap().clone();
    assert_eq!((path.as_str(), &body["suffix"]), ("/api/generate", &json!("): pass")));
    ask(&engine, CompletionRequest::text(TextPrompt::Continue { text: "def f(".into() }, 9)).await.unwrap();
    assert_eq!(server.asked.lock().last().unwrap().1["raw"], json!(true));
    let grammar = Format::Grammar { gbnf: "root ::= \"x\"".into() };
    let refused = ask(&engine, CompletionRequest { format: Some(grammar), ..hello() }).await;
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[tokio::test]
async fn texts_become_vectors_or_an_error() {
    let server = ollama(|path, _| {
        let answer = json!({"embeddings": [[0.6, 0.8]], "prompt_eval_count": 3});
        (path == "/api/embed").then(|| Answer::json(&answer))
    })
    .await;
    let engine = engine(&server.url);
    let ask = |inputs: &[&str]| EmbedRequest {
        inputs: inputs.iter().map(|text| (*text).to_owned()).collect(),
        model: None,
    };
    assert_eq!(engine.embed(ask(&["a b"])).await.unwrap().vectors, [vec![0.6, 0.8]]);
    assert!(matches!(engine.embed(ask(&["a", "b"])).await, Err(Error::Protocol { .. })));
}

#[tokio::test]
async fn installed_models_are_listed_and_removed() {
    let server = ollama(|path, _| (path == "/api/delete").then(|| Answer::json(&Value::Null))).await;
    let ollama = Ollama::new(&server.url, Duration::from_secs(5)).unwrap();
    let model = |name: &str, bytes, parameters: Option<&str>, quantization: Option<&str>| InstalledModel {
        name: name.to_owned(),
        bytes,
        parameters: parameters.map(str::to_owned),
        quantization: quantization.map(str::to_owned),
    };
    let expected =
        [model("qwen:7b", 4_700_000_000, Some("7.6B"), Some("Q4_K_M")), model("bare:latest", 0, None, None)];
    assert_eq!(ollama.models().await.unwrap(), expected);
    ollama.remove("qwen:7b").await.unwrap();
    assert_eq!(server.asked.lock().last().unwrap().1, json!({"model": "qwen:7b"}));
}

#[tokio::test]
async fn a_pull_tells_its_progress_and_how_it_ended() {
    let layer = |digest: &str, completed: u64, total: u64| json!({"status": format!("pulling {digest}"), "digest": digest, "completed": completed, "total": total});
    let begun = vec![
        json!({"status": "pulling manifest"}),
        layer("a", 0, 100),
        layer("a", 100, 100),
        layer("b", 5, 50),
    ];
    let ends: [(Vec<Value>, Result<PullProgress, &str>); 4] = [
        (
            vec![json!({"status": "success"})],
            Ok(PullProgress { status: "success".into(), completed: 105, total: 150, done: true }),
        ),
        (vec![json!({"error": "no space left on device"})], Err("no space left")),
        (vec![], Err("ended inside")),
        (vec![json!("what")], Err("unexpected line")),
    ];
    for (end, expected) in ends {
        let lines = [begun.clone(), end].concat();
        let server = fake(move |_, _| Answer { piece: 5, ..Answer::lines(&lines) }).await;
        let ollama = Ollama::new(&server.url, Duration::from_secs(5)).unwrap();
        let mut steps: Vec<_> = ollama.pull("qwen:7b").await.unwrap().collect().await;
        let last = steps.pop().unwrap();
        match (last, expected) {
            (Ok(last), Ok(expected)) => assert_eq!(last, expected),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (last, expected) => panic!("{last:?}, not {expected:?}"),
        }
        let sums: Vec<_> =
            steps.into_iter().map(|step| step.unwrap()).map(|s| (s.completed, s.total)).collect();
        assert_eq!(sums, [(0, 0), (0, 100), (100, 100), (105, 150)]);
    }
    let server = fake(|_, _| Answer::error(404, "pull model manifest: file does not exist")).await;
    let ollama = Ollama::new(&server.url, Duration::from_secs(5)).unwrap();
    assert!(matches!(ollama.pull("no:such").await.err(), Some(Error::ModelMissing { .. })));
}

#[tokio::test]
async fn servers_are_found_told_apart_and_never_waited_for() {
    let ollama = ollama(never).await;
    let other = fake(|path, _| match path {
        "/v1/models" => Answer::json(&json!({"data": [{"id": "m", "owned_by": "vllm"}]})),
        _ => Answer::error(404, "no"),
    })
    .await;
    let silent = fake(|_, _| Answer { stay: true, ..Answer::json(&json!("")) }).await;
    let page = fake(|_, _| Answer { body: "<html>".into(), ..Answer::json(&Value::Null) }).await;
    let named = |url: &str| Place { url: url.to_owned(), api_key: None, configured: true };
    let places = vec![
        Place::usual(&ollama.url),
        named(&format!("{}/v1/", other.url)),
        Place::usual(&other.url),
        Place::usual(&silent.url),
        Place::usual(&page.url),
        Place::usual("http://127.0.0.1:1"),
        named("http://127.0.0.1:2"),
        named("no address"),
    ];
    let found = discover(places).await;
    let seen: Vec<_> =
        found.iter().map(|found| (found.kind, found.models.len(), found.trouble.is_some())).collect();
    let expected = [
        (Some(ServerKind::Ollama), 2, false),
        (Some(ServerKind::Vllm), 1, false),
        (None, 0, true),
        (None, 0, true),
    ];
    assert_eq!(seen, expected, "{found:#?}");
    assert_eq!((found[0].version.as_deref(), found[1].url.as_str()), (Some("0.13.1"), other.url.as_str()));
}
