//! Ed25519 node keys. Verification is always strict and small-order keys are refused, so that one fixed
//! signature can never stand for many messages.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePublicKey, spki::der::pem::LineEnding};
use ed25519_dalek::{Signer, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Why a key or a signature is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an Ed25519 public key in SPKI PEM.
    #[error("the public key is not an Ed25519 key in SPKI PEM form")]
    Malformed,
    /// A small-order key, for which signatures prove nothing.
    #[error("the public key is weak (small order) and proves nothing")]
    Weak,
    /// The signature is not 64 bytes of base64.
    #[error("the signature is not 64 bytes of base64")]
    MalformedSignature,
    /// The signature does not belong to this key and message.
    #[error("the signature does not verify")]
    Mismatch,
}

/// A node's private key. Never serialised by serde, never printed.
pub struct NodeKey(ed25519_dalek::SigningKey);

impl NodeKey {
    /// The key of 32 secret bytes that the caller drew from the system's entropy.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", self.public().fingerprint())
    }
}

/// A node's public key: SPKI PEM in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Parses SPKI PEM and refuses weak keys.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|_| KeyError::Malformed)?;
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(Self(key)) }
    }

    /// The key as SPKI PEM.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// Whether `signature` is this key's on `message` (strict).
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| KeyError::Mismatch)
    }

    /// Twenty hexadecimal digits of the key's SHA-256: the tail of a node's own id.
    pub fn fingerprint(&self) -> String {
        let mut digest = crate::hash::sha256_hex(self.0.as_bytes());
        digest.truncate(20);
        digest
    }

    /// The id a node with this key gives itself.
    pub fn node_id(&self) -> crate::NodeId {
        crate::NodeId::new(format!("node_{}", self.fingerprint())).unwrap_or_else(|_| unreachable!())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;
    fn try_from(pem: String) -> Result<Self, KeyError> {
        Self::from_pem(&pem)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_pem()
    }
}

/// An Ed25519 signature: base64 in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Parses base64.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = BASE64.decode(text).map_err(|_| KeyError::MalformedSignature)?;
        Ok(Self(bytes.try_into().map_err(|_| KeyError::MalformedSignature)?))
    }

    /// The signature as base64.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", hex::encode(&self.0[..4]))
    }
}

impl TryFrom<String> for Signature {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::from_base64(&text)
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_base64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_verifies_its_own_signature_and_no_other() {
        let key = NodeKey::from_seed(&[7; 32]);
        let public = PublicKey::from_pem(&key.public().to_pem()).unwrap();
        let signature = key.sign(b"pay 1");
        assert_eq!(public.verify(b"pay 1", &signature), Ok(()));
        assert_eq!(public.verify(b"pay 2", &signature), Err(KeyError::Mismatch));
    }

    #[test]
    fn the_identity_point_is_refused_as_a_key() {
        let mut identity = [0_u8; 32];
        identity[0] = 1;
        let weak = PublicKey(VerifyingKey::from_bytes(&identity).unwrap());
        assert_eq!(PublicKey::from_pem(&weak.to_pem()), Err(KeyError::Weak));
    }
}
