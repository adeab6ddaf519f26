//! One node: doors bound first, then the roles behind them, then the children; and all of it stopped in order.

use std::sync::Arc;

use edgecoder_base::Secret;
use edgecoder_store::Store;
use tokio_util::sync::CancellationToken;

use crate::cli::Context;
use crate::config::Config;
use crate::crew::{Crew, TaskKind};
use crate::error::Error;
use crate::home::{Home, Lock, Running, Token};
use crate::role::Role;
use crate::roles::doors::{Door, bind};
use crate::roles::inference::EngineRole;
use crate::roles::{Shared, companion, coordinator, ide, inference, mcp_servers, now, worker};
use crate::supervise::Supervisor;

/// A node whose doors are open.
#[derive(Debug)]
pub(crate) struct Node {
    data: Home,
    lock: Lock,
    running: Running,
    crew: Crew,
    store: Option<Store>,
}

impl Node {
    /// Takes the data directory, opens the doors, starts the roles of `config`.
    pub(crate) async fn build(context: &Context, config: &Config) -> Result<Self, Error> {
        let data = context.data.clone();
        let lock = data.lock()?;
        let shared = Shared {
            key: Arc::new(data.identity(&lock)?),
            mesh_token: token(&data, &lock, Token::Mesh, config.coordinator.mesh_token.as_ref())?,
            ide_token: token(&data, &lock, Token::Ide, config.ide.token.as_ref())?,
            inference_token: token(&data, &lock, Token::Inference, config.inference.token.as_ref())?,
            metrics: edgecoder_http::Metrics::new(),
        };
        let doors = bind(config).await?;
        let running = Running {
            pid: std::process::id(),
            node: shared.key.public().node_id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now(),
            doors: doors.iter().map(|door| (door.role.to_string(), door.url.clone())).collect(),
        };
        let mut node = Self { data, lock, running, crew: Crew::default(), store: None };
        node.start(context, config, &shared, doors).await?;
        node.data.announce(&node.running, &node.lock)?;
        Ok(node)
    }

    /// What others on this machine are told.
    pub(crate) const fn running(&self) -> &Running {
        &self.running
    }

    /// Runs until `shutdown`, or until a part fails without which the node is no use.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let failure = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            reason = self.crew.failed() => Some(reason),
        };
        self.data.withdraw(&self.lock);
        self.crew.stop().await;
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        failure.map_or(Ok(()), |reason| Err(Error::Role(reason)))
    }

    async fn start(
        &mut self,
        context: &Context,
        config: &Config,
        shared: &Shared,
        doors: Vec<Door>,
    ) -> Result<(), Error> {
        let has = |role| config.node.roles.contains(&role);
        let catalog = config.models.to_catalog(&self.data);
        let engine =
            if has(Role::Inference) { Some(inference::build(&config.inference, catalog)?) } else { None };
        let skills = engine.as_ref().map(|engine| engine.skills.clone());
        let mut queue = None;
        if has(Role::Coordinator) {
            let decomposer = coordinator::decomposer(config, shared, skills.clone())?;
            let (role, store) = coordinator::build(config, &self.data, shared, decomposer).await?;
            queue = Some(role.handle());
            self.store = Some(store);
            self.crew.start(TaskKind::Coordinator, |stop| async move {
                role.run(stop).await.map_err(|error| error.to_string())
            });
        }
        let watch = engine.as_ref().map_or_else(absent, |engine| Arc::clone(&engine.watch));
        for Door { role, listener, .. } in doors {
            let metrics = shared.metrics.clone();
            let router = match role {
                Role::Coordinator => queue.clone().map(|handle| {
                    let config = edgecoder_http::coordinator::Config {
                        mesh_token: shared.mesh_token.clone(),
                        registration_tokens: config.coordinator.registration_tokens.clone(),
                    };
                    let state =
                        edgecoder_http::coordinator::State::new(handle, &config, metrics, watch.clone());
                    edgecoder_http::coordinator::router(state)
                }),
                Role::Inference => engine.as_ref().map(|engine| {
                    let door = inference::door(&config.inference, shared.inference_token.clone());
                    let (skills, models) = (engine.skills.clone(), engine.models.clone());
                    let watch = watch.clone();
                    let state =
                        edgecoder_http::inference::State::new(skills, models, door, metrics, watch, now);
                    edgecoder_http::inference::router(state)
                }),
                Role::Control => Some(edgecoder_http::control::router(&metrics)),
                Role::Ide => Some(match &engine {
                    Some(engine) => {
                        let companion =
                            companion::build(context, queue.clone(), mcp_servers::lent(context)?)?;
                        let state = ide::state(context, &config.ide, shared, engine);
                        edgecoder_http::ide::router(state.with_companion(companion))
                    }
                    None => edgecoder_http::ide::closed(&metrics),
                }),
                Role::Portal => Some(edgecoder_http::portal::router(&metrics)),
                Role::Worker => None,
            };
            let Some(router) = router else { continue };
            self.crew.start(TaskKind::Door(role), |stop| async move {
                edgecoder_http::serve(listener, router, stop).await.map_err(|error| error.to_string())
            });
        }
        if let Some(engine) = engine {
            self.crew.start(TaskKind::Engine, EngineRole::into_run(engine));
        }
        if has(Role::Worker) && config.worker.enabled {
            self.start_worker(context, config)?;
        }
        Ok(())
    }

    fn start_worker(&mut self, context: &Context, config: &Config) -> Result<(), Error> {
        let own = self.running.doors.get(Role::Coordinator.as_str());
        let coordinator = config.worker.coordinator_url.as_ref().or(own).ok_or_else(|| {
            Error::Usage("a worker needs the coordinator role, or worker.coordinator_url".to_owned())
        })?;
        let engine = self.running.doors.get(Role::Inference.as_str());
        let engine =
            engine.ok_or_else(|| Error::Usage("a worker needs the inference role beside it".to_owned()))?;
        let (supervisor, _state) =
            Supervisor::new(worker::child(context, &config.telemetry.log, coordinator, engine)?);
        self.crew.start(TaskKind::WorkerChild, |stop| async move {
            supervisor.run(stop).await;
            Ok(())
        });
        Ok(())
    }
}

fn token(
    data: &Home,
    lock: &Lock,
    which: Token,
    configured: Option<&Secret<String>>,
) -> Result<Secret<String>, Error> {
    configured.map_or_else(|| data.token(which, lock), |token| Ok(token.clone()))
}

/// What is said of the engine by a node that has none.
fn absent() -> edgecoder_http::EngineWatch {
    let health = edgecoder_protocol::api::status::EngineHealth {
        state: "absent".to_owned(),
        detail: Some("this node does not have the inference role".to_owned()),
        ..Default::default()
    };
    Arc::new(move || health.clone())
}
