//! `edgecoder task "<request>"`: freeze, submit, follow.

use std::path::{Path, PathBuf};

use clap::Args;
use edgecoder_base::{PrivacyTier, Scope, Verifier};
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use edgecoder_protocol::work::HiddenVerifier;
use serde_json::json;

use super::Context;
use super::follow::follow;
use super::freeze::freeze_and_upload;
use super::session::{Need, with_client};
use crate::error::{Error, Exit};
use crate::output::Style;

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the command line")]
pub(crate) struct SubmitArgs {
    /// What you want
    #[arg(required = true)]
    pub(crate) request: Option<String>,
    /// The repository it is about
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// Command that exits with 0 when the work is right
    #[arg(long, value_name = "CMD")]
    pub(crate) verify: Option<String>,
    /// Seconds that command may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) verify_timeout: u64,
    /// File that only the origin sees, laid into the clean copy when a candidate is judged
    #[arg(long, value_name = "FILE")]
    pub(crate) hidden_verify: Option<PathBuf>,
    /// Command for the hidden file [default: that of --verify]
    #[arg(long, value_name = "CMD", requires = "hidden_verify")]
    pub(crate) hidden_command: Option<String>,
    /// Where the hidden file is laid, relative to the repository [default: its own name]
    #[arg(long, value_name = "PATH", requires = "hidden_verify")]
    pub(crate) hidden_path: Option<String>,
    /// Attempts to make side by side
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) samples: u8,
    /// Paths a patch may touch; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow: Vec<String>,
    /// Let a patch change tests and their configuration
    #[arg(long)]
    pub(crate) allow_tests: bool,
    /// Let a patch change manifests and lock files of package managers
    #[arg(long)]
    pub(crate) allow_dependencies: bool,
    /// Paths whose secrets may be part of the snapshot (test keys); may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow_secret: Vec<String>,
    /// Where the content may go: local, devices, invited or public
    #[arg(long, value_name = "TIER", default_value = "devices")]
    pub(crate) privacy: PrivacyTier,
    /// 0 to 100; higher goes first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) priority: u8,
    /// Model that must do the work
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Ask for a split into subtasks
    #[arg(long)]
    pub(crate) split: bool,
    /// Stay and show what happens (the default)
    #[arg(long, conflicts_with_all = ["detach", "json"])]
    pub(crate) follow: bool,
    /// Print events and the result as JSON, one value a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Submit, print the task's id, and leave
    #[arg(long)]
    pub(crate) detach: bool,
}

pub(super) async fn run(context: &Context, args: SubmitArgs) -> Result<Exit, Error> {
    // What nobody waits for is written down, and done by the next node.
    let need = if args.detach { Need::Queue } else { Need::Work };
    with_client(context, need, async |client| submit_and_follow(context, client, &args).await).await
}

async fn submit_and_follow(context: &Context, client: &ApiClient, args: &SubmitArgs) -> Result<Exit, Error> {
    let task = submit(context, client, args).await?;
    let out = context.out;
    if args.detach {
        if args.json {
            out.line(json!({ "task": task }))
        } else {
            out.line(&task.id)
        }
        return Ok(Exit::Done);
    }
    if !args.json {
        out.note(out.paint(Style::Strong, &task.id));
    }
    follow(context, client, &task.id, args.json).await
}

async fn submit(context: &Context, client: &ApiClient, args: &SubmitArgs) -> Result<TaskView, Error> {
    let hidden = hidden_verifier(client, args).await?;
    let snapshot = freeze_and_upload(context, client, args).await?;
    let task = SubmitTask {
        snapshot: Some(snapshot),
        verifier: args.verify.as_ref().map(|command| verifier(command, args)),
        hidden,
        scope: Scope {
            allow: args.allow.clone(),
            allow_new_dependencies: args.allow_dependencies,
            allow_test_changes: args.allow_tests,
            ..Scope::default()
        },
        samples: args.samples,
        split: args.split,
        priority: args.priority,
        privacy: args.privacy,
        model: args.model.clone(),
        ..SubmitTask::new(args.request.clone().unwrap_or_default())
    };
    let mut key = [0_u8; 16];
    getrandom::fill(&mut key).map_err(Error::Entropy)?;
    Ok(client.submit_once(&task, &hex::encode(key)).await?)
}

fn verifier(command: &str, args: &SubmitArgs) -> Verifier {
    Verifier { command: command.to_owned(), timeout_ms: args.verify_timeout * 1_000 }
}

async fn hidden_verifier(client: &ApiClient, args: &SubmitArgs) -> Result<Option<HiddenVerifier>, Error> {
    let Some(file) = &args.hidden_verify else { return Ok(None) };
    let Some(command) = args.hidden_command.as_ref().or(args.verify.as_ref()) else {
        return Err(Error::Usage("--hidden-verify needs --hidden-command, or --verify to run it".to_owned()));
    };
    let bytes = std::fs::read(file).map_err(Error::io("read", file))?;
    let path = args.hidden_path.clone().or_else(|| name_of(file));
    let Some(path) = path.filter(|path| edgecoder_base::snapshot::is_safe_path(path)) else {
        return Err(Error::Usage("--hidden-path must be a relative path below the repository".to_owned()));
    };
    Ok(Some(HiddenVerifier { file: client.put_blob(bytes).await?, path, verifier: verifier(command, args) }))
}

fn name_of(file: &Path) -> Option<String> {
    Some(file.file_name()?.to_str()?.to_owned())
}
