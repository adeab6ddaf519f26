//! Engines behind HTTP against a server that misbehaves in every way we have met.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use edgecoder_base::Secret;
use edgecoder_inference::{
    Capabilities, CompletionRequest, Engine, Error, Event, Finish, Message, OpenAiConfig, OpenAiEngine,
    RemoteConfig, RemoteEngine, Reply, TokenUsage, codec, collect,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Answers each connection with the next script, in pieces of `piece` bytes, then closes (or stays, when told).
struct Server {
    url: String,
    asked: mpsc::Receiver<String>,
    _tasks: JoinSet<()>,
}

struct Script {
    answer: String,
    piece: usize,
    stay: bool,
}

fn http(status: &str, kind: &str, body: &str) -> Script {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}");
    Script { answer, piece: usize::MAX, stay: false }
}

async fn serve(scripts: Vec<Script>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for script in scripts {
            let (mut socket, _) = listener.accept().await.unwrap();
            tell.send(request(&mut socket).await).await.unwrap();
            for piece in script.answer.as_bytes().chunks(script.piece.min(1 << 20)) {
                socket.write_all(piece).await.unwrap();
                socket.flush().await.unwrap();
            }
            if script.stay {
                std::future::pending::<()>().await;
            }
        }
    });
    Server { url, asked, _tasks: tasks }
}

/// Head and body of one request.
async fn request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap_or_default().trim().parse().unwrap_or(0));
            if body.len() >= length {
                return text;
            }
        }
        socket.read_buf(&mut bytes).await.unwrap();
    }
}

fn engine(url: &str) -> OpenAiEngine {
    let mut config = OpenAiConfig::new(format!("{url}/v1/"), "some-model");
    config.context_tokens = Some(1000);
    config.api_key = Some(Secret::new("key-1".into()));
    OpenAiEngine::new(config).unwrap()
}

fn hello() -> CompletionRequest {
    CompletionRequest::new(vec![Message::user("hello")], 50)
}

async fn ask(engine: &dyn Engine) -> Result<Reply, Error> {
    collect(engine.complete(hello(), CancellationToken::new()).await?).await
}

const SSE: &str = "text/event-stream";

fn chunk(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{text:?}}},\"finish_reason\":null}}]}}\n\n")
}

fn whole() -> String {
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n\
               data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    chunk("Hel") + &chunk("lo \u{e9}\u{1F600}") + end
}

#[tokio::test]
async fn an_answer_is_read_in_pieces_of_any_size() {
    for piece in [1, 2, 3, 7, 64, usize::MAX] {
        let mut server = serve(vec![Script { piece, ..http("200 OK", SSE, &whole()) }]).await;
        let reply = ask(&engine(&server.url)).await.unwrap();
        assert_eq!(reply.text, "Hello \u{e9}\u{1F600}", "pieces of {piece}");
        assert_eq!(
            (reply.finish, reply.usage.prompt_tokens, reply.usage.output_tokens),
            (Finish::Length, 7, 2)
        );
        let asked = server.asked.recv().await.unwrap();
        assert!(asked.starts_with("POST /v1/chat/completions "), "{asked}");
        assert!(asked.contains("uthorization: Bearer key-1") && asked.contains("\"stream\":true"), "{asked}");
    }
}

#[tokio::test]
async fn hole_37_no_failure_looks_like_an_answer() {
    let cut = chunk("half an ans");
    let inside = "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n";
    let overflow = "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":9000,\"n_ctx\":512}}";
    type Case<'a> = (&'a str, Script, fn(&Error) -> bool);
    let cases: Vec<Case<'_>> = vec![
        ("status", http("500 Oops", "application/json", "{\"error\":\"model crashed\"}"), |e| {
            *e == Error::Upstream { status: 500, message: "model crashed".into() } && e.is_retryable()
        }),
        (
            "status in another shape",
            http("404 No", "application/json", "{\"error\":{\"message\":\"no model\"}}"),
            |e| *e == Error::Upstream { status: 404, message: "no model".into() } && !e.is_retryable(),
        ),
        ("status without sense", http("502 Bad", "text/html", "<html>"), |e| {
            matches!(e, Error::Upstream { status: 502, .. })
        }),
        ("redirect", http("302 Away", "text/html", ""), |e| matches!(e, Error::Upstream { status: 302, .. })),
        ("overflow", http("400 Bad", "application/json", overflow), |e| {
            *e == Error::ContextOverflow { prompt_tokens: 9000, max_tokens: 50, context_tokens: 512 }
        }),
        ("empty", http("200 OK", SSE, ""), |e| matches!(e, Error::Unreachable { .. })),
        ("only done", http("200 OK", SSE, "data: [DONE]\n\n"), |e| matches!(e, Error::Protocol { .. })),
        ("cut", http("200 OK", SSE, &cut), |e| matches!(e, Error::Unreachable { .. }) && e.is_retryable()),
        ("error inside", http("200 OK", SSE, inside), |e| {
            *e == Error::Upstream { status: 500, message: "out of memory".into() }
        }),
        ("wrong json", http("200 OK", SSE, "data: {\"choices\": 3}\n\n"), |e| {
            matches!(e, Error::Protocol { .. })
        }),
        ("not a stream", http("200 OK", "application/json", "{\"error\":\"x\"}"), |e| {
            matches!(e, Error::Unreachable { .. })
        }),
        ("no http", Script { answer: "what?\r\n\r\n".into(), piece: 99, stay: false }, |e| {
            matches!(e, Error::Unreachable { .. })
        }),
    ];
    for (name, script, expected) in cases {
        let server = serve(vec![script]).await;
        let error = ask(&engine(&server.url)).await.unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_a_timeout_and_a_missing_one_unreachable() {
    for answer in
        [String::new(), "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned() + &chunk("a")]
    {
        let server = serve(vec![Script { answer, piece: 99, stay: true }]).await;
        let mut config = OpenAiConfig::new(&server.url, "m");
        config.context_tokens = Some(1000);
        config.silence = Duration::from_millis(100);
        let error = ask(&OpenAiEngine::new(config).unwrap()).await.unwrap_err();
        assert_eq!(error, Error::Timeout { after_ms: 100 });
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(ask(&engine(&url)).await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn cancelling_ends_an_answer_of_a_silent_server() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned() + &chunk("a");
    let server = serve(vec![Script { answer, piece: 99, stay: true }]).await;
    let cancel = CancellationToken::new();
    let engine = engine(&server.url);
    let events = engine.complete(hello(), cancel.clone()).await.unwrap();
    cancel.cancel();
    assert_eq!(collect(events).await.unwrap().finish, Finish::Cancelled);
}

#[tokio::test]
async fn the_context_is_asked_for_and_kept_to() {
    let models = "{\"data\":[{\"id\":\"other\"},{\"id\":\"m\",\"max_model_len\":64}]}";
    let server = serve(vec![http("200 OK", "application/json", models)]).await;
    let engine = OpenAiEngine::new(OpenAiConfig::new(&server.url, "m")).unwrap();
    assert_eq!(engine.capabilities().await.unwrap().context_tokens, 64);
    let mut request = hello();
    request.max_tokens = 60;
    let refused = engine.complete(request, CancellationToken::new()).await.err();
    assert!(
        matches!(refused, Some(Error::ContextOverflow { max_tokens: 60, context_tokens: 64, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_prefill_is_sent_and_its_echo_is_not_output() {
    let tail = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n";
    for (answer, shown) in [(chunk("def ") + &chunk("add(a"), "(a"), (chunk("de") + &chunk("nse"), "dense")] {
        let mut server = serve(vec![http("200 OK", SSE, &(answer + tail))]).await;
        let mut request = hello();
        request.prefill = Some("def add".into());
        let engine = engine(&server.url);
        let reply = collect(engine.complete(request, CancellationToken::new()).await.unwrap()).await.unwrap();
        assert_eq!(reply.text, shown);
        assert!(
            server.asked.recv().await.unwrap().contains("{\"role\":\"assistant\",\"content\":\"def add\"}")
        );
    }
}

#[test]
fn an_address_that_is_none_is_refused() {
    for url in ["", "nonsense", "ftp://host", "file:///etc/passwd"] {
        assert!(
            matches!(OpenAiEngine::new(OpenAiConfig::new(url, "m")), Err(Error::InvalidRequest { .. })),
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_door_of_ours_is_an_engine() {
    let usage = TokenUsage { prompt_tokens: 3, output_tokens: 1, model_ms: 4 };
    let body: String = [
        Ok(Event::Started { prompt_tokens: 3 }),
        Ok(Event::Delta { text: "hi".into() }),
        Ok(Event::Done { finish: Finish::Stop, usage }),
    ]
    .iter()
    .map(codec::encode_event)
    .collect();
    let capabilities = Capabilities::new("m", "e", 512, 1);
    let overflow = Error::ContextOverflow { prompt_tokens: 1, max_tokens: 2, context_tokens: 2 };
    let mut server = serve(vec![
        http("200 OK", "application/json", &codec::encode_answer(&Ok(capabilities.clone()))),
        Script { piece: 3, ..http("200 OK", codec::NDJSON, &body) },
        http("200 OK", "application/json", &codec::encode_answer::<u32>(&Ok(42))),
        http("200 OK", codec::NDJSON, &codec::encode_event(&Err(overflow.clone()))),
        http("401 No", "application/json", "who are you"),
    ])
    .await;
    let engine = RemoteEngine::new(RemoteConfig::new(&server.url, Some(Secret::new("t".into())))).unwrap();
    assert_eq!(engine.capabilities().await, Ok(capabilities));
    let reply = ask(&engine).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.usage), ("hi", usage));
    assert_eq!(engine.count_tokens(hello().prompt()).await, Ok(42));
    assert_eq!(engine.complete(hello(), CancellationToken::new()).await.err(), Some(overflow));
    assert_eq!(ask(&engine).await, Err(Error::Upstream { status: 401, message: "who are you".into() }));
    for path in ["GET /capabilities ", "POST /complete ", "POST /count_tokens "] {
        assert!(server.asked.recv().await.unwrap().starts_with(path));
    }
}
