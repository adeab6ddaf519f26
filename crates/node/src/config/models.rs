//! `[models]`: where models lie, whom to ask for more, and what the operator lets in.

use std::path::PathBuf;

use edgecoder_base::{PublicKey, Secret};
use edgecoder_inference::catalog::{CatalogConfig, HUGGING_FACE, OLLAMA, OperatorConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sections::hidden;
use crate::home::Home;

/// Connections that a pull may open at once.
pub(super) const MAX_CONNECTIONS: u32 = 16;

/// `[models]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModelsConfig {
    /// Where pulled models are kept. Default: in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dir: Option<PathBuf>,
    /// Address of Hugging Face, or of a mirror that speaks its form.
    pub(crate) hugging_face_url: String,
    /// Sent to that address as bearer token; some models are open to known people only.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) hugging_face_token: Option<Secret<String>>,
    /// Address of the Ollama registry, or of a mirror.
    pub(crate) ollama_url: String,
    /// Connections that a pull opens at once, 1 to 16.
    pub(crate) connections: u32,
    /// Public keys (PEM) of operators. With any, only models of a manifest that one of them signed are pulled or used.
    pub(crate) operator_keys: Vec<String>,
    /// That manifest: a path, or an https address. Its signature lies beside it, as `….sig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator_manifest: Option<String>,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self {
            dir: None,
            hugging_face_url: HUGGING_FACE.to_owned(),
            hugging_face_token: None,
            ollama_url: OLLAMA.to_owned(),
            connections: 4,
            operator_keys: Vec::new(),
            operator_manifest: None,
        }
    }
}

impl ModelsConfig {
    /// Where pulled models are kept.
    pub(crate) fn dir(&self, home: &Home) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| home.models())
    }

    /// The catalogue's own settings.
    pub(crate) fn to_catalog(&self, home: &Home) -> CatalogConfig {
        let mut config = CatalogConfig::new(self.dir(home));
        config.hugging_face.clone_from(&self.hugging_face_url);
        config.hugging_face_token.clone_from(&self.hugging_face_token);
        config.ollama.clone_from(&self.ollama_url);
        config.download.connections = usize::try_from(self.connections).unwrap_or(1);
        config.operator = OperatorConfig {
            // A key that is none was refused when the settings were read.
            keys: self.operator_keys.iter().filter_map(|pem| PublicKey::from_pem(pem).ok()).collect(),
            manifest: self.operator_manifest.clone(),
        };
        config
    }
}

#[cfg(test)]
mod tests {
    use edgecoder_base::NodeKey;

    use super::super::{SettingsFile, Sources, load};

    #[test]
    fn what_cannot_work_is_named() {
        let key = NodeKey::from_seed(&[1; 32]).public().to_pem();
        let manifest = "operator_manifest = \"m.json\"";
        let check = |settings: &str, expected: &[&str]| {
            let (path, text) = ("edgecoder.toml".into(), format!("[models]\n{settings}\n"));
            let sources = Sources { file: Some(SettingsFile { path, text }), ..Sources::default() };
            let problems = load(&sources).err().map(|problems| problems.0).unwrap_or_default();
            let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
            assert_eq!(keys, expected, "{settings}");
        };
        check("", &[]);
        check("connections = 0", &["models.connections"]);
        check("connections = 17", &["models.connections"]);
        check("hugging_face_url = \"ftp://hub\"", &["models.hugging_face_url"]);
        check("hugging_face_token = \"a b\"", &["models.hugging_face_token"]);
        check(&format!("operator_keys = [\"no key\"]\n{manifest}"), &["models.operator_keys"]);
        check(&format!("operator_keys = ['''{key}''']"), &["models.operator_manifest"]);
        check(&format!("operator_keys = ['''{key}''']\n{manifest}"), &[]);
    }
}
