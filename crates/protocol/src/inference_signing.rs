//! Signed requests from a coordinator to an inference door: the five published headers, over a JSON text of who,
//! what, when and the body's SHA-256, under the coordinator's Ed25519 key. Verification compares the *received* body.

use std::time::Duration;

use edgecoder_base::hash::sha256_hex;
use edgecoder_base::{NodeKey, PublicKey, Signature, Timestamp};
use serde::Serialize;

use crate::ErrorCode;
use crate::signing::MAX_NONCE_LEN;

/// Header with the coordinator's id.
pub const PEER_ID: &str = "x-coordinator-peer-id";
/// Header with Unix milliseconds.
pub const TIMESTAMP_MS: &str = "x-inference-timestamp-ms";
/// Header with a value never used before.
pub const NONCE: &str = "x-inference-nonce";
/// Header with the body's SHA-256, hexadecimal.
pub const BODY_SHA256: &str = "x-inference-body-sha256";
/// Header with the signature, base64.
pub const SIGNATURE: &str = "x-inference-signature";

/// Longest id of a coordinator.
const MAX_PEER_LEN: usize = 128;

/// What is signed, in this order of fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    peer_id: &'a str,
    method: &'a str,
    path: &'a str,
    timestamp_ms: i64,
    nonce: &'a str,
    body_sha256: &'a str,
}

/// The five headers of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSignature {
    /// Which coordinator.
    pub peer_id: String,
    /// When, by its clock.
    pub timestamp: Timestamp,
    /// Never used before.
    pub nonce: String,
    /// Declared hash of the body.
    pub body_sha256: String,
    /// Signature over these, the method and the path.
    pub signature: Signature,
}

/// Why a signed request is refused. Each has a published code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is absent.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The key of this coordinator is not trusted here.
    #[error("no key of this coordinator is trusted here")]
    UntrustedPeer,
    /// The timestamp is no number.
    #[error("the timestamp is not Unix milliseconds")]
    InvalidTimestamp,
    /// The clocks are too far apart, or the request is too old.
    #[error("the timestamp is too far from this door's clock, or from before it opened")]
    Expired,
    /// The nonce was used before.
    #[error("the nonce was used before")]
    Replay,
    /// The body is not the one that was signed.
    #[error("the body does not have the declared hash")]
    BodyMismatch,
    /// The signature does not verify, or a header does not parse.
    #[error("the signature does not verify under the trusted key")]
    Invalid,
}

impl Refusal {
    /// The published code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(_) => ErrorCode::InferenceSignatureMissing,
            Self::UntrustedPeer => ErrorCode::InferenceSignatureUntrustedPeer,
            Self::InvalidTimestamp => ErrorCode::InferenceSignatureInvalidTimestamp,
            Self::Expired => ErrorCode::InferenceSignatureExpired,
            Self::Replay => ErrorCode::InferenceSignatureReplay,
            Self::BodyMismatch => ErrorCode::InferenceSignatureBodyMismatch,
            Self::Invalid => ErrorCode::InferenceSignatureInvalid,
        }
    }
}

impl PeerSignature {
    /// Signs a request.
    pub fn sign(
        key: &NodeKey,
        peer_id: &str,
        now: Timestamp,
        nonce: String,
        (method, path): (&str, &str),
        body: &[u8],
    ) -> Self {
        let signature = key.sign(b"");
        let body_sha256 = sha256_hex(body);
        let mut signed = Self { peer_id: peer_id.to_owned(), timestamp: now, nonce, body_sha256, signature };
        signed.signature = key.sign(&signed.text(method, path));
        signed
    }

    /// Reads the headers through `get`.
    pub fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, Refusal> {
        let need = |name| get(name).ok_or(Refusal::Missing(name));
        let (peer_id, timestamp, nonce) = (need(PEER_ID)?, need(TIMESTAMP_MS)?, need(NONCE)?);
        let (body_sha256, signature) = (need(BODY_SHA256)?, need(SIGNATURE)?);
        let short = |text: &str, most: usize| (1..=most).contains(&text.len());
        if !short(peer_id, MAX_PEER_LEN) || !short(nonce, MAX_NONCE_LEN) {
            return Err(Refusal::Invalid);
        }
        let timestamp = timestamp.parse::<i64>().map_err(|_| Refusal::InvalidTimestamp)?;
        Ok(Self {
            peer_id: peer_id.to_owned(),
            timestamp: Timestamp::from_millis(timestamp),
            nonce: nonce.to_owned(),
            body_sha256: body_sha256.to_ascii_lowercase(),
            signature: Signature::from_base64(signature).map_err(|_| Refusal::Invalid)?,
        })
    }

    /// The headers as name and value.
    pub fn to_pairs(&self) -> [(&'static str, String); 5] {
        [
            (PEER_ID, self.peer_id.clone()),
            (TIMESTAMP_MS, self.timestamp.as_millis().to_string()),
            (NONCE, self.nonce.clone()),
            (BODY_SHA256, self.body_sha256.clone()),
            (SIGNATURE, self.signature.to_base64()),
        ]
    }

    /// Checks clock, body and signature. The nonce is the caller's to spend, after this.
    pub fn verify(
        &self,
        key: &PublicKey,
        now: Timestamp,
        max_skew: Duration,
        (method, path): (&str, &str),
        body: &[u8],
    ) -> Result<(), Refusal> {
        if now.since(self.timestamp).max(self.timestamp.since(now)) > max_skew {
            return Err(Refusal::Expired);
        }
        if sha256_hex(body) != self.body_sha256 {
            return Err(Refusal::BodyMismatch);
        }
        key.verify(&self.text(method, path), &self.signature).map_err(|_| Refusal::Invalid)
    }

    fn text(&self, method: &str, path: &str) -> Vec<u8> {
        let Self { peer_id, timestamp, nonce, body_sha256, .. } = self;
        let timestamp_ms = timestamp.as_millis();
        let text = Text { peer_id, method, path, timestamp_ms, nonce, body_sha256 };
        // Six plain fields cannot fail to serialise.
        serde_json::to_vec(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: (&str, &str) = ("POST", "/decompose");
    const SKEW: Duration = Duration::from_secs(120);

    fn signed() -> (NodeKey, PeerSignature) {
        let key = NodeKey::from_seed(&[1; 32]);
        let now = Timestamp::from_millis(1_000_000);
        let signed = PeerSignature::sign(&key, "coord-1", now, "n1".into(), CALL, b"{}");
        (key, signed)
    }

    #[test]
    fn the_signed_text_is_the_published_one() {
        let (_, signed) = signed();
        let text = String::from_utf8(signed.text(CALL.0, CALL.1)).unwrap();
        let hash = sha256_hex(b"{}");
        let expected = format!(
            "{{\"peerId\":\"coord-1\",\"method\":\"POST\",\"path\":\"/decompose\",\"timestampMs\":1000000,\
             \"nonce\":\"n1\",\"bodySha256\":\"{hash}\"}}"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn only_the_same_request_verifies() {
        let (key, signed) = signed();
        let check = |ms, call, body: &[u8]| {
            signed.verify(&key.public(), Timestamp::from_millis(ms), SKEW, call, body)
        };
        assert_eq!(check(1_060_000, CALL, b"{}"), Ok(()));
        assert_eq!(check(1_060_000, CALL, b"{ }"), Err(Refusal::BodyMismatch));
        assert_eq!(check(1_060_000, ("POST", "/escalate"), b"{}"), Err(Refusal::Invalid));
        assert_eq!(check(1_060_000, ("PUT", "/decompose"), b"{}"), Err(Refusal::Invalid));
        assert_eq!(check(1_120_001, CALL, b"{}"), Err(Refusal::Expired));
        assert_eq!(check(879_999, CALL, b"{}"), Err(Refusal::Expired));
        let other = NodeKey::from_seed(&[2; 32]).public();
        let now = Timestamp::from_millis(1_000_000);
        assert_eq!(signed.verify(&other, now, SKEW, CALL, b"{}"), Err(Refusal::Invalid));
    }

    #[test]
    fn headers_read_back_and_bad_ones_are_told_apart() {
        let (_, signed) = signed();
        let pairs = signed.to_pairs();
        let read = |changed: Option<(&str, Option<&'static str>)>| {
            PeerSignature::read(|name| match changed {
                Some((other, value)) if other == name => value,
                _ => pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str()),
            })
        };
        assert_eq!(read(None), Ok(signed));
        for (name, _) in &pairs {
            assert_eq!(read(Some((name, None))), Err(Refusal::Missing(name)));
        }
        assert_eq!(read(Some((TIMESTAMP_MS, Some("soon")))), Err(Refusal::InvalidTimestamp));
        assert_eq!(read(Some((SIGNATURE, Some("!")))), Err(Refusal::Invalid));
        assert_eq!(read(Some((NONCE, Some("")))), Err(Refusal::Invalid));
    }
}
