//! What types cannot say: bounds, and settings that must fit together.

use edgecoder_base::PublicKey;
use edgecoder_worker::capsule::{Kind, SourceError};

use super::inference::EngineKind;
use super::models::MAX_CONNECTIONS;
use super::problem::Problem;
use super::resolve::Loaded;

/// Attempts at once that a worker may announce.
const MAX_CONCURRENT: u32 = 64;
/// Smallest window any of our prompts fits into.
const MIN_CONTEXT_TOKENS: u32 = 512;
/// A clock that is further off is broken, and old requests must not be worth keeping.
const MAX_SKEW_MS: u64 = 600_000;

/// Everything that does not fit.
pub(super) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut found = Found { loaded, problems: Vec::new() };
    found.ports();
    found.addresses();
    found.tokens();
    found.bounds();
    found.models();
    found.engine();
    found.coordinators();
    found.capsules();
    found.lent();
    found.problems
}

struct Found<'a> {
    loaded: &'a Loaded,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn say(&mut self, key: &str, message: String) {
        self.problems.push(Problem { origin: self.loaded.origin(key), key: key.to_owned(), message });
    }

    fn ports(&mut self) {
        let config = &self.loaded.config;
        let offset = config.node.port_offset;
        let doors = config.ports();
        for (index, (key, port)) in doors.iter().enumerate() {
            if *port != 0 && port.checked_add(offset).is_none() {
                self.say(
                    "node.port_offset",
                    format!("{key} {port} + {offset} is no port: the last is 65535"),
                );
            }
            let twin = doors[..index].iter().find(|(_, other)| *port != 0 && other == port);
            if let Some((other, _)) = twin {
                self.say(key, format!("{port} is already the port of {other}"));
            }
        }
    }

    fn addresses(&mut self) {
        let config = &self.loaded.config;
        let http = [
            ("coordinator.public_url", &config.coordinator.public_url),
            ("coordinator.inference_url", &config.coordinator.inference_url),
            ("worker.coordinator_url", &config.worker.coordinator_url),
            ("inference.base_url", &config.inference.base_url),
            ("telemetry.otlp_endpoint", &config.telemetry.otlp_endpoint),
        ];
        let hubs = [
            ("models.hugging_face_url", Some(&config.models.hugging_face_url)),
            ("models.ollama_url", Some(&config.models.ollama_url)),
        ];
        for (key, url) in http.map(|(key, url)| (key, url.as_ref())).into_iter().chain(hubs) {
            let wrong = url.is_some_and(|url| !is_http(url));
            if wrong {
                self.say(key, "must be an address that begins with http:// or https://".to_owned());
            }
        }
        let larger = config.inference.larger.iter().filter_map(|larger| larger.base_url.as_ref());
        let servers = config.inference.servers.iter().map(|url| ("inference.servers", url));
        for (key, url) in servers.chain(larger.map(|url| ("inference.larger", url))) {
            if !is_http(url) {
                self.say(key, format!("{url:?} must begin with http:// or https://"));
            }
        }
        let database = config.coordinator.database_url.as_ref().map(|url| url.expose().as_str());
        if database.is_some_and(|url| !url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
            let message = "must begin with postgres://; without it the embedded database is used".to_owned();
            self.say("coordinator.database_url", message);
        }
    }

    fn capsules(&mut self) {
        let capsule = &self.loaded.config.capsule;
        let sources = capsule.sources();
        let keys = ["pip_index", "npm_registry", "cargo_index", "go_proxy", "maven_repository"];
        let mut wrong = Vec::new();
        for (kind, key) in Kind::ALL.into_iter().zip(keys) {
            match sources.hosts(kind) {
                Ok(_) => {}
                Err(error @ SourceError::NotAHost(_)) => wrong.push(("capsule.hosts".to_owned(), error)),
                Err(error) => wrong.push((format!("capsule.{key}"), error)),
            }
        }
        let none = [("capsule.max_mib", capsule.max_mib), ("capsule.build_timeout", capsule.build_timeout)];
        for (key, error) in wrong {
            self.say(&key, error.to_string());
        }
        for (key, _) in none.into_iter().filter(|(_, value)| *value == 0) {
            self.say(key, "must be at least 1".to_owned());
        }
    }

    fn lent(&mut self) {
        for (key, words) in self.loaded.config.mcp.problems() {
            self.say(&key, words);
        }
    }

    fn tokens(&mut self) {
        let config = &self.loaded.config;
        let single = [
            ("coordinator.mesh_token", &config.coordinator.mesh_token),
            ("coordinator.admin_token", &config.coordinator.admin_token),
            ("ide.token", &config.ide.token),
            ("inference.token", &config.inference.token),
            ("inference.api_key", &config.inference.api_key),
            ("models.hugging_face_token", &config.models.hugging_face_token),
            ("worker.registration_token", &config.worker.registration_token),
        ];
        let several = config.coordinator.registration_tokens.iter();
        let all = single
            .into_iter()
            .filter_map(|(key, token)| token.as_ref().map(|token| (key, token)))
            .chain(several.map(|token| ("coordinator.registration_tokens", token)));
        for (key, token) in all {
            let text = token.expose();
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
                self.say(key, "must be visible ASCII without spaces, as it travels in a header".to_owned());
            }
        }
    }

    fn bounds(&mut self) {
        let config = &self.loaded.config;
        if !(1..=MAX_CONCURRENT).contains(&config.worker.max_concurrent_tasks) {
            self.say("worker.max_concurrent_tasks", format!("must be 1 to {MAX_CONCURRENT}"));
        }
        if config.inference.context_tokens.is_some_and(|tokens| tokens < MIN_CONTEXT_TOKENS) {
            self.say("inference.context_tokens", format!("must be at least {MIN_CONTEXT_TOKENS}"));
        }
        for (key, value) in
            [("inference.threads", config.inference.threads), ("inference.slots", config.inference.slots)]
        {
            if value == Some(0) {
                self.say(key, "must be at least 1".to_owned());
            }
        }
        if config.node.roles.is_empty() {
            self.say("node.roles", "must name at least one role".to_owned());
        }
        if let Some(Err(error)) = config.node.id.as_ref().map(edgecoder_base::NodeId::new) {
            self.say("node.id", error.to_string());
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.telemetry.log) {
            self.say("telemetry.log", error.to_string());
        }
    }

    fn models(&mut self) {
        let models = &self.loaded.config.models;
        if !(1..=MAX_CONNECTIONS).contains(&models.connections) {
            self.say("models.connections", format!("must be 1 to {MAX_CONNECTIONS}"));
        }
        let keys = models.operator_keys.iter();
        for error in keys.filter_map(|pem| edgecoder_base::PublicKey::from_pem(pem).err()) {
            self.say("models.operator_keys", error.to_string());
        }
        if !models.operator_keys.is_empty() && models.operator_manifest.is_none() {
            self.say("models.operator_manifest", "must be named where operator keys are".to_owned());
        }
    }

    fn engine(&mut self) {
        let inference = &self.loaded.config.inference;
        if inference.engine == EngineKind::Openai && inference.base_url.is_none() {
            self.say("inference.base_url", "engine `openai` needs the address of its server".to_owned());
        }
        if inference.engine == EngineKind::Openai && inference.model.is_none() {
            self.say("inference.model", "engine `openai` needs the name of a model".to_owned());
        }
        if let Some(larger) = &inference.larger {
            let url = larger.base_url.as_ref().or(inference.base_url.as_ref());
            let lacks = match larger.engine {
                EngineKind::Local if larger.model_path.is_none() => Some("engine `local` needs a model_path"),
                EngineKind::Openai if url.is_none() => Some("engine `openai` needs a base_url"),
                EngineKind::Auto => Some("engine must be `local`, `ollama` or `openai`"),
                EngineKind::Local | EngineKind::Openai | EngineKind::Ollama => None,
            };
            if let Some(lacks) = lacks {
                self.say("inference.larger", lacks.to_owned());
            }
            if inference.escalation_model.is_some() {
                let message = "names a larger model, and so does inference.larger; keep one of the two";
                self.say("inference.escalation_model", message.to_owned());
            }
        }
    }

    fn coordinators(&mut self) {
        let inference = &self.loaded.config.inference;
        if inference.coordinator_peer_id.is_some() != inference.coordinator_public_key.is_some() {
            let message = "coordinator_peer_id and coordinator_public_key are set together or not at all";
            self.say("inference.coordinator_peer_id", message.to_owned());
        }
        for (name, key) in inference.trusted() {
            if let Err(error) = PublicKey::from_pem(key) {
                self.say("inference.trusted_coordinators", format!("{name}: {error}"));
            }
        }
        if !(1..=MAX_SKEW_MS).contains(&inference.max_signature_skew_ms) {
            self.say("inference.max_signature_skew_ms", format!("must be 1 to {MAX_SKEW_MS}"));
        }
    }
}

fn is_http(url: &str) -> bool {
    let parsed = reqwest::Url::parse(url);
    parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

impl super::Config {
    /// The key and configured port of each door, without the offset.
    pub(crate) const fn ports(&self) -> [(&'static str, u16); 5] {
        [
            ("coordinator.port", self.coordinator.port),
            ("inference.port", self.inference.port),
            ("control.port", self.control.port),
            ("ide.port", self.ide.port),
            ("portal.port", self.portal.port),
        ]
    }
}
