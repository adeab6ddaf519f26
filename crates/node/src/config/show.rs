//! Settings as people and editors see them: the effective values with their origins, and the JSON schema.

use std::fmt::Write as _;

use schemars::schema_for;

use super::{Config, Loaded};

/// Keys that hold secrets: their values are never printed, not even in an error.
const SECRETS: &[&str] = &[
    "coordinator.admin_token",
    "coordinator.database_url",
    "coordinator.mesh_token",
    "coordinator.registration_tokens",
    "inference.api_key",
    "inference.token",
    "models.hugging_face_token",
    "worker.registration_token",
];

/// Origins stand below one another, except behind lines longer than this.
const ALIGNED: usize = 48;

/// Whether the value of `key` must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// Whether `name` is a section of the settings.
pub(super) fn is_section(name: &str) -> bool {
    toml::Table::try_from(Config::default()).is_ok_and(|table| table.contains_key(name))
}

/// The effective settings as TOML, each with its origin; secrets are hidden.
pub(crate) fn show(loaded: &Loaded) -> String {
    let table = toml::Table::try_from(&loaded.config).unwrap_or_default();
    let mut text = String::new();
    for (section, body) in &table {
        let toml::Value::Table(body) = body else { continue };
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}[{section}]");
        let lines: Vec<_> = body.iter().map(|(key, value)| (key, format!("{key} = {value}"))).collect();
        let wide = lines.iter().map(|(_, line)| line.len()).filter(|len| *len <= ALIGNED).max().unwrap_or(0);
        for (key, line) in lines {
            let origin = loaded.origin(&format!("{section}.{key}"));
            let _ = writeln!(text, "{line:<wide$}  # {origin}");
        }
    }
    text
}

/// The JSON schema of `edgecoder.toml`.
pub(crate) fn schema() -> serde_json::Value {
    schema_for!(Config).to_value()
}
