//! A coordinator that asks: by the token, and by its signature where this door wants one.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use edgecoder_base::{PublicKey, Timestamp};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::inference_signing::{PEER_ID, PeerSignature, Refusal};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::{Config, State};
use crate::{Error, body};

/// Nonces remembered: two hundred requests a second for as long as one is remembered. Only signed requests of
/// trusted coordinators take a place.
const MAX_NONCES: usize = 65_536;

/// A coordinator, with the body it brings.
#[derive(Debug)]
pub(super) struct FromCoordinator<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequest<State> for FromCoordinator<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &State) -> Result<Self, Error> {
        let (parts, sent) = request.into_parts();
        state.lets_in(&parts.headers)?;
        body::declared_json(&parts.headers)?;
        let bytes = body::read(sent, body::JSON_LIMIT).await?;
        let call = (parts.method.as_str(), parts.uri.path());
        state.inner.peers.check(&parts.headers, call, &bytes, (state.inner.clock)())?;
        body::parse(&bytes).map(Self)
    }
}

/// The coordinators that are trusted, and the nonces they spent.
#[derive(Debug)]
pub(super) struct Peers {
    trusted: BTreeMap<String, PublicKey>,
    required: bool,
    max_skew: Duration,
    nonce_ttl: Duration,
    /// Nonces are forgotten when the node stops, so nothing that was signed before it started is accepted.
    opened: Timestamp,
    spent: Mutex<BTreeMap<(String, String), Timestamp>>,
}

impl Peers {
    pub(super) fn new(config: Config, opened: Timestamp) -> Self {
        let required = config.require_signatures || !config.trusted.is_empty();
        let Config { trusted, max_skew, nonce_ttl, .. } = config;
        // Forgetting a nonce while its timestamp still passes would let a request be sent again.
        let nonce_ttl = nonce_ttl.max(max_skew.saturating_mul(2));
        Self { trusted, required, max_skew, nonce_ttl, opened, spent: Mutex::default() }
    }

    /// Refuses what is not signed as it must be. A signature that is not required is checked all the same when
    /// its key is trusted; without a trusted key it proves nothing and is not looked at.
    fn check(
        &self,
        headers: &HeaderMap,
        call: (&str, &str),
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        if !self.required {
            return Ok(());
        }
        let refused = |refusal: Refusal| Error::new(refusal.code(), refusal.to_string());
        if !headers.contains_key(PEER_ID) {
            return Err(refused(Refusal::Missing(PEER_ID)));
        }
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = PeerSignature::read(header).map_err(refused)?;
        let key = self.trusted.get(&signed.peer_id).ok_or_else(|| refused(Refusal::UntrustedPeer))?;
        signed.verify(key, now, self.max_skew, call, body).map_err(refused)?;
        if signed.timestamp < self.opened {
            return Err(refused(Refusal::Expired));
        }
        self.spend(signed, now)
    }

    fn spend(&self, signed: PeerSignature, now: Timestamp) -> Result<(), Error> {
        let mut spent = self.spent.lock();
        spent.retain(|_, until| *until >= now);
        if spent.len() >= MAX_NONCES {
            return Err(Error::new(ErrorCode::RateLimited, "too many signed requests in a short time"));
        }
        let until = now.after(self.nonce_ttl);
        match spent.insert((signed.peer_id, signed.nonce), until) {
            None => Ok(()),
            Some(_) => Err(Error::new(Refusal::Replay.code(), Refusal::Replay.to_string())),
        }
    }
}
