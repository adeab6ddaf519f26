//! A conversation with one server: greeted once, asked many times, given up at the first sign that it is no use.

use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, PaginatedRequestParams};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::limits::{MAX_BYTES_A_REQUEST, MAX_LINE_BYTES, MAX_PAGES, MAX_TEXT_CHARS};
use crate::metered::{Allowance, Metered};
use crate::words::{clipped, harmless};
use crate::{Error, Limits, Offer};

/// A server that has greeted. Dropping it ends the conversation.
#[derive(Debug)]
pub struct Connection {
    service: RunningService<RoleClient, ()>,
    allowance: Allowance,
    limits: Limits,
    offer: Offer,
}

impl Connection {
    /// Greets the server behind the streams and takes its tools.
    pub async fn open(
        read: impl AsyncRead + Send + Unpin + 'static,
        write: impl AsyncWrite + Send + Unpin + 'static,
        limits: Limits,
    ) -> Result<Self, Error> {
        let allowance = Allowance::default();
        allowance.grant(MAX_BYTES_A_REQUEST);
        let streams = AsyncRwTransport::new_client(Metered::new(read, allowance.clone()), write)
            .with_max_line_length(MAX_LINE_BYTES);
        let opening = async {
            let service = ().serve(streams).await.map_err(not_greeted)?;
            let offer = tools_of(&service).await?;
            Ok(Self { service, allowance, limits, offer })
        };
        within(limits.open, opening).await
    }

    /// Its tools.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Whether it can still be asked.
    pub fn is_open(&self) -> bool {
        !self.service.is_transport_closed()
    }

    /// Calls a tool. The outcome, good or bad, is text that steers nothing.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        stop: &CancellationToken,
    ) -> Result<String, Error> {
        self.allowance.grant(MAX_BYTES_A_REQUEST);
        let call = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let answer = within(self.limits.call, async { self.service.call_tool(call).await.map_err(failed) });
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Error::Cancelled),
            answer = answer => {
                let answer = answer?;
                let text = text_of(&answer);
                if answer.is_error == Some(true) { Err(Error::Failed(text)) } else { Ok(text) }
            }
        }
    }
}

async fn tools_of(service: &RunningService<RoleClient, ()>) -> Result<Offer, Error> {
    let mut offer = Offer::default();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let page = PaginatedRequestParams::default().with_cursor(cursor);
        let page = service.list_tools(Some(page)).await.map_err(failed)?;
        for tool in &page.tools {
            offer.take(&tool.name, tool.description.as_deref().unwrap_or_default(), &tool.input_schema);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(offer)
}

/// The texts of an answer; what is no text is named, and a bare value is written out.
fn text_of(answer: &CallToolResult) -> String {
    let parts: Vec<String> = answer.content.iter().map(part).collect();
    let text = match (&answer.structured_content, parts.is_empty()) {
        (Some(value), true) => value.to_string(),
        _ => parts.join("\n"),
    };
    clipped(&harmless(&text), MAX_TEXT_CHARS)
}

fn part(block: &ContentBlock) -> String {
    match block.as_text() {
        Some(text) => text.text.clone(),
        None => "[left out: not text]".to_owned(),
    }
}

async fn within<T>(time: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(time, asked).await.unwrap_or(Err(Error::Silent(time)))
}

fn not_greeted(error: ClientInitializeError) -> Error {
    use ClientInitializeError as Greeting;
    if matches!(error, Greeting::ConnectionClosed(_) | Greeting::TransportError { .. }) {
        return Error::Gone;
    }
    Error::Answered(short(&error.to_string()))
}

fn failed(error: ServiceError) -> Error {
    if let ServiceError::McpError(said) = &error {
        return Error::Answered(short(&said.message));
    }
    if matches!(error, ServiceError::TransportClosed | ServiceError::TransportSend(_)) {
        return Error::Gone;
    }
    Error::Answered(short(&error.to_string()))
}

/// Errors are for people and logs: a line or two.
fn short(words: &str) -> String {
    clipped(&harmless(words), 500)
}
