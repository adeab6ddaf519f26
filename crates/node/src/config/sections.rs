//! The sections of the settings. Every field says what it does and in which unit: these words are the schema
//! and the reference page.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use edgecoder_base::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::env::Env;
use crate::role::Role;

/// What is shown instead of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

pub(super) fn hidden<T, S: Serializer>(secret: &Option<Secret<T>>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| HIDDEN).serialize(serializer)
}

fn all_hidden<T, S: Serializer>(secrets: &[Secret<T>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(|_| HIDDEN))
}

/// What kind of worker this node presents itself as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NodeMode {
    /// Works for the queue only.
    #[default]
    SwarmOnly,
    /// Also serves an editor.
    IdeEnabled,
}

impl NodeMode {
    /// The published name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SwarmOnly => "swarm-only",
            Self::IdeEnabled => "ide-enabled",
        }
    }
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NodeConfig {
    /// Name of this node's worker. Default: derived from the node's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// `swarm-only` or `ide-enabled`.
    pub(crate) mode: NodeMode,
    /// Operating system that the node reports. Default: the one it was built for.
    pub(crate) os: String,
    /// Directory of identity, database and blobs. Default: the platform's data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Roles this process performs.
    pub(crate) roles: Vec<Role>,
    /// Added to the port of every door, so that several nodes run side by side (`--alt-ports` is 10000).
    pub(crate) port_offset: u16,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            id: None,
            mode: NodeMode::default(),
            os: std::env::consts::OS.to_owned(),
            data_dir: None,
            roles: Role::ALL.to_vec(),
            port_offset: 0,
        }
    }
}

/// Doors are open to this machine only, unless somebody says otherwise.
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// `[coordinator]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CoordinatorConfig {
    /// Address the door listens on.
    pub(crate) bind: IpAddr,
    /// Port of the door; 0 takes a free one.
    pub(crate) port: u16,
    /// Address under which others reach the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
    /// The inference door that splits requests; `inference.token` opens it, and every call is signed with this node's
    /// key. Default: this node's own engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inference_url: Option<String>,
    /// PostgreSQL to use instead of the embedded database, `postgres://…`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) database_url: Option<Secret<String>>,
    /// Where snapshots, patches, logs and traces are kept. Default: in the data directory. Coordinators that share a
    /// database share this directory too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blob_dir: Option<PathBuf>,
    /// Opens the task routes. Made at the first start and kept in the data directory when not set.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) mesh_token: Option<Secret<String>>,
    /// Opens the operators' routes; without it they are closed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) admin_token: Option<Secret<String>>,
    /// Each lets workers of other machines register.
    #[serde(serialize_with = "all_hidden")]
    #[schemars(with = "Vec<String>")]
    pub(crate) registration_tokens: Vec<Secret<String>>,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            bind: LOOPBACK,
            port: 4301,
            public_url: None,
            inference_url: None,
            database_url: None,
            blob_dir: None,
            mesh_token: None,
            admin_token: None,
            registration_tokens: Vec::new(),
        }
    }
}

impl CoordinatorConfig {
    /// Where blobs are kept.
    pub(crate) fn blobs(&self, home: &crate::home::Home) -> PathBuf {
        self.blob_dir.clone().unwrap_or_else(|| home.blobs())
    }
}

macro_rules! plain_door {
    ($(#[$doc:meta])* $name:ident, $port:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            /// Address the door listens on.
            pub(crate) bind: IpAddr,
            /// Port of the door; 0 takes a free one.
            pub(crate) port: u16,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { bind: LOOPBACK, port: $port }
            }
        }
    };
}

plain_door!(
    /// `[control]`
    ControlConfig,
    4303
);
plain_door!(
    /// `[portal]`
    PortalConfig,
    4310
);

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkerConfig {
    /// Whether a node with the worker role starts its worker.
    pub(crate) enabled: bool,
    /// Attempts run at once, 1 to 64.
    pub(crate) max_concurrent_tasks: u32,
    /// Where attempts are journalled, so that they are taken up after a crash. Default: in the data directory.
    /// Workers that share it take up one another's attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) journal_dir: Option<PathBuf>,
    /// Coordinator to work for. Default: this node's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) coordinator_url: Option<String>,
    /// Presented to that coordinator.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) registration_token: Option<Secret<String>>,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_concurrent_tasks: 1,
            journal_dir: None,
            coordinator_url: None,
            registration_token: None,
        }
    }
}

/// How executions are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SandboxMode {
    /// Namespaces, limits and filters by our own launcher.
    #[default]
    Process,
    /// Containers of a Docker daemon on this machine, from images that are here.
    Docker,
    /// No confinement: only when asked for by this name.
    None,
}

/// `[sandbox]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SandboxConfig {
    /// `process`, `docker` or `none`.
    pub(crate) mode: SandboxMode,
    /// Whether an execution is refused when the sandbox cannot be built, instead of running unconfined. In mode
    /// `docker` it is always refused.
    pub(crate) required: bool,
    /// Directories shown read-only to executions, besides the system's: interpreters, virtual environments.
    /// Added to those found on the search path.
    pub(crate) tool_chains: Vec<PathBuf>,
    /// Processor time one execution may use per time that passes, thousandths of a core (2500: two and a half cores).
    /// Default: every core, at half the share of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) millicores: Option<NonZeroU32>,
    /// The launcher. Default: `edgecoder-jail` beside the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jail: Option<PathBuf>,
    /// Socket of the daemon of mode `docker`; `edgecoder sandbox check` names those that are here. Default: what
    /// `DOCKER_HOST` names, else `/var/run/docker.sock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) docker_socket: Option<PathBuf>,
    /// Image of mode `docker`, `sha256:…` to pin it. It is never fetched. Default: one of those that
    /// `make sandbox-images` builds, by the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) docker_image: Option<String>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            mode: SandboxMode::Process,
            required: true,
            tool_chains: Vec::new(),
            millicores: None,
            jail: None,
            docker_socket: None,
            docker_image: None,
        }
    }
}

impl SandboxConfig {
    /// The sandbox's own settings: ours, with the tool chains that the search path leads to.
    pub(crate) fn to_sandbox(&self, env: &Env) -> edgecoder_sandbox::Config {
        let get = |name: &str| env.get(name).map(String::as_str).unwrap_or_default();
        let mut config = edgecoder_sandbox::Config::detected(get("PATH"), Path::new(get("HOME")));
        config.mode = match self.mode {
            SandboxMode::Process => edgecoder_sandbox::Mode::Process,
            SandboxMode::Docker => edgecoder_sandbox::Mode::Docker,
            SandboxMode::None => edgecoder_sandbox::Mode::None,
        };
        config.required = self.required;
        config.tool_chains.extend(self.tool_chains.iter().cloned());
        config.millicores = self.millicores;
        config.jail.clone_from(&self.jail);
        config.docker.image.clone_from(&self.docker_image);
        config.docker.socket = self.daemon(env).unwrap_or(config.docker.socket);
        config
    }

    /// The daemon's socket where something names one.
    fn daemon(&self, env: &Env) -> Option<PathBuf> {
        let named = env.get("DOCKER_HOST").filter(|named| !named.is_empty());
        let named = named.map(|named| PathBuf::from(named.strip_prefix("unix://").unwrap_or(named)));
        self.docker_socket.clone().or(named)
    }
}

/// `[telemetry]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TelemetryConfig {
    /// What is logged: a level, or directives like `info,edgecoder_worker=debug`.
    pub(crate) log: String,
    /// Whether log lines are JSON.
    pub(crate) json: bool,
    /// Where spans are exported by OTLP over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) otlp_endpoint: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: "info".to_owned(), json: false, otlp_endpoint: None }
    }
}
