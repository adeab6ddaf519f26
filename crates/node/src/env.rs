//! Names under which settings may stand in the environment: ours by rule, the published ones by this table.
//! The table feeds the loader and the reference page.

use std::collections::BTreeMap;

/// The environment as a map: read once in `main`, given to everybody else, so that tests never set variables.
pub(crate) type Env = BTreeMap<String, String>;

/// How a published variable's value becomes the setting's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it stands.
    Plain,
    /// `edgecoder-local` is our embedded engine, `ollama-local` an Ollama.
    Provider,
    /// `1` switches off what the setting switches on.
    Inverted,
    /// An address as Ollama reads it: scheme and port may be missing.
    OllamaHost,
    /// A key whose line ends may be written `\\n`.
    Pem,
    /// A JSON object of texts.
    JsonTexts,
}

/// One published variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishedName {
    /// The variable.
    pub(crate) name: &'static str,
    /// The setting, `section.key`.
    pub(crate) key: &'static str,
    /// How its value is read.
    pub(crate) reading: Reading,
}

const fn plain(name: &'static str, key: &'static str) -> PublishedName {
    PublishedName { name, key, reading: Reading::Plain }
}

/// Variables of earlier versions and of the wider world that are honoured.
pub(crate) const PUBLISHED: &[PublishedName] = &[
    plain("ADMIN_API_TOKEN", "coordinator.admin_token"),
    plain("AGENT_ID", "node.id"),
    plain("AGENT_MODE", "node.mode"),
    plain("AGENT_OS", "node.os"),
    plain("AGENT_REGISTRATION_TOKEN", "worker.registration_token"),
    plain("CONTROL_PLANE_PORT", "control.port"),
    plain("COORDINATOR_PORT", "coordinator.port"),
    plain("COORDINATOR_PUBLIC_URL", "coordinator.public_url"),
    plain("COORDINATOR_URL", "worker.coordinator_url"),
    plain("DATABASE_URL", "coordinator.database_url"),
    PublishedName { name: "DISABLE_SELF_AGENT", key: "worker.enabled", reading: Reading::Inverted },
    plain("EDGECODER_DATA_DIR", "node.data_dir"),
    plain("HF_ENDPOINT", "models.hugging_face_url"),
    plain("HF_TOKEN", "models.hugging_face_token"),
    plain("INFERENCE_AUTH_TOKEN", "inference.token"),
    plain("INFERENCE_COORDINATOR_PEER_ID", "inference.coordinator_peer_id"),
    PublishedName {
        name: "INFERENCE_COORDINATOR_PUBLIC_KEY_PEM",
        key: "inference.coordinator_public_key",
        reading: Reading::Pem,
    },
    plain("INFERENCE_MAX_SIGNATURE_SKEW_MS", "inference.max_signature_skew_ms"),
    plain("INFERENCE_NONCE_TTL_MS", "inference.nonce_ttl_ms"),
    plain("INFERENCE_PORT", "inference.port"),
    plain("INFERENCE_REQUIRE_SIGNED_COORDINATOR_REQUESTS", "inference.require_signed_requests"),
    PublishedName {
        name: "INFERENCE_TRUSTED_COORDINATOR_KEYS_JSON",
        key: "inference.trusted_coordinators",
        reading: Reading::JsonTexts,
    },
    plain("INFERENCE_URL", "coordinator.inference_url"),
    PublishedName { name: "LOCAL_MODEL_PROVIDER", key: "inference.engine", reading: Reading::Provider },
    plain("MAX_CONCURRENT_TASKS", "worker.max_concurrent_tasks"),
    plain("MESH_AUTH_TOKEN", "coordinator.mesh_token"),
    plain("OLLAMA_AUTO_INSTALL", "inference.auto_install"),
    plain("OLLAMA_COORDINATOR_MODEL", "inference.escalation_model"),
    PublishedName { name: "OLLAMA_HOST", key: "inference.base_url", reading: Reading::OllamaHost },
    plain("OLLAMA_MODEL", "inference.model"),
    plain("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    plain("RUST_LOG", "telemetry.log"),
    plain("SANDBOX_MODE", "sandbox.mode"),
    plain("SANDBOX_REQUIRED", "sandbox.required"),
];

/// Prefix of our own names: `EDGECODER_<SECTION>__<KEY>`.
pub(crate) const PREFIX: &str = "EDGECODER_";

/// Names with our prefix that are no settings: the file to read, and what older installers export.
pub(crate) const NOT_SETTINGS: &[&str] =
    &["EDGECODER_CONFIG", "EDGECODER_CONFIG_DIR", "EDGECODER_DEV", "EDGECODER_LOG_DIR", "EDGECODER_RELEASE"];

/// Published variables of parts that are not built yet, with the part.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[("BITCOIN_NETWORK", "settlement of credits")];

/// The setting that one of our own names stands for; `Err` when the name is not formed as it should be.
pub(crate) fn own_key(name: &str) -> Option<Result<String, ()>> {
    let rest = name.strip_prefix(PREFIX)?;
    if NOT_SETTINGS.contains(&name) || PUBLISHED.iter().any(|known| known.name == name) {
        return None;
    }
    Some(match rest.split_once("__") {
        Some((section, key)) => Ok(format!("{}.{}", section.to_lowercase(), key.to_lowercase())),
        None => Err(()),
    })
}

/// The value of a published variable in the setting's own terms.
pub(crate) fn read(reading: Reading, value: &str) -> String {
    match reading {
        Reading::Plain => value.to_owned(),
        Reading::Provider => match value {
            "edgecoder-local" => "local".to_owned(),
            "ollama-local" => "ollama".to_owned(),
            other => other.to_owned(),
        },
        Reading::Inverted => match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => "false".to_owned(),
            "0" | "false" | "no" | "off" => "true".to_owned(),
            other => other.to_owned(),
        },
        // What cannot be read stays as it is, and is refused with its origin like any other value.
        Reading::OllamaHost => {
            edgecoder_inference::ollama::host_url(value).unwrap_or_else(|_| value.to_owned())
        }
        Reading::Pem => value.replace("\\n", "\n"),
        Reading::JsonTexts => json_texts(value).unwrap_or_else(|| value.to_owned()),
    }
}

/// A JSON object of texts as the inline table that the settings are made of.
fn json_texts(value: &str) -> Option<String> {
    let texts: BTreeMap<String, String> = serde_json::from_str(value).ok()?;
    let table: toml::Table = texts.into_iter().map(|(key, text)| (key, text.into())).collect();
    Some(toml::Value::Table(table).to_string())
}
