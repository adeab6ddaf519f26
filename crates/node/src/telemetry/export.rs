//! Spans on their way to a collector, by OTLP over HTTP. Whether it listens changes nothing for the node: spans wait
//! in a bounded queue on a thread of their own, are dropped when it is full, and closing takes a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::registry::LookupSpan;

/// Path of spans below a collector's address, says the protocol.
const TRACES: &str = "/v1/traces";
/// Spans kept while the collector does not answer: some seconds of a busy node, about 2 MiB.
const QUEUE: usize = 4_096;
/// Spans sent together.
const BATCH: usize = 512;
/// How long a span waits for company.
const DELAY: Duration = Duration::from_secs(2);
/// Time for one request.
const REQUEST: Duration = Duration::from_secs(5);
/// Time for the last spans; shorter than what a node gives its children to stop.
const CLOSING: Duration = Duration::from_secs(2);

/// Our own spans only: those of the client that carries them would beget more of themselves.
pub(super) fn filter() -> EnvFilter {
    EnvFilter::new("edgecoder=info")
}

/// The way to one collector.
#[derive(Debug)]
pub(super) struct Export {
    provider: SdkTracerProvider,
}

impl Export {
    /// Needs a runtime around it, which sends. Nothing is sent yet.
    pub(super) fn open(url: &str, process: &'static str) -> Result<Self, HttpError> {
        let client = reqwest::Client::builder()
            .timeout(REQUEST)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let carrier = Carrier { client, runtime: Handle::current(), silent: Arc::default() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(carrier)
            .with_endpoint(endpoint(url))
            .build()?;
        let batch = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batch).build();
        let resource = Resource::builder_empty()
            .with_attribute(KeyValue::new("service.name", "edgecoder"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("edgecoder.process", process))
            .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
            .build();
        let provider =
            SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource).build();
        Ok(Self { provider })
    }

    /// What takes spans from this process.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("edgecoder"))
    }

    /// Sends what is still queued, as far as the time reaches.
    pub(super) async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(CLOSING));
        // Should the other side take its time, the rest is lost: stopping does not wait for an onlooker.
        if tokio::time::timeout(CLOSING.saturating_mul(2), closing).await.is_err() {
            tracing::debug!("the last spans were not sent in time");
        }
    }
}

/// `url` as it stands where it names the path of spans, else with that path below it.
fn endpoint(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.ends_with(TRACES) { url.to_owned() } else { format!("{url}{TRACES}") }
}

/// Carries batches with the client that the rest of the node uses, on the node's runtime: the thread that collects
/// spans has none.
#[derive(Debug)]
struct Carrier {
    client: reqwest::Client,
    runtime: Handle,
    /// Whether the last batch was lost: said once, not with every batch.
    silent: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl HttpClient for Carrier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let (client, silent) = (self.client.clone(), Arc::clone(&self.silent));
        self.runtime
            .spawn(async move {
                let sent = send(&client, request).await;
                tell(&silent, &sent);
                sent
            })
            .await?
    }
}

async fn send(client: &reqwest::Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request).await?.error_for_status()?;
    // The answer only counts what was refused; nobody acts on it.
    Ok(Response::builder().status(answer.status()).body(Bytes::new())?)
}

fn tell(silent: &AtomicBool, sent: &Result<Response<Bytes>, HttpError>) {
    match sent {
        Ok(_) if silent.swap(false, Ordering::Relaxed) => tracing::info!("the collector takes spans again"),
        Err(error) if !silent.swap(true, Ordering::Relaxed) => {
            tracing::warn!(error = crate::error::chain(error.as_ref()), "the collector takes no spans");
        }
        Ok(_) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests;
