//! A client that costs little: one connection, one request after another, three times for each.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::engine;

/// Who is asked.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) model: &'static str,
}

/// How long an answer took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// The request, to the engine.
    pub(crate) there: Duration,
    /// The first word, from the engine.
    pub(crate) back: Duration,
    pub(crate) whole: Duration,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(8192) })
    }

    /// Asks for a stream and reads it to its end.
    pub(crate) async fn ask(&mut self, target: &Target, words: &str) -> anyhow::Result<Took> {
        let asked = engine::now();
        self.begin(target, words).await?;
        let read = engine::now();
        let (came, went) = engine::stamped(&String::from_utf8_lossy(&self.read)).context("no times")?;
        self.until(b"0\r\n\r\n").await?;
        Ok(Took {
            there: came.saturating_sub(asked),
            back: read.saturating_sub(went),
            whole: engine::now().saturating_sub(asked),
        })
    }

    /// Asks for a stream and reads to the end of its first word.
    pub(crate) async fn begin(&mut self, target: &Target, words: &str) -> anyhow::Result<()> {
        let Target { address, path, model, .. } = target;
        let messages = json!([{"role": "user", "content": words}]);
        let body =
            json!({"model": model, "messages": messages, "stream": true, "max_tokens": 64}).to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nauthorization: Bearer sk-any\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.read.clear();
        self.stream.write_all((head + &body).as_bytes()).await.context("asking")?;
        self.until(b" end").await?;
        ensure!(self.read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.read));
        Ok(())
    }

    async fn until(&mut self, end: &[u8]) -> anyhow::Result<()> {
        while !self.read.windows(end.len()).any(|part| part == end) {
            let length = self.stream.read_buf(&mut self.read).await.context("reading the answer")?;
            ensure!(length > 0, "the answer broke off: {}", String::from_utf8_lossy(&self.read));
        }
        Ok(())
    }
}
