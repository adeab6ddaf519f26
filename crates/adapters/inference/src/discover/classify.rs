//! What a server is, by what it answers. Pure: several servers answer some paths of others, so every kind has one
//! answer that only it gives.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind of model server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerKind {
    /// Ollama.
    Ollama,
    /// LM Studio.
    LmStudio,
    /// llama.cpp's own server.
    LlamaServer,
    /// vLLM.
    Vllm,
    /// Any other that speaks OpenAI's form.
    Openai,
}

impl ServerKind {
    /// Every kind, the most particular first.
    pub const ALL: [Self; 5] = [Self::Ollama, Self::LmStudio, Self::LlamaServer, Self::Vllm, Self::Openai];

    /// The name in settings and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ollama => "ollama",
            Self::LmStudio => "lm_studio",
            Self::LlamaServer => "llama_server",
            Self::Vllm => "vllm",
            Self::Openai => "openai",
        }
    }
}

/// What a place answered to each question; none where it refused or made no sense.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// `/v1/models`
    pub(super) models: Option<Value>,
    /// `/api/version`
    pub(super) ollama_version: Option<Value>,
    /// `/api/tags`
    pub(super) tags: Option<Value>,
    /// `/api/v0/models`
    pub(super) lm_studio: Option<Value>,
    /// `/props`
    pub(super) props: Option<Value>,
    /// `/version`
    pub(super) version: Option<Value>,
}

fn list<'a>(answer: &'a Option<Value>, name: &str) -> Option<&'a Vec<Value>> {
    answer.as_ref()?.get(name)?.as_array()
}

fn text(answer: &Option<Value>, pointer: &str) -> Option<String> {
    answer.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned)
}

impl Answers {
    /// What gave these answers.
    pub(super) fn kind(&self) -> Option<ServerKind> {
        // llama-server answers `/api/tags` too, for editors that insist; only Ollama tells `/api/version`.
        if text(&self.ollama_version, "/version").is_some() && list(&self.tags, "models").is_some() {
            return Some(ServerKind::Ollama);
        }
        // LM Studio answers unknown paths with success and an error inside.
        if list(&self.lm_studio, "data").is_some() {
            return Some(ServerKind::LmStudio);
        }
        let models = list(&self.models, "data")?;
        let owner = |name: &str| models.iter().any(|model| model.get("owned_by") == Some(&Value::from(name)));
        let window = self.props.as_ref().and_then(|props| props.get("default_generation_settings"));
        if window.is_some() || owner("llamacpp") {
            return Some(ServerKind::LlamaServer);
        }
        if owner("vllm") {
            return Some(ServerKind::Vllm);
        }
        Some(ServerKind::Openai)
    }

    /// The server's version.
    pub(super) fn told_version(&self) -> Option<String> {
        match self.kind()? {
            ServerKind::Ollama => text(&self.ollama_version, "/version"),
            ServerKind::LlamaServer => text(&self.props, "/build_info"),
            ServerKind::Vllm => text(&self.version, "/version"),
            ServerKind::LmStudio | ServerKind::Openai => None,
        }
    }

    /// Names of the models that can write, in the server's own order.
    pub(super) fn names(&self) -> Vec<String> {
        let names = |entries: Option<&Vec<Value>>, key: &str| -> Vec<String> {
            let named = entries.into_iter().flatten().filter_map(|entry| entry.get(key)?.as_str());
            named.map(str::to_owned).collect()
        };
        match self.kind() {
            Some(ServerKind::Ollama) => names(list(&self.tags, "models"), "name"),
            Some(ServerKind::LmStudio) => {
                let writes = |entry: &&Value| entry.get("type") != Some(&Value::from("embeddings"));
                let entries = list(&self.lm_studio, "data").into_iter().flatten().filter(writes);
                entries.filter_map(|entry| entry.get("id")?.as_str().map(str::to_owned)).collect()
            }
            Some(ServerKind::LlamaServer | ServerKind::Vllm | ServerKind::Openai) => {
                names(list(&self.models, "data"), "id")
            }
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_is_known_by_an_answer_of_its_own() {
        let models = |owner: &str| Some(json!({"object": "list", "data": [{"id": "m", "owned_by": owner}]}));
        let tags = Some(json!({"models": [{"name": "qwen:7b"}, {"name": "tiny"}]}));
        let confused = Some(json!({"error": "Unexpected endpoint or method. (GET /api/version)"}));
        let check = |answers: Answers, kind: Option<ServerKind>, version: Option<&str>, names: &[&str]| {
            assert_eq!(answers.kind(), kind, "{answers:?}");
            assert_eq!(answers.told_version().as_deref(), version);
            assert_eq!(answers.names(), names);
        };
        let ollama = Answers {
            models: models("library"),
            ollama_version: Some(json!({"version": "0.13.1"})),
            tags: tags.clone(),
            ..Answers::default()
        };
        check(ollama, Some(ServerKind::Ollama), Some("0.13.1"), &["qwen:7b", "tiny"]);
        let studio = Answers {
            models: models("organization_owner"),
            ollama_version: confused.clone(),
            tags: confused.clone(),
            lm_studio: Some(json!({"data": [{"id": "a", "type": "llm"}, {"id": "e", "type": "embeddings"}]})),
            props: confused.clone(),
            version: confused.clone(),
        };
        check(studio, Some(ServerKind::LmStudio), None, &["a"]);
        let llama = Answers {
            models: models("llamacpp"),
            tags: Some(json!({"models": []})),
            props: Some(json!({"default_generation_settings": {"n_ctx": 4096}, "build_info": "b7000"})),
            ..Answers::default()
        };
        check(llama, Some(ServerKind::LlamaServer), Some("b7000"), &["m"]);
        let vllm = Answers {
            models: models("vllm"),
            version: Some(json!({"version": "0.11"})),
            ..Answers::default()
        };
        check(vllm, Some(ServerKind::Vllm), Some("0.11"), &["m"]);
        let other = Answers { models: models("someone"), ..Answers::default() };
        check(other, Some(ServerKind::Openai), None, &["m"]);
        for nothing in [
            Answers::default(),
            Answers { models: Some(json!("<html>")), ..Answers::default() },
            Answers { models: Some(json!({"data": 3})), version: confused, ..Answers::default() },
            Answers { tags, ..Answers::default() },
        ] {
            check(nothing, None, None, &[]);
        }
    }
}
