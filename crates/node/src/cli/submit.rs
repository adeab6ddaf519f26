//! `edgecoder task "<request>"`: freeze, submit, follow.

use std::path::Path;

use edgecoder_base::{AttemptLimits, Scope, Verifier};
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use edgecoder_protocol::work::HiddenVerifier;
use serde_json::json;

use super::follow::follow;
use super::freeze::freeze_and_upload;
use super::session::{Need, with_client};
use super::{Context, SubmitArgs};
use crate::error::{Error, Exit};
use crate::output::Style;

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
        id: None,
        request: args.request.clone().unwrap_or_default(),
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
        limits: AttemptLimits::default(),
        min_level: None,
        model: args.model.clone(),
        language: None,
        submitter: "anonymous".to_owned(),
        project: "default".to_owned(),
    };
    // Should the answer be lost, the same call again makes no second task.
    let mut key = [0_u8; 16];
    getrandom::fill(&mut key).map_err(Error::Entropy)?;
    let key = hex::encode(key);
    match client.submit(&task, Some(&key)).await {
        Err(error) if error.is_retryable() => Ok(client.submit(&task, Some(&key)).await?),
        other => Ok(other?),
    }
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
