//! What an operator lets this machine pull: a manifest of sources and contents, signed with the operator's key. With
//! keys configured and no good manifest, nothing may be pulled.
//!
//! The signature is Ed25519 over the manifest's bytes as they are, base64, in a file of its own beside it (`….sig`), so
//! that `openssl pkeyutl -sign -rawin` makes one.

use edgecoder_base::{PublicKey, Signature, Timestamp};
use serde::Deserialize;

use super::digest::Digest;
use super::error::CatalogError;
use super::source::Source;

/// Form of the manifest.
const VERSION: u32 = 1;

/// Whom to believe, and where the manifest lies.
#[derive(Debug, Clone, Default)]
pub struct OperatorConfig {
    /// Keys whose signature counts. None: everything may be pulled.
    pub keys: Vec<PublicKey>,
    /// A path or an https address; the signature lies beside it as `….sig`.
    pub manifest: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    models: Vec<Allowed>,
    #[serde(default)]
    allowed_sources: Vec<String>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// One model that may be pulled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Its name, for people.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// Its content.
    pub sha256: Digest,
    /// Bytes of the file.
    #[serde(default)]
    pub size_bytes: Option<u64>,
}

/// A manifest whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    models: Vec<Allowed>,
    sources: Vec<String>,
}

impl Policy {
    /// Reads a manifest, if one of `keys` signed exactly these bytes and it has not expired.
    pub fn verified(
        document: &[u8],
        signature: &str,
        keys: &[PublicKey],
        now: Timestamp,
    ) -> Result<Self, CatalogError> {
        let untrusted = |reason: String| CatalogError::Manifest { reason };
        let signature =
            Signature::from_base64(signature.trim()).map_err(|error| untrusted(error.to_string()))?;
        if !keys.iter().any(|key| key.verify(document, &signature).is_ok()) {
            return Err(untrusted("its signature is by none of the operator's keys".to_owned()));
        }
        let document: Document =
            serde_json::from_slice(document).map_err(|error| untrusted(error.to_string()))?;
        if document.version != VERSION {
            return Err(untrusted(format!("version {} is not known", document.version)));
        }
        if let Some(expired) = document.expires_at.filter(|expires| *expires <= now) {
            return Err(untrusted(format!("it expired at {expired}")));
        }
        let mut sources = document.allowed_sources;
        if sources.is_empty() {
            sources.extend(document.models.iter().map(|model| model.source.to_string()));
        }
        Ok(Self { models: document.models, sources })
    }

    /// The models that may be pulled.
    pub fn models(&self) -> &[Allowed] {
        &self.models
    }

    /// Refuses a source off the list.
    pub fn check_source(&self, source: &Source) -> Result<(), CatalogError> {
        if self.sources.iter().any(|pattern| covers(pattern, source)) {
            return Ok(());
        }
        Err(CatalogError::Forbidden { reason: format!("{source} is not on its list of sources") })
    }

    /// Refuses a content off the list.
    pub fn check_content(&self, sha256: &Digest) -> Result<(), CatalogError> {
        if self.models.iter().any(|model| model.sha256 == *sha256) {
            return Ok(());
        }
        Err(CatalogError::Forbidden { reason: format!("SHA-256 {sha256} is not on its list of models") })
    }

    /// What the list says about exactly this source.
    pub(super) fn promised(&self, source: &Source) -> Option<&Allowed> {
        self.models.iter().find(|model| model.source == *source)
    }
}

/// Whether `pattern` is `source` or a beginning of it that ends where a name ends: `hf:Qwen/` and `hf:Qwen/X` cover
/// `hf:Qwen/X:Q4_0`, `hf:Qwen/X` does not cover `hf:Qwen/X2`.
fn covers(pattern: &str, source: &Source) -> bool {
    match source {
        Source::Url(url) => reqwest::Url::parse(pattern)
            .and_then(|pattern| Ok((pattern, reqwest::Url::parse(url)?)))
            .is_ok_and(|(pattern, url)| {
                pattern.origin() == url.origin() && begins(pattern.path(), url.path(), &['/'])
            }),
        // A path that climbs may end anywhere.
        Source::Path(path) if path.components().any(|part| part == std::path::Component::ParentDir) => false,
        Source::Path(_) => begins(pattern, &source.to_string(), &['/', '\\']),
        Source::HuggingFace { .. } | Source::Ollama { .. } => {
            begins(pattern, &source.to_string(), &['/', ':', '@'])
        }
    }
}

fn begins(pattern: &str, text: &str, ends: &[char]) -> bool {
    let rest = text.strip_prefix(pattern);
    !pattern.is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || pattern.ends_with(ends) || rest.starts_with(ends))
}

#[cfg(test)]
mod tests {
    use edgecoder_base::NodeKey;

    use super::*;

    fn key(seed: u8) -> NodeKey {
        NodeKey::from_seed(&[seed; 32])
    }

    fn document(sources: &str, more: &str) -> String {
        let sha256 = Digest::of(b"GGUF");
        format!(
            r#"{{"version":1,"models":[{{"name":"m","source":"hf:a/b:Q4_0","sha256":"{sha256}"}}],"allowed_sources":{sources}{more}}}"#
        )
    }

    fn read(document: &str, by: u8) -> Result<Policy, CatalogError> {
        let signature = key(by).sign(document.as_bytes()).to_base64();
        Policy::verified(document.as_bytes(), &signature, &[key(1).public()], Timestamp::from_millis(1_000))
    }

    #[test]
    fn only_what_the_operator_signed_counts() {
        let good = document("[]", "");
        assert!(read(&good, 1).is_ok());
        let check = |outcome: Result<Policy, CatalogError>, words: &str| {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check(read(&good, 2), "none of the operator's keys");
        let signature = key(1).sign(good.as_bytes()).to_base64();
        let changed = good.replace("Q4_0", "Q8_0");
        let now = Timestamp::from_millis(1_000);
        let keys = [key(1).public()];
        check(Policy::verified(changed.as_bytes(), &signature, &keys, now), "none of the operator's keys");
        check(Policy::verified(good.as_bytes(), "AAAA", &keys, now), "64 bytes");
        check(Policy::verified(good.as_bytes(), &signature, &[], now), "none of the operator's keys");
        check(read(&document("[]", r#","expires_at":"1970-01-01T00:00:01Z""#), 1), "expired");
        check(read(&document("[]", r#","colour":1"#), 1), "colour");
        check(read(&good.replace("\"version\":1", "\"version\":2"), 1), "version 2");
        check(read("no JSON", 1), "expected");
    }

    #[test]
    fn sources_and_contents_off_the_list_are_refused() {
        let check = |sources: &str, source: &str, expected: bool| {
            let policy = read(&document(sources, ""), 1).unwrap();
            let source: Source = source.parse().unwrap();
            assert_eq!(policy.check_source(&source).is_ok(), expected, "{sources} {source}");
        };
        check("[]", "hf:a/b:Q4_0", true);
        check("[]", "hf:a/b:Q8_0", false);
        check(r#"["hf:a/b"]"#, "hf:a/b:Q8_0", true);
        check(r#"["hf:a/b"]"#, "hf:a/b@v1/x.gguf", true);
        check(r#"["hf:a/b"]"#, "hf:a/b2", false);
        check(r#"["hf:a/"]"#, "hf:a/b2", true);
        check(r#"["hf:a/"]"#, "hf:ab/c", false);
        check(r#"["ollama:qwen3"]"#, "ollama:qwen3:0.6b", true);
        check(r#"["ollama:qwen3"]"#, "ollama:qwen3-evil:0.6b", false);
        check(r#"["https://m.example/models/"]"#, "https://m.example/models/x.gguf", true);
        check(r#"["https://m.example/models/"]"#, "https://m.example/models/../x.gguf", false);
        check(r#"["https://m.example/models/"]"#, "https://m.example/models/%2e%2e/x.gguf", false);
        check(r#"["https://m.example"]"#, "https://m.example.evil/x.gguf", false);
        check(r#"["https://m.example"]"#, "https://m.example:8443/x.gguf", false);
        check(r#"["https://m.example"]"#, "http://m.example/x.gguf", false);
        check(r#"["file:/srv/models/"]"#, "/srv/models/x.gguf", true);
        check(r#"["file:/srv/models/"]"#, "/srv/models/../x.gguf", false);
        check(r#"["file:/srv/models"]"#, "/srv/models2/x.gguf", false);
        check(r#"[""]"#, "hf:a/b", false);
        let policy = read(&document("[]", ""), 1).unwrap();
        assert!(policy.check_content(&Digest::of(b"GGUF")).is_ok());
        assert!(matches!(policy.check_content(&Digest::of(b"other")), Err(CatalogError::Forbidden { .. })));
    }
}
