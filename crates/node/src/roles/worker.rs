//! The worker role: a child process of the node. The node's side starts it; the child's side works.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use edgecoder_base::{Blobs, NodeId, NodeKey};
use edgecoder_inference::{RemoteConfig, RemoteEngine};
use edgecoder_net::{HttpWorkSource, Signer};
use edgecoder_sandbox::{Mode, Sandbox};
use edgecoder_store::BlobDir;
use edgecoder_worker::capsule::{CapsuleShelf, Capsules};
use edgecoder_worker::{Config, Deps, Worker};
use edgecoder_workspace::Trees;
use tokio_util::sync::CancellationToken;

use super::{entropy, now};
use crate::cli::{Context, WorkerArgs};
use crate::config::EngineKind;
use crate::error::Error;
use crate::supervise::ChildSpec;

/// How the node starts its worker, given the doors it needs.
pub(crate) fn child(
    context: &Context,
    log: &str,
    coordinator: &str,
    inference: &str,
) -> Result<ChildSpec, Error> {
    let program = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let mut args: Vec<OsString> = vec!["__worker".into()];
    let mut set = |flag: &str, value: &Path| args.extend([flag.into(), value.as_os_str().to_owned()]);
    set("--data-dir", context.data.path());
    if let Some(file) = &context.loaded.file {
        set("--config", file);
    }
    set("--log", Path::new(log));
    set("--coordinator-door", Path::new(coordinator));
    set("--inference-door", Path::new(inference));
    Ok(ChildSpec::new("worker", program, args))
}

/// Works until `shutdown`.
pub(crate) async fn work(
    context: &Context,
    args: &WorkerArgs,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let key = context.data.known_identity()?;
    let key = Arc::new(key.ok_or_else(|| Error::NoNode { path: context.data.path().to_owned() })?);
    let settings = &context.loaded.config;
    // Only this node's own coordinator shares its directory, and knows its worker by the node's key and name.
    let own = settings.worker.coordinator_url.is_none();
    let agent_id = agent_id(context, &key, own)?;
    let blobs = if own {
        context.loaded.config.coordinator.blobs(&context.data)
    } else {
        context.data.cache().join("blobs")
    };
    let blobs: Arc<dyn Blobs> = Arc::new(BlobDir::open(&blobs).map_err(Error::io("open", &blobs))?);
    let signer = Signer { key: Arc::clone(&key), agent_id: agent_id.clone(), clock: now, entropy };
    let source = HttpWorkSource::build(&args.coordinator_door, signer, context.mesh_token()?)?;
    let remote = RemoteConfig::new(args.inference_door.clone(), context.inference_token()?);
    let engine = RemoteEngine::new(remote).map_err(|error| Error::Role(error.to_string()))?;
    let confinement = edgecoder_sandbox::Config {
        node: Some(agent_id.as_str().to_owned()),
        ..settings.sandbox.to_sandbox(&context.env)
    };
    let sandbox = Sandbox::new(confinement).map_err(|error| Error::Role(error.to_string()))?;
    let config = Config {
        agent_id,
        os: settings.node.os.clone(),
        mode: settings.node.mode.as_str().to_owned(),
        provider: provider(settings.inference.engine).to_owned(),
        sandbox_mode: sandbox_name(sandbox.mode()).to_owned(),
        public_key: key.public(),
        registration_token: settings.worker.registration_token.as_ref().map(|token| token.expose().clone()),
        max_concurrent: settings.worker.max_concurrent_tasks,
        larger_model: settings.inference.escalates_to().map(str::to_owned),
        session: format!("{:032x}", entropy()),
        journals: settings.worker.journal_dir.clone().unwrap_or_else(|| context.data.journals()),
        shared_blobs: own,
    };
    let trees = Trees::new(context.data.cache().join("trees"))?;
    let (source, engine) = (Arc::new(source), Arc::new(engine));
    // Only a sandbox with a root of its own can show them.
    let capsules = match (settings.capsule.enabled, sandbox.mode()) {
        (true, Mode::Process) => {
            let shelf = CapsuleShelf::open(settings.capsule.dir(&context.data));
            Some(Capsules::new(shelf.map_err(|error| Error::Role(crate::error::chain(&error)))?))
        }
        (true, Mode::Docker | Mode::None) => {
            tracing::info!("attempts are shown no capsules: sandbox mode `process` alone can show them");
            None
        }
        (false, _) => None,
    };
    let deps = Deps { source, engine, sandbox, trees, capsules, blobs, clock: now };
    Worker::build(config, deps).run(shutdown).await.map_err(|error| Error::Role(error.to_string()))
}

fn agent_id(context: &Context, key: &NodeKey, own: bool) -> Result<NodeId, Error> {
    match &context.loaded.config.node.id {
        Some(id) if !own => NodeId::new(id.clone()).map_err(|error| Error::Usage(error.to_string())),
        _ => Ok(key.public().node_id()),
    }
}

const fn provider(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Local | EngineKind::Auto => "edgecoder-local",
        EngineKind::Ollama => "ollama-local",
        EngineKind::Openai => "openai",
    }
}

const fn sandbox_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Process => "process",
        Mode::Docker => "docker",
        Mode::None => "none",
    }
}
