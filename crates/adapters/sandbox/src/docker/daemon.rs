//! The daemon as a node holds it: reached when it is needed, asked what it is, and swept of what earlier nodes left.

use std::path::Path;
use std::sync::Arc;

use bollard::models::{ContainerSummaryStateEnum, SystemInfo, SystemVersion};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker as Client};
use edgecoder_base::Level;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::asking;
use super::image::IMAGES;
use super::owner::{self, MARK, Owner};
use crate::config::DockerConfig;
use crate::error::Error;

/// For one answer of the daemon, seconds; a busy one creates containers slowly.
const ANSWER_SECONDS: u64 = 120;
const FIX: &str = "start dockerd, let this user reach its socket (`sandbox.docker_socket`), or set sandbox mode \
                   `process`";

/// What a daemon said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Version of the daemon.
    pub version: String,
    /// Version of what starts containers, where it says so.
    pub runtime: Option<String>,
    /// Whether the daemon is an ordinary user.
    pub rootless: bool,
    /// Whether user 0 of a container is nobody outside.
    pub remapped: bool,
    /// Whether it is Podman behind Docker's interface.
    pub podman: bool,
    /// Our images, each with the identity it has here.
    pub images: Vec<(String, Option<String>)>,
}

impl Seen {
    /// What a container here amounts to, given that its bounds hold.
    pub fn level(&self) -> Level {
        if self.rootless || self.remapped { Level::D3 } else { Level::D2 }
    }
}

/// One connection that has been looked at.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) client: Client,
    pub(super) level: Level,
}

/// A node's way to its daemon.
#[derive(Debug)]
pub(crate) struct Docker {
    config: DockerConfig,
    owner: Owner,
    /// Ends what dropped runs left behind.
    pub(super) cleaning: TaskTracker,
    connected: Mutex<Option<Arc<Daemon>>>,
}

impl Docker {
    /// Asks nothing of the daemon yet; where a runtime is at hand, what earlier nodes left is removed meanwhile.
    pub(crate) fn new(config: DockerConfig, node: Option<String>) -> Result<Arc<Self>, Error> {
        let owner = Owner::this(node)
            .map_err(|source| Error::Launcher { doing: "telling this process from others", source })?;
        let docker =
            Arc::new(Self { config, owner, cleaning: TaskTracker::new(), connected: Mutex::new(None) });
        if tokio::runtime::Handle::try_current().is_ok() {
            let early = Arc::clone(&docker);
            docker.cleaning.spawn(async move {
                if let Err(error) = early.daemon().await {
                    tracing::debug!(%error, "no daemon to sweep yet");
                }
            });
        }
        Ok(docker)
    }

    pub(super) fn config(&self) -> &DockerConfig {
        &self.config
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The daemon, reached anew when it went away. Each new connection sweeps.
    pub(super) async fn daemon(&self) -> Result<Arc<Daemon>, Error> {
        let mut connected = self.connected.lock().await;
        if let Some(daemon) = connected.as_ref()
            && daemon.client.ping().await.is_ok()
        {
            return Ok(Arc::clone(daemon));
        }
        *connected = None;
        let client = reach(&self.config.socket).await?;
        let seen = ask(&client).await?;
        if seen.podman {
            return Err(Error::Unavailable {
                reason: "this is Podman, which takes no system call filter over its interface".to_owned(),
                fix: "point `sandbox.docker_socket` at a dockerd, rootless or not",
            });
        }
        sweep(&client, &self.owner).await?;
        let daemon = Arc::new(Daemon { level: seen.level(), client });
        *connected = Some(Arc::clone(&daemon));
        Ok(daemon)
    }
}

/// What the daemon at `socket` is, and which of our images and of `more` it has; for the check-up.
pub async fn look(socket: &Path, more: Option<&str>) -> Result<Seen, Error> {
    let client = reach(socket).await?;
    let mut seen = ask(&client).await?;
    for name in IMAGES.iter().map(|(name, _)| *name).chain(more) {
        let found = client.inspect_image(name).await.ok().and_then(|image| image.id);
        seen.images.push((name.to_owned(), found));
    }
    Ok(seen)
}

async fn reach(socket: &Path) -> Result<Client, Error> {
    let unreachable = |error: bollard::errors::Error| Error::Unavailable {
        reason: format!("no Docker daemon answers at {}: {error}", socket.display()),
        fix: FIX,
    };
    let path = socket.to_string_lossy();
    let client =
        Client::connect_with_unix(&path, ANSWER_SECONDS, API_DEFAULT_VERSION).map_err(unreachable)?;
    client.negotiate_version().await.map_err(unreachable)
}

async fn ask(client: &Client) -> Result<Seen, Error> {
    let version = client.version().await.map_err(asking("asking for the version"))?;
    let system = client.info().await.map_err(asking("asking what the daemon is"))?;
    Ok(seen(&version, &system))
}

fn seen(version: &SystemVersion, system: &SystemInfo) -> Seen {
    let components = version.components.as_deref().unwrap_or_default();
    let component = |name: &str| components.iter().find(|found| found.name.eq_ignore_ascii_case(name));
    let options = system.security_options.as_deref().unwrap_or_default();
    let says = |word: &str| options.iter().any(|option| option.split(',').any(|part| part == word));
    Seen {
        version: version.version.clone().unwrap_or_else(|| "unknown".to_owned()),
        runtime: component("runc").map(|found| found.version.clone()),
        rootless: says("name=rootless"),
        remapped: says("name=userns"),
        podman: component("Podman Engine").is_some(),
        images: Vec::new(),
    }
}

/// Removes the containers of ours whose node is gone.
async fn sweep(client: &Client, this: &Owner) -> Result<(), Error> {
    let ours = [("label", vec![MARK])].into();
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let found = client.list_containers(Some(options)).await.map_err(asking("listing containers"))?;
    for container in found {
        let running = container.state == Some(ContainerSummaryStateEnum::RUNNING);
        let labels = container.labels.unwrap_or_default();
        if let Some(id) = container.id
            && owner::is_left_over(&labels, running, this)
        {
            tracing::info!(id, "removing a container whose node is gone");
            remove(client, &id).await;
        }
    }
    Ok(())
}

/// Kills and removes a container; one that is gone, or just going, is what we want.
pub(super) async fn remove(client: &Client, id: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    if let Err(error) = client.remove_container(id, Some(options)).await {
        tracing::debug!(%error, id, "a container could not be removed, or went by itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::SystemVersionComponents;

    #[track_caller]
    fn check(components: &[(&str, &str)], options: &[&str], level: Level, podman: bool) {
        let component = |&(name, version): &(&str, &str)| SystemVersionComponents {
            name: name.into(),
            version: version.into(),
            ..SystemVersionComponents::default()
        };
        let version = SystemVersion {
            components: Some(components.iter().map(component).collect()),
            ..SystemVersion::default()
        };
        let system = SystemInfo {
            security_options: Some(options.iter().map(|&option| option.to_owned()).collect()),
            ..SystemInfo::default()
        };
        let seen = seen(&version, &system);
        assert_eq!((seen.level(), seen.podman), (level, podman), "{options:?}");
    }

    #[test]
    fn a_daemon_is_known_by_what_it_says() {
        check(&[("Engine", "20.10"), ("runc", "1.1.5")], &["name=seccomp,profile=default"], Level::D2, false);
        check(&[], &["name=seccomp,profile=default", "name=rootless", "name=cgroupns"], Level::D3, false);
        check(&[], &["name=userns"], Level::D3, false);
        check(
            &[("Podman Engine", "4.3.1")],
            &["name=seccomp,profile=default", "name=rootless"],
            Level::D3,
            true,
        );
        check(&[], &["name=apparmor,name=other"], Level::D2, false);
    }
}
