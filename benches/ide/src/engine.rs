//! An engine that takes as long as a model of middling speed. It writes into each answer when the request came and when the
//! first word went: it shares its clock with whoever asks, so that the way there and back is known to the microsecond,
//! whatever a timer rounds.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request with this word is answered with one word and then silence.
pub(crate) const SILENCE: &str = "be-silent-now";

/// Pieces of every answer.
const PIECES: usize = 32;
/// Until the first word, and between two.
const FIRST: Duration = Duration::from_millis(50);
const NEXT: Duration = Duration::from_millis(20);

/// Where the clock of engine and client begins.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What the clock says.
pub(crate) fn now() -> Duration {
    BEGINNING.elapsed()
}

/// When a request had come and its first word went, as the first word says it.
pub(crate) fn stamp(came: Duration, went: Duration) -> String {
    format!("word {} {} end", came.as_micros(), went.as_micros())
}

/// The two times of a text that holds a stamp to its end.
pub(crate) fn stamped(text: &str) -> Option<(Duration, Duration)> {
    let (times, _) = text.split_once("word ")?.1.split_once(" end")?;
    let (came, went) = times.split_once(' ')?;
    Some((Duration::from_micros(came.parse().ok()?), Duration::from_micros(went.parse().ok()?)))
}

/// Serves on a free port until the set is dropped.
pub(crate) async fn serve() -> anyhow::Result<(SocketAddr, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(async move {
                // Whoever hangs up has had enough.
                drop(connection(stream).await);
            });
            while connections.try_join_next().is_some() {}
        }
    });
    Ok((address, server))
}

async fn connection(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    while let Some((head, body)) = request(&mut stream, &mut read).await? {
        let came = now();
        if head.starts_with("GET") {
            let models =
                r#"{"object":"list","data":[{"id":"scripted","object":"model","max_model_len":8192}]}"#;
            whole(&mut stream, models).await?;
        } else if body.contains("\"stream\":true") || body.contains("\"stream\": true") {
            let silent = body.contains(SILENCE);
            streamed(&mut stream, came, silent).await?;
            if silent {
                // Until the other side hangs up.
                stream.read_u8().await?;
            }
        } else {
            let answer = r#"{"model":"scripted","choices":[{"index":0,"message":{"role":"assistant","content":"w"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
            whole(&mut stream, answer).await?;
        }
    }
    Ok(())
}

/// Head and body of the next request; nothing at the end of the connection.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<Option<(String, String)>> {
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.unwrap_or(0);
    while read.len() < end + length {
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8_lossy(&read[end..end + length]).into_owned();
    read.drain(..end + length);
    Ok(Some((head, body)))
}

async fn whole(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await
}

async fn streamed(stream: &mut TcpStream, came: Duration, silent: bool) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + "data: \n\n".len());
    let piece = |delta: &str, finish: &str| {
        chunk(&format!(
            r#"{{"id":"x","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
        ))
    };
    let word = |content: &str| piece(&format!(r#"{{"role":"assistant","content":"{content}"}}"#), "null");
    tokio::time::sleep(FIRST).await;
    let first = word(&stamp(came, now()));
    stream.write_all((head.to_owned() + &first).as_bytes()).await?;
    if silent {
        return Ok(());
    }
    for _ in 1..PIECES {
        tokio::time::sleep(NEXT).await;
        stream.write_all(word("word ").as_bytes()).await?;
    }
    let usage = r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":32,"total_tokens":33}}"#;
    let end = [piece("{}", r#""stop""#), chunk(usage), chunk("[DONE]"), "0\r\n\r\n".to_owned()].concat();
    stream.write_all(end.as_bytes()).await
}
