//! A person's or program's side of the companion behind an IDE door: plain calls, and the events of a chat.

use std::collections::VecDeque;

use edgecoder_base::Secret;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::Error;
use crate::sse::SseSplitter;
use crate::wire::{ANSWER_TIMEOUT, Wire};

/// A client of one IDE door.
#[derive(Debug, Clone)]
pub struct IdeClient {
    wire: Wire,
    token: Secret<String>,
}

/// A chat on its way. Dropping it hangs up, which ends the chat.
#[derive(Debug)]
pub struct ChatEvents {
    client: IdeClient,
    response: Response,
    splitter: SseSplitter,
    ready: VecDeque<Value>,
}

impl IdeClient {
    /// A client of the IDE door at `url`.
    pub fn build(url: &str, token: Secret<String>) -> Result<Self, Error> {
        Ok(Self { wire: Wire::build(url)?, token })
    }

    /// Asks for what is at `path`.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.wire.json(self.request(Method::GET, path).timeout(ANSWER_TIMEOUT)).await
    }

    /// Sends `body` to `path`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.wire.json(self.request(Method::POST, path).timeout(ANSWER_TIMEOUT).json(body)).await
    }

    /// `POST /v1/ide/chat`. A model that has to be loaded first may keep it waiting.
    pub async fn chat(&self, body: &Value) -> Result<ChatEvents, Error> {
        let response = self.wire.open(self.request(Method::POST, "/v1/ide/chat").json(body)).await?;
        let client = self.clone();
        Ok(ChatEvents { client, response, splitter: SseSplitter::default(), ready: VecDeque::new() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.wire.http().request(method, self.wire.url(path)).bearer_auth(self.token.expose())
    }
}

impl ChatEvents {
    /// The next event; none when the door ended the stream.
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let chunk = self.response.chunk().await.map_err(|error| self.client.wire.unreachable(&error))?;
            let Some(chunk) = chunk else { return Ok(None) };
            for event in self.splitter.push(&chunk).map_err(|error| Error::Protocol(error.to_string()))? {
                let event = serde_json::from_str(&event.data);
                self.ready.push_back(event.map_err(|error| Error::Protocol(error.to_string()))?);
            }
        }
    }
}
