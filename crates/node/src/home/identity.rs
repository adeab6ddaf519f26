//! Who the node is, and the tokens that open its doors: drawn at the first start, kept for its owner only.

use edgecoder_base::{NodeKey, Secret};

use super::{Home, Lock};
use crate::error::Error;

/// Bytes of a made token: beyond guessing, short enough to copy.
const TOKEN_BYTES: usize = 24;

/// A token that is made when nobody sets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// Opens the coordinator's task routes.
    Mesh,
    /// Opens the inference door.
    Inference,
    /// Opens the editors' door where a token is required.
    Ide,
}

impl Token {
    const fn file(self) -> &'static str {
        match self {
            Self::Mesh => "mesh.token",
            Self::Inference => "inference.token",
            Self::Ide => "ide.token",
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Entropy)?;
    Ok(bytes)
}

impl Home {
    /// The node's key; made at the first start.
    pub(crate) fn identity(&self, _lock: &Lock) -> Result<NodeKey, Error> {
        if let Some(key) = self.known_identity()? {
            return Ok(key);
        }
        let seed: [u8; 32] = random()?;
        self.write_private("identity.key", format!("{}\n", hex::encode(seed)).as_bytes())?;
        Ok(NodeKey::from_seed(&seed))
    }

    /// The node's key, if it was ever started.
    pub(crate) fn known_identity(&self) -> Result<Option<NodeKey>, Error> {
        let Some(text) = self.read_private("identity.key")? else { return Ok(None) };
        let mut seed = [0; 32];
        match hex::decode_to_slice(text.trim(), &mut seed) {
            Ok(()) => Ok(Some(NodeKey::from_seed(&seed))),
            Err(_) => Err(Error::MalformedIdentity { path: self.path().join("identity.key") }),
        }
    }

    /// A token; made at the first start.
    pub(crate) fn token(&self, token: Token, _lock: &Lock) -> Result<Secret<String>, Error> {
        if let Some(known) = self.known_token(token)? {
            return Ok(known);
        }
        let made = hex::encode(random::<TOKEN_BYTES>()?);
        self.write_private(token.file(), format!("{made}\n").as_bytes())?;
        Ok(Secret::new(made))
    }

    /// A token, if it was ever made.
    pub(crate) fn known_token(&self, token: Token) -> Result<Option<Secret<String>>, Error> {
        let Some(text) = self.read_private(token.file())? else { return Ok(None) };
        let text = text.trim();
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::MalformedToken { path: self.path().join(token.file()) });
        }
        Ok(Some(Secret::new(text.to_owned())))
    }
}
