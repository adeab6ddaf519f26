//! The loop: register, pull, run, report; several attempts at once, one heartbeat for all.

use std::sync::Arc;
use std::time::Duration;

use edgecoder_protocol::api::agents::{PullRequest, RegisterRequest};
use edgecoder_protocol::{ErrorCode, WorkError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::heartbeat::Leases;
use crate::{Config, Deps, attempt};

/// Longest wait of one pull at the coordinator.
const PULL_WAIT_MS: u64 = 25_000;
/// First pause after a failed call; doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest pause after failed calls.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Between two looks at which model the engine has.
const MODEL_LOOK: Duration = Duration::from_secs(10);
/// Time running attempts get to notice that the worker stops.
const GRACE: Duration = Duration::from_secs(2);

/// The owner of this machine's attempts.
#[derive(Debug)]
pub struct Worker {
    config: Arc<Config>,
    deps: Deps,
    leases: Leases,
}

impl Worker {
    /// Takes what it needs; calls nobody yet.
    pub fn build(config: Config, deps: Deps) -> Self {
        Self { config: Arc::new(config), deps, leases: Leases::default() }
    }

    /// Works until `shutdown`, then gives back what it holds.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            registered = self.register_until_welcome() => registered?,
        }
        let mut slots = JoinSet::new();
        for _ in 0..self.config.max_concurrent {
            let (config, deps, leases) = (Arc::clone(&self.config), self.deps.clone(), self.leases.clone());
            let stop = shutdown.clone();
            slots.spawn(async move { pull_and_run(&config, &deps, &leases, &stop).await });
        }
        let beating = self.leases.beat(&*self.deps.source, &self.config.agent_id);
        let models = self.announce_models();
        tokio::select! {
            () = async { while slots.join_next().await.is_some() {} } => (),
            () = async { tokio::join!(beating, models); } => (),
            () = shutdown.cancelled() => {
                // The slots stop by the same token; what does not is dropped with the set.
                let drained = async { while slots.join_next().await.is_some() {} };
                if tokio::time::timeout(GRACE, drained).await.is_err() {
                    tracing::warn!("an attempt did not stop in time");
                }
                self.release().await;
            }
        }
        Ok(())
    }

    async fn register_until_welcome(&self) -> Result<(), Error> {
        let level = self.deps.sandbox.probe().await;
        if let Some(reason) = &level.reason {
            tracing::error!(reason, "no sandbox: this worker takes no work that runs anything");
        }
        let mut pause = PAUSE;
        loop {
            let models = self.models().await;
            match self.register(&self.config.session, models, level.level).await {
                Ok(()) => return Ok(()),
                Err(error @ WorkError::Refused { .. }) if !error.is_retryable() => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "not registered yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn register(
        &self,
        session: &str,
        models: Vec<String>,
        level: Option<edgecoder_base::Level>,
    ) -> Result<(), WorkError> {
        let config = &self.config;
        let request = RegisterRequest {
            agent_id: config.agent_id.clone(),
            device_id: None,
            os: config.os.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: Some(config.mode.clone()),
            registration_token: config.registration_token.clone().map(edgecoder_base::Secret::new),
            local_model_provider: config.provider.clone(),
            client_type: "edgecoder-native".to_owned(),
            max_concurrent_tasks: config.max_concurrent,
            power_telemetry: None,
            public_key_pem: Some(config.public_key),
            x25519_public_key: None,
            sandbox_mode: Some(config.sandbox_mode.clone()),
            binary_integrity: None,
            sandbox_level: level,
            models,
            session: Some(session.to_owned()),
        };
        self.deps.source.register(request).await.map(|_| ())
    }

    /// The model of an engine that works; none when it cannot work as configured. Waits for one that starts.
    async fn models(&self) -> Vec<String> {
        let mut pause = PAUSE;
        loop {
            match self.deps.engine.capabilities().await {
                Ok(engine) => {
                    // Work is only handed to a larger model where somebody says that it is there.
                    let larger = self.config.larger_model.clone().filter(|model| *model != engine.model);
                    return std::iter::once(engine.model).chain(larger).collect();
                }
                Err(error) if error.is_retryable() => tracing::debug!(%error, "the engine is not ready yet"),
                Err(error) => {
                    tracing::error!(%error, "no model: this worker only judges");
                    return Vec::new();
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Tells the coordinator when a model comes although there was none, or another one.
    async fn announce_models(&self) {
        let mut told = self.models().await;
        loop {
            tokio::time::sleep(MODEL_LOOK).await;
            let models = self.models().await;
            if models != told {
                let level = self.deps.sandbox.probe().await.level;
                if self.register(&self.config.session, models.clone(), level).await.is_ok() {
                    told = models;
                }
            }
        }
    }

    /// A registration under another session releases what the session before held.
    async fn release(&self) {
        let session = format!("{}-stopped", self.config.session);
        let released = self.register(&session, Vec::new(), None);
        match tokio::time::timeout(GRACE, released).await {
            Ok(Ok(())) => tracing::info!("leases given back"),
            Ok(Err(error)) => tracing::debug!(%error, "leases will expire by themselves"),
            Err(_) => tracing::debug!("leases will expire by themselves"),
        }
    }
}

/// One slot: an attempt at a time.
async fn pull_and_run(config: &Config, deps: &Deps, leases: &Leases, shutdown: &CancellationToken) {
    let mut pause = PAUSE;
    while !shutdown.is_cancelled() {
        let request = PullRequest { agent_id: config.agent_id.clone(), wait_ms: PULL_WAIT_MS };
        let pulled = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            pulled = deps.source.pull(request) => pulled,
        };
        match pulled {
            Ok(reply) => {
                pause = PAUSE;
                if let Some(work) = reply.work {
                    attempt::run(config, deps, leases, work, shutdown).await;
                }
            }
            Err(error) => {
                let known = !matches!(&error, WorkError::Refused { code: ErrorCode::AgentNotRegistered, .. });
                tracing::warn!(%error, "pull failed");
                if !known {
                    // The coordinator lost us; the supervisor starts this worker anew.
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}
