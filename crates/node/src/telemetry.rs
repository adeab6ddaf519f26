//! Structured logs on standard error: lines for people, JSON for machines. Fields, not sentences. Spans also go to
//! a collector, where one is configured and nowhere else.

mod export;
mod one_line;

use std::io::IsTerminal;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::TelemetryConfig;
use crate::env::Env;

use export::Export;

/// What is running: closed in order, so that the last spans reach their collector.
#[derive(Debug)]
#[must_use = "spans that are not flushed are lost"]
pub(crate) struct Telemetry {
    export: Option<Export>,
}

/// Starts logging for this process, and the export of spans where a collector is named. A second call changes
/// nothing. `process` tells the parts of a node apart at the collector.
pub(crate) fn start(config: &TelemetryConfig, env: &Env, process: &'static str) -> Telemetry {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let color = std::io::stderr().is_terminal() && env.get("NO_COLOR").is_none_or(String::is_empty);
    let lines = lines(std::io::stderr, color, config.json);
    let (export, failed) = match config.otlp_endpoint.as_deref().map(|url| Export::open(url, process)) {
        Some(Ok(export)) => (Some(export), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let spans = export.as_ref().map(|export| export.layer().with_filter(export::filter()));
    // Fails only when a subscriber is set already, as in tests.
    let _set_before = tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).try_init();
    if let Some(error) = failed {
        tracing::warn!(%error, "spans cannot be exported; the node works without");
    }
    Telemetry { export }
}

/// Events as lines: whatever a message holds, one event is one line, and nothing of it steers a terminal.
fn lines<S, W>(writer: W, color: bool, json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(color);
    match json {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.fmt_fields(one_line::Fields).boxed(),
    }
}

impl Telemetry {
    /// Sends what is still kept, for a bounded time.
    pub(crate) async fn close(self) {
        if let Some(export) = self.export {
            export.close().await;
        }
    }
}
