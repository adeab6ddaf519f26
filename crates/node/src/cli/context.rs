//! What every command starts from: settings, data directory, and the way to a coordinator.

use std::fs;
use std::path::{Path, PathBuf};

use edgecoder_base::Secret;
use edgecoder_inference::catalog::ModelStore;
use edgecoder_net::{ApiClient, InferenceClient};
use toml::Value;

use super::Global;
use super::up::UpArgs;
use crate::config::{Flag, Loaded, SettingsFile, Sources, load};
use crate::env::Env;
use crate::error::Error;
use crate::home::{Home, Token, platform_dir};
use crate::model_file;
use crate::output::Output;

/// Added to every port by `--alt-ports`.
const ALT_PORTS: u16 = 10_000;
/// The settings file's name.
const FILE: &str = "edgecoder.toml";

/// Settings and places.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) out: Output,
    pub(crate) env: Env,
    pub(crate) loaded: Loaded,
    pub(crate) data: Home,
    /// Coordinator named on the command line.
    pub(crate) coordinator: Option<String>,
}

impl Context {
    pub(super) fn open(global: Global, up: &UpArgs, env: Env, out: Output) -> Result<Self, Error> {
        let loaded = load(&sources(&global, up, &env)?)?;
        let configured = loaded.config.node.data_dir.clone();
        let root = configured.or_else(|| platform_dir(&env)).ok_or(Error::NoDataDir)?;
        // The working directory of children and the node's own may differ; a path must mean one place.
        let root = std::path::absolute(&root).map_err(Error::io("resolve", &root))?;
        let data = Home::new(root);
        Ok(Self { out, env, loaded, data, coordinator: global.coordinator })
    }

    /// The token that opens the coordinator's task routes.
    pub(crate) fn mesh_token(&self) -> Result<Option<Secret<String>>, Error> {
        match &self.loaded.config.coordinator.mesh_token {
            Some(token) => Ok(Some(token.clone())),
            None => self.data.known_token(Token::Mesh),
        }
    }

    /// A client of the named coordinator, else of the node that runs here.
    pub(crate) fn client(&self) -> Result<ApiClient, Error> {
        let running =
            || self.data.running().map(|node| node.and_then(|node| node.doors.get("coordinator").cloned()));
        let url = match &self.coordinator {
            Some(url) => url.clone(),
            None => running()?.ok_or_else(|| Error::NoNode { path: self.data.path().to_owned() })?,
        };
        Ok(ApiClient::build(&url, self.mesh_token()?)?)
    }

    /// Where the blobs of a snapshot are laid down: with the node of this data directory they are shared, and nothing
    /// needs to be sent.
    pub(crate) fn outgoing(&self) -> PathBuf {
        match self.coordinator {
            None => self.loaded.config.coordinator.blobs(&self.data),
            Some(_) => self.data.cache().join("outgoing"),
        }
    }

    /// A client of the inference door of the node that runs here, if one does.
    pub(crate) fn inference_client(&self) -> Result<Option<InferenceClient>, Error> {
        let Some(url) = self.data.running()?.and_then(|node| node.doors.get("inference").cloned()) else {
            return Ok(None);
        };
        Ok(Some(InferenceClient::build(&url, self.inference_token()?)?))
    }

    /// The token that opens the inference door.
    pub(crate) fn inference_token(&self) -> Result<Option<Secret<String>>, Error> {
        match &self.loaded.config.inference.token {
            Some(token) => Ok(Some(token.clone())),
            None => self.data.known_token(Token::Inference),
        }
    }

    /// The file that the local engine loads at the start: what the settings name, else what `edgecoder model use`
    /// chose, else the shipped one.
    pub(crate) fn model_file(&self) -> Result<PathBuf, Error> {
        let chosen = || {
            let store = ModelStore::new(self.loaded.config.models.dir(&self.data));
            match store.chosen() {
                Ok(model) => model.map(|model| store.path_of(&model.sha256)),
                Err(error) => {
                    self.out.note(format_args!("edgecoder: {error}; the shipped model is used"));
                    None
                }
            }
        };
        let path = self.loaded.config.inference.model_path.clone().or_else(chosen);
        let program = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
        let working = std::env::current_dir().unwrap_or_default();
        Ok(model_file::locate(path.as_deref(), &program, &working))
    }
}

/// All layers of the settings, read from the world.
pub(super) fn sources(global: &Global, up: &UpArgs, env: &Env) -> Result<Sources, Error> {
    Ok(Sources { file: settings_file(global, env)?, env: env.clone(), flags: flags(global, up) })
}

fn flags(global: &Global, up: &UpArgs) -> Vec<Flag> {
    let text = |path: &Path| Value::String(path.to_string_lossy().into_owned());
    let mut flags = Vec::new();
    let mut set = |flag, key, value| flags.push(Flag { flag, key, value });
    if let Some(dir) = &global.data_dir {
        set("--data-dir", "node.data_dir", text(dir));
    }
    if let Some(log) = &global.log {
        set("--log", "telemetry.log", Value::String(log.clone()));
    }
    if !up.roles.is_empty() {
        let roles = up.roles.iter().map(|role| Value::String(role.to_string())).collect();
        set("--roles", "node.roles", Value::Array(roles));
    }
    if up.alt_ports {
        set("--alt-ports", "node.port_offset", Value::Integer(ALT_PORTS.into()));
    }
    if let Some(offset) = up.port_offset {
        set("--port-offset", "node.port_offset", Value::Integer(offset.into()));
    }
    flags
}

/// The file that was named, else the first that exists of the two usual places.
fn settings_file(global: &Global, env: &Env) -> Result<Option<SettingsFile>, Error> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = global.config.clone().or_else(|| set("EDGECODER_CONFIG")) {
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        return Ok(Some(SettingsFile { path, text }));
    }
    let data = global
        .data_dir
        .clone()
        .or_else(|| set("EDGECODER_NODE__DATA_DIR"))
        .or_else(|| set("EDGECODER_DATA_DIR"))
        .or_else(|| platform_dir(env));
    for path in [Some(PathBuf::from(FILE)), data.map(|dir| dir.join(FILE))].into_iter().flatten() {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Some(SettingsFile { path, text })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { doing: "read", path, source }),
        }
    }
    Ok(None)
}
