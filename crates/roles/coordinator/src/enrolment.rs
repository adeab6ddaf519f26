//! Who may work here: registration, keys, signed requests.

use edgecoder_base::{Level, NodeId, PrivacyTier};
use edgecoder_ledger::Draft;
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::agents::{Policy, RegisterReply, RegisterRequest};
use edgecoder_protocol::signing::{NONCE_TTL, SignedHeaders, SigningError};
use edgecoder_store::NodeRecord;
use edgecoder_tasks::{WorkerProfile, limits};

use crate::{Error, Handle};

/// How a registering worker proved that it may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// With the mesh token: one of the owner's machines.
    MeshToken,
    /// With a registration token: somebody who was invited.
    RegistrationToken,
}

/// A worker whose request was proven to be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its id.
    pub id: NodeId,
    /// Whether it signed with this node's own key.
    pub own: bool,
}

impl Handle {
    /// Checks a signed request against the registered key and spends its nonce.
    pub async fn authenticate(
        &self,
        headers: &SignedHeaders,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Caller, Error> {
        let now = self.now();
        let own_key = self.own_key();
        let own = headers.agent_id == self.inner.id;
        let key = if own {
            own_key
        } else {
            let node = self.inner.store.node(&headers.agent_id).await?;
            let node = node.ok_or_else(|| not_registered(&headers.agent_id))?;
            node.key.ok_or_else(|| {
                Error::new(
                    ErrorCode::SignatureInvalid,
                    "this agent registered no key to verify signatures with",
                )
            })?
        };
        headers.verify(&key, now, method, path, body).map_err(signature_error)?;
        let expires = now.after(NONCE_TTL);
        let (source, nonce) = (headers.agent_id.clone(), headers.nonce.clone());
        if !self.inner.store.spend_nonce(source, nonce, now, expires).await? {
            return Err(Error::new(ErrorCode::RequestReplayed, "this nonce was used before"));
        }
        Ok(Caller { id: headers.agent_id.clone(), own })
    }

    /// An agent that registered without a key and shows the mesh token: older clients.
    pub async fn keyless(&self, id: &NodeId) -> Result<Caller, Error> {
        let node = self.inner.store.node(id).await?.ok_or_else(|| not_registered(id))?;
        if node.key.is_some() {
            return Err(Error::new(
                ErrorCode::SignatureMissing,
                "this agent registered a key: its requests must be signed with it",
            ));
        }
        Ok(Caller { id: node.id, own: false })
    }

    /// Makes a worker known. `signed` is the caller when the request carried a valid signature.
    pub async fn register(
        &self,
        request: RegisterRequest,
        trust: Trust,
        signed: Option<&Caller>,
    ) -> Result<RegisterReply, Error> {
        check(&request)?;
        let now = self.now();
        let known = self.inner.store.node(&request.agent_id).await?;
        let own = request.agent_id == self.inner.id;
        let bound = known.as_ref().and_then(|node| node.key).or_else(|| own.then(|| self.own_key()));
        if let Some(key) = bound {
            if request.public_key_pem.is_some_and(|offered| offered != key) {
                return Err(Error::new(ErrorCode::KeyAlreadyBound, "this agent id belongs to another key"));
            }
            if signed.is_none_or(|caller| caller.id != request.agent_id) {
                return Err(Error::new(
                    ErrorCode::SignatureMissing,
                    "this agent id is bound to a key: sign the registration with it",
                ));
            }
        }
        let record = record(&request, bound.or(request.public_key_pem), own, trust, now);
        let same_session = known.as_ref().is_some_and(|node| node.session == record.session);
        let mut released = 0;
        if record.session.is_some() && !same_session {
            released = self.inner.store.release_held(record.id.clone(), now).await?;
        }
        if known.as_ref().is_none_or(|known| differs(known, &record)) {
            let draft = known.is_none().then(|| Draft {
                event_type: "node_approval",
                task_id: None,
                subtask_id: None,
                actor_id: record.id.to_string(),
                payload_json: None,
            });
            self.inner.store.save_node(record.clone(), draft, now).await?;
        }
        self.inner.sessions.saw(&record.id, now);
        tracing::info!(worker = %record.id, own, level = %record.level, released, "worker registered");
        Ok(RegisterReply {
            accepted: true,
            policy: policy(record.max_concurrent),
            mode: record.mode,
            heartbeat_ms: u64::try_from(limits::LEASE.as_millis() / 3).unwrap_or(u64::MAX),
            released,
        })
    }

    /// The worker as the rules see it.
    pub(crate) async fn profile(&self, caller: &Caller) -> Result<WorkerProfile, Error> {
        let node = self.inner.store.node(&caller.id).await?.ok_or_else(|| not_registered(&caller.id))?;
        Ok(profile_of(&node, caller.own))
    }
}

pub(crate) fn profile_of(node: &NodeRecord, own: bool) -> WorkerProfile {
    let invited = node.client_type.ends_with(INVITED);
    WorkerProfile {
        id: node.id.clone(),
        own,
        tier: match (own, invited) {
            (true, _) => PrivacyTier::Local,
            (false, false) => PrivacyTier::Devices,
            (false, true) => PrivacyTier::Invited,
        },
        level: node.level,
        models: node.models.clone(),
        max_concurrent: node.max_concurrent,
        blocked: None,
    }
}

/// Mark of a worker that came in by a registration token.
const INVITED: &str = "+invited";

fn record(
    request: &RegisterRequest,
    key: Option<edgecoder_base::PublicKey>,
    own: bool,
    trust: Trust,
    now: edgecoder_base::Timestamp,
) -> NodeRecord {
    let mark = if trust == Trust::RegistrationToken && !own { INVITED } else { "" };
    NodeRecord {
        id: request.agent_id.clone(),
        key,
        own,
        os: request.os.clone(),
        version: request.version.clone(),
        mode: request.mode.clone().unwrap_or_else(|| "swarm-only".to_owned()),
        provider: request.local_model_provider.clone(),
        client_type: format!("{}{mark}", request.client_type),
        max_concurrent: request.max_concurrent_tasks,
        sandbox_mode: request.sandbox_mode.clone().unwrap_or_else(|| "none".to_owned()),
        level: request.sandbox_level.unwrap_or(Level::S0),
        models: request.models.clone(),
        session: request.session.clone(),
        registered_at: now,
    }
}

/// A repeated registration that changes nothing is not written: old workers register on every loop.
fn differs(known: &NodeRecord, new: &NodeRecord) -> bool {
    let mut same_age = new.clone();
    same_age.registered_at = known.registered_at;
    *known != same_age
}

fn check(request: &RegisterRequest) -> Result<(), Error> {
    let invalid = |message: &str| Err(Error::new(ErrorCode::InvalidRequest, message));
    if request.os.len() < 2 || request.os.len() > 64 {
        return invalid("os: 2 to 64 characters");
    }
    if !(1..=64).contains(&request.max_concurrent_tasks) {
        return invalid("maxConcurrentTasks: 1 to 64");
    }
    if request.client_type.is_empty() || request.client_type.len() > 64 || request.client_type.contains('+') {
        return invalid("clientType: 1 to 64 characters without '+'");
    }
    if request.device_id.as_ref().is_some_and(|id| !(3..=128).contains(&id.len())) {
        return invalid("deviceId: 3 to 128 characters");
    }
    if request.models.len() > 256 || request.version.len() > 64 {
        return invalid("models: at most 256; version: at most 64 characters");
    }
    Ok(())
}

pub(crate) fn policy(max_concurrent_tasks: u32) -> Policy {
    Policy { cpu_cap_percent: 100, memory_limit_mb: 0, idle_only: false, max_concurrent_tasks }
}

fn not_registered(id: &NodeId) -> Error {
    Error::new(ErrorCode::AgentNotRegistered, format!("the agent {id} is not registered here"))
}

fn signature_error(error: SigningError) -> Error {
    let code = match error {
        SigningError::Missing(_) => ErrorCode::SignatureMissing,
        SigningError::Malformed(_)
        | SigningError::Skewed
        | SigningError::BodyChanged
        | SigningError::Forged => ErrorCode::SignatureInvalid,
    };
    Error::new(code, error.to_string())
}
