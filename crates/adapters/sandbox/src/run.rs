//! The sandbox as its callers see it: probe once, run jobs.

use std::path::PathBuf;

use edgecoder_base::Level;
#[cfg(unix)]
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Mode};
use crate::error::Error;
use crate::execution::{Job, Report};
use crate::fault::Fault;
use crate::launch::{HostLaunch, Layers, launcher};
use crate::shown::{Traffic, Workshop};

#[cfg(target_os = "linux")]
mod gate;
#[cfg(target_os = "linux")]
mod process;
#[cfg(unix)]
mod scratch;

/// Tries what a payload must not be able to do; any success ends it with a status that names the breach.
#[cfg(target_os = "linux")]
const CANARY: &str = r#"
[ "$(id -u)" != 0 ] || exit 11
( echo x >/usr/.canary ) 2>/dev/null && exit 12
[ ! -e /etc/shadow ] || exit 13
[ ! -e "$CANARY_TREE" ] || exit 14
( echo x >.canary && rm .canary ) || exit 15
[ "$(env | grep -c ^SECRET_)" = 0 ] || exit 16
echo contained
"#;
/// The same where the payload has no root of its own: what lies outside its copy can be named, but not opened.
#[cfg(not(target_os = "linux"))]
const CANARY: &str = r#"
[ "$(id -u)" != 0 ] || exit 11
( echo x >"$CANARY_TREE/.canary" ) 2>/dev/null && exit 12
( cat "$CANARY_TREE/witness" ) 2>/dev/null && exit 14
( echo x >.canary && rm .canary ) || exit 15
[ "$(env | grep -c ^SECRET_)" = 0 ] || exit 16
echo contained
"#;

/// What the sandbox can do on this machine, found by a run through the real launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The level measured; none when jobs will be refused.
    pub level: Option<Level>,
    /// What is weaker than it should be.
    pub degraded: Vec<String>,
    /// Why jobs will be refused, or run unconfined.
    pub reason: Option<String>,
    /// The layers of the canary's run, one by one; none without one, or unconfined.
    pub layers: Option<Layers>,
}

/// Runs jobs under one configuration.
#[derive(Debug, Clone)]
pub struct Sandbox {
    config: Config,
    launcher: PathBuf,
    faults: Vec<Fault>,
    /// Whose executions these are, where somebody said so.
    attempt: Option<String>,
    #[cfg(target_os = "linux")]
    docker: Option<std::sync::Arc<crate::docker::Docker>>,
}

impl Sandbox {
    /// Checks that the mode exists here. Building the layers is left to the probe and the runs.
    pub fn new(config: Config) -> Result<Self, Error> {
        let here = match config.mode {
            Mode::Process => cfg!(any(target_os = "linux", target_os = "macos")),
            Mode::Docker => cfg!(target_os = "linux"),
            Mode::None => cfg!(unix),
        };
        if !here {
            return Err(Error::Unsupported);
        }
        let launcher = launcher(&config, std::env::current_exe().ok().as_deref());
        #[cfg(target_os = "linux")]
        if config.mode == Mode::Process {
            crate::jail::sweep();
        }
        #[cfg(target_os = "linux")]
        let docker = match config.mode {
            Mode::Docker => Some(crate::docker::Docker::new(config.docker.clone(), config.node.clone())?),
            Mode::Process | Mode::None => None,
        };
        Ok(Self {
            config,
            launcher,
            faults: Vec::new(),
            attempt: None,
            #[cfg(target_os = "linux")]
            docker,
        })
    }

    /// The same sandbox on a host where these layers fail; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_faults(self, faults: impl Into<Vec<Fault>>) -> Self {
        Self { faults: faults.into(), ..self }
    }

    /// The same sandbox for the executions of `attempt`: what it leaves behind in a crash can be told by that name.
    #[must_use]
    pub fn for_attempt(&self, attempt: impl Into<String>) -> Self {
        Self { attempt: Some(attempt.into()), ..self.clone() }
    }

    /// The mode configured.
    pub fn mode(&self) -> Mode {
        self.config.mode
    }

    /// Runs a canary through the real launcher and reports what held.
    pub async fn probe(&self) -> Probe {
        match self.canary().await {
            Ok(report) => Probe {
                level: Some(report.level),
                reason: None,
                degraded: report.degraded,
                layers: report.layers,
            },
            Err(error) => {
                tracing::warn!(%error, "the sandbox canary failed");
                Probe { level: None, degraded: Vec::new(), reason: Some(error.to_string()), layers: None }
            }
        }
    }

    /// Runs `job` to its end. Cancelling kills it at once and gives [`Error::Cancelled`]; dropping the
    /// future kills it too.
    pub async fn run(&self, job: Job, cancel: CancellationToken) -> Result<Report, Error> {
        if !job.shown.is_empty() {
            self.can_hold_capsules()?;
        }
        match self.config.mode {
            #[cfg(unix)]
            Mode::None => self.unconfined(&job, &cancel).await,
            // `sandbox-exec` is part of the system, so nothing stands in for it.
            #[cfg(target_os = "macos")]
            Mode::Process => scratch::run(HostLaunch::seatbelt, &self.config, &job, &cancel).await,
            #[cfg(target_os = "linux")]
            Mode::Process => match process::run(self, &job, None, &cancel).await {
                Err(Error::Unavailable { reason, .. }) if !self.config.required && job.shown.is_empty() => {
                    tracing::warn!(%reason, "running unconfined because the sandbox is not required");
                    let mut report = self.unconfined(&job, &cancel).await?;
                    report.degraded.push(format!("sandbox: {reason}"));
                    Ok(report)
                }
                other => other,
            },
            // Never anything else in its place: whoever chose a container may have nothing else.
            #[cfg(target_os = "linux")]
            Mode::Docker => match &self.docker {
                // Apart: a conversation with a daemon is many times what the other modes hold while they wait.
                Some(docker) => {
                    Box::pin(crate::docker::run(docker, &self.config, &job, self.attempt.as_deref(), &cancel))
                        .await
                }
                None => Err(Error::Unsupported),
            },
            #[cfg(not(target_os = "linux"))]
            _ => {
                let _unused = (job, cancel);
                Err(Error::Unsupported)
            }
        }
    }

    /// Runs `job` in a workshop: it may write below [`PLACE`](crate::PLACE), which is gone with the run like all else,
    /// and it reaches the hosts of `workshop` by the proxy at [`GATE_PORT`](crate::GATE_PORT). Only mode `process` has
    /// such a gate, and nothing stands in for it.
    pub async fn run_in_workshop(
        &self,
        job: Job,
        workshop: &Workshop,
        cancel: CancellationToken,
    ) -> Result<(Report, Traffic), Error> {
        self.can_hold_capsules()?;
        if !job.shown.is_empty() {
            return Err(Error::InvalidJob("a workshop is shown no capsules".to_owned()));
        }
        #[cfg(target_os = "linux")]
        {
            let meter = gate::Meter::default();
            let report = process::run(self, &job, Some((workshop, &meter)), &cancel).await?;
            let traffic = meter.lock().clone();
            Ok((report, traffic))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _unused = (workshop, cancel);
            Err(Error::Unsupported)
        }
    }

    /// Starts `job` as somebody to talk with: the stream is the command's input and output. The future is its end, as
    /// of [`run`](Self::run), and must be polled; cancelling or dropping it kills the command. Only mode `process` has
    /// such conversations, and nothing stands in for it.
    #[cfg(unix)]
    pub fn converse(
        &self,
        job: &Job,
        cancel: CancellationToken,
    ) -> Result<(tokio::net::UnixStream, BoxFuture<'static, Result<Report, Error>>), Error> {
        #[cfg(target_os = "linux")]
        if self.config.mode == Mode::Process {
            return process::converse(self, job, cancel);
        }
        let _unused = (job, cancel);
        Err(Error::Unavailable {
            reason: "a command can be talked with in mode `process` only".to_owned(),
            fix: "set sandbox mode `process` on Linux",
        })
    }

    /// Whether capsules can be built and shown here, or why not: both need a root of the run's own, and in mode `docker`
    /// that is an image's.
    pub fn can_hold_capsules(&self) -> Result<(), Error> {
        if self.config.mode == Mode::Process && cfg!(target_os = "linux") {
            return Ok(());
        }
        Err(Error::Unavailable {
            reason: "capsules are built and shown in mode `process` only".to_owned(),
            fix: "set sandbox mode `process` on Linux, or use no capsule",
        })
    }

    /// Only for work that asks for no confinement: whoever submitted it may have said otherwise.
    #[cfg(unix)]
    async fn unconfined(&self, job: &Job, cancel: &CancellationToken) -> Result<Report, Error> {
        scratch::run(HostLaunch::unconfined, &self.config, job, cancel).await
    }

    async fn canary(&self) -> Result<Report, Error> {
        let tree = tempfile::tempdir().map_err(Error::Scratch)?;
        let mut job = Job::new(tree.path(), "echo contained");
        if self.config.mode != Mode::None {
            std::fs::write(tree.path().join("witness"), "").map_err(Error::Scratch)?;
            job.command = CANARY.into();
            job.env.insert("CANARY_TREE".into(), tree.path().display().to_string());
        }
        let report = self.run(job, CancellationToken::new()).await?;
        let confined = self.config.mode != Mode::None && report.level > Level::S0;
        if confined && report.stdout.head != b"contained\n" {
            return Err(Error::Unavailable {
                reason: format!("the canary was not contained: {:?} {}", report.exit, report.stderr.text()),
                fix: "report this machine's kernel version; jobs are refused meanwhile",
            });
        }
        Ok(report)
    }
}
