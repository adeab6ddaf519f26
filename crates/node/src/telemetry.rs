//! Structured logs on standard error: lines for people, JSON for machines. Fields, not sentences.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::TelemetryConfig;
use crate::env::Env;

/// Starts logging for this process. A second call changes nothing.
pub(crate) fn start(config: &TelemetryConfig, env: &Env) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let color = std::io::stderr().is_terminal() && env.get("NO_COLOR").is_none_or(String::is_empty);
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(color);
    // Fails only when a subscriber is set already, as in tests.
    let _set_before =
        if config.json { lines.json().flatten_event(true).try_init() } else { lines.try_init() };
    if config.otlp_endpoint.is_some() {
        tracing::warn!("telemetry.otlp_endpoint is set, but this build cannot export spans yet");
    }
}
