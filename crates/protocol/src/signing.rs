//! Signed requests from worker to coordinator: five values joined by newlines (timestamp, nonce, METHOD,
//! path, SHA-256 of the body) under the agent's Ed25519 key. Verification compares the *received* body.

use edgecoder_base::hash::sha256_hex;
use edgecoder_base::{NodeId, NodeKey, PublicKey, Signature, Timestamp};
use std::time::Duration;

/// Header with the caller's agent id.
pub const AGENT_ID: &str = "x-agent-id";
/// Header with Unix milliseconds.
pub const TIMESTAMP_MS: &str = "x-timestamp-ms";
/// Header with a value never used before.
pub const NONCE: &str = "x-nonce";
/// Header with the body's SHA-256, hexadecimal.
pub const BODY_SHA256: &str = "x-body-sha256";
/// Header with the signature, base64.
pub const SIGNATURE: &str = "x-signature";

/// How far the caller's clock may be from ours (`SECURITY_MAX_SKEW_MS`).
pub const MAX_SKEW: Duration = Duration::from_secs(120);
/// How long a nonce is remembered (`SECURITY_NONCE_TTL_MS`); longer than twice the skew.
pub const NONCE_TTL: Duration = Duration::from_secs(300);
/// Longest nonce taken.
pub const MAX_NONCE_LEN: usize = 64;

/// The five headers of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// Who signs.
    pub agent_id: NodeId,
    /// When, by the signer's clock.
    pub timestamp: Timestamp,
    /// Never used before.
    pub nonce: String,
    /// Declared hash of the body.
    pub body_sha256: String,
    /// Signature over the four above, the method and the path.
    pub signature: Signature,
}

/// Why a signed request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// A header is absent.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header does not parse.
    #[error("the header {0} is malformed")]
    Malformed(&'static str),
    /// The clocks are too far apart.
    #[error("the timestamp is more than {} s away from the coordinator's clock", MAX_SKEW.as_secs())]
    Skewed,
    /// The body is not the one that was signed.
    #[error("the body does not have the declared hash")]
    BodyChanged,
    /// The signature does not belong to the registered key.
    #[error("the signature does not verify under the registered key")]
    Forged,
}

fn signed_text(timestamp: Timestamp, nonce: &str, method: &str, path: &str, body_sha256: &str) -> String {
    format!("{}\n{nonce}\n{method}\n{path}\n{body_sha256}", timestamp.as_millis())
}

impl SignedHeaders {
    /// Signs a request.
    pub fn sign(
        key: &NodeKey,
        agent_id: NodeId,
        now: Timestamp,
        nonce: String,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Self {
        let body_sha256 = sha256_hex(body);
        let signature = key.sign(signed_text(now, &nonce, method, path, &body_sha256).as_bytes());
        Self { agent_id, timestamp: now, nonce, body_sha256, signature }
    }

    /// Reads the headers through `get`.
    pub fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, SigningError> {
        let need = |name| get(name).ok_or(SigningError::Missing(name));
        let agent_id = NodeId::new(need(AGENT_ID)?).map_err(|_| SigningError::Malformed(AGENT_ID))?;
        let timestamp =
            need(TIMESTAMP_MS)?.parse::<i64>().map_err(|_| SigningError::Malformed(TIMESTAMP_MS))?;
        let nonce = need(NONCE)?;
        if nonce.is_empty() || nonce.len() > MAX_NONCE_LEN || nonce.contains('\n') {
            return Err(SigningError::Malformed(NONCE));
        }
        let signature =
            Signature::from_base64(need(SIGNATURE)?).map_err(|_| SigningError::Malformed(SIGNATURE))?;
        Ok(Self {
            agent_id,
            timestamp: Timestamp::from_millis(timestamp),
            nonce: nonce.to_owned(),
            body_sha256: need(BODY_SHA256)?.to_owned(),
            signature,
        })
    }

    /// The headers as name and value.
    pub fn to_pairs(&self) -> [(&'static str, String); 5] {
        [
            (AGENT_ID, self.agent_id.to_string()),
            (TIMESTAMP_MS, self.timestamp.as_millis().to_string()),
            (NONCE, self.nonce.clone()),
            (BODY_SHA256, self.body_sha256.clone()),
            (SIGNATURE, self.signature.to_base64()),
        ]
    }

    /// Checks clock, body and signature. The nonce is the caller's to spend.
    pub fn verify(
        &self,
        key: &PublicKey,
        now: Timestamp,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(), SigningError> {
        let apart = now.since(self.timestamp).max(self.timestamp.since(now));
        if apart > MAX_SKEW {
            return Err(SigningError::Skewed);
        }
        if sha256_hex(body) != self.body_sha256 {
            return Err(SigningError::BodyChanged);
        }
        let text = signed_text(self.timestamp, &self.nonce, method, path, &self.body_sha256);
        key.verify(text.as_bytes(), &self.signature).map_err(|_| SigningError::Forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (NodeKey, SignedHeaders) {
        let key = NodeKey::from_seed(&[1; 32]);
        let id = key.public().node_id();
        let now = Timestamp::from_millis(1_000_000);
        let headers = SignedHeaders::sign(&key, id, now, "n1".into(), "POST", "/pull", b"{}");
        (key, headers)
    }

    #[test]
    fn only_the_same_request_verifies() {
        let (key, headers) = signed();
        let at = |ms| Timestamp::from_millis(ms);
        let check = |ms, method, path, body: &[u8]| headers.verify(&key.public(), at(ms), method, path, body);
        assert_eq!(check(1_060_000, "POST", "/pull", b"{}"), Ok(()));
        assert_eq!(check(1_060_000, "POST", "/pull", b"{ }"), Err(SigningError::BodyChanged));
        assert_eq!(check(1_060_000, "POST", "/result", b"{}"), Err(SigningError::Forged));
        assert_eq!(check(1_060_000, "PUT", "/pull", b"{}"), Err(SigningError::Forged));
        assert_eq!(check(1_120_001, "POST", "/pull", b"{}"), Err(SigningError::Skewed));
        assert_eq!(check(879_999, "POST", "/pull", b"{}"), Err(SigningError::Skewed));
    }

    #[test]
    fn headers_read_back_and_missing_ones_are_named() {
        let (_, headers) = signed();
        let pairs = headers.to_pairs();
        let get = |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        assert_eq!(SignedHeaders::read(get), Ok(headers));
        assert_eq!(SignedHeaders::read(|_| None), Err(SigningError::Missing(AGENT_ID)));
    }
}
