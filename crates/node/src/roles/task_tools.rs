//! What an agent may do with the queue through MCP, done as the command line does it: freeze, ask the coordinator's
//! door, apply. One implementation for the IDE door and for standard streams.

use std::path::{Path, PathBuf};

use edgecoder_base::{Scope, Secret, TaskId, Verifier};
use edgecoder_http::mcp::{Applied, Apply, Submit, Submitted, Tasks};
use edgecoder_net::{ApiClient, TaskQuery};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::tasks::{SubmitTask, TaskSummary, TaskView};
use edgecoder_workspace::patch::{ApplyMode, apply_to_directory};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::cli::Context;
use crate::error::{Error, chain};
use crate::home::Home;
use crate::working_directory::{freeze_on_disk, is_in_place, paths_of, together};

/// Tasks offered as resources.
const NEWEST: u32 = 50;

/// The tools' hands.
#[derive(Debug)]
pub(crate) struct TaskTools {
    data: Home,
    mesh_token: Option<Secret<String>>,
    coordinator: Option<String>,
    outgoing: PathBuf,
    /// Where relative paths start; without one they are refused: a door has no working directory that callers know.
    working: Option<PathBuf>,
}

impl TaskTools {
    pub(crate) fn new(
        context: &Context,
        mesh_token: Option<Secret<String>>,
        working: Option<PathBuf>,
    ) -> Self {
        Self {
            data: context.data.clone(),
            mesh_token,
            coordinator: context.coordinator.clone(),
            outgoing: context.outgoing(),
            working,
        }
    }

    /// Asked anew each time: the node may have been started again since, on another port.
    pub(crate) fn client(&self) -> Result<ApiClient, Error> {
        let url = match &self.coordinator {
            Some(url) => url.clone(),
            None => {
                let running = self.data.running()?;
                let door = running.and_then(|node| node.doors.get("coordinator").cloned());
                door.ok_or_else(|| Error::NoNode { path: self.data.path().to_owned() })?
            }
        };
        Ok(ApiClient::build(&url, self.mesh_token.clone())?)
    }

    /// The directory that was named, else the one that the server was started in.
    fn directory(&self, named: Option<&Path>) -> Result<PathBuf, Error> {
        let path = match (&self.working, named) {
            (_, Some(named)) if named.is_absolute() => named.to_owned(),
            (Some(working), Some(named)) => working.join(named),
            (Some(working), None) => working.clone(),
            (None, _) => return Err(Error::Usage("`repo` must be an absolute path".to_owned())),
        };
        // An empty snapshot of a misspelt path would be worked on for minutes.
        if path.is_dir() {
            Ok(path)
        } else {
            Err(Error::Usage(format!("{} is no directory", path.display())))
        }
    }

    async fn freeze_and_submit(&self, submit: Submit) -> Result<Submitted, Error> {
        let repo = self.directory(submit.repo.as_deref())?;
        let client = self.client()?;
        let (blobs, frozen) = freeze_on_disk(self.outgoing.clone(), &repo, Vec::new()).await?;
        let offered = client.offer_snapshot(&frozen.manifest).await?;
        client.upload(&offered.missing, blobs, |_| {}).await?;
        let timeout_ms = submit.verify_timeout_s * 1_000;
        let task = SubmitTask {
            snapshot: Some(offered.snapshot),
            verifier: submit.verify.map(|command| Verifier { command, timeout_ms }),
            scope: Scope {
                allow: submit.allow,
                allow_new_dependencies: submit.allow_dependencies,
                allow_test_changes: submit.allow_tests,
                ..Scope::default()
            },
            samples: submit.samples,
            split: submit.split,
            privacy: submit.privacy,
            model: submit.model,
            ..SubmitTask::new(submit.request)
        };
        let task = client.submit_once(&task, &format!("{:032x}", super::entropy())).await?;
        let left_out = frozen.omitted.iter().map(|one| format!("{} ({})", one.path, one.detail));
        Ok(Submitted { task, left_out: left_out.collect() })
    }

    async fn write(&self, apply: Apply) -> Result<Applied, Error> {
        let repo = self.directory(apply.repo.as_deref())?;
        let client = self.client()?;
        let task = client.task(&apply.id).await?;
        let patch = together(&client.patches(&apply.id).await?);
        if patch.is_empty() {
            return Err(Error::Usage(format!("task {} has no patch to apply", apply.id)));
        }
        let paths = paths_of(&patch).into_iter().map(str::to_owned).collect();
        if is_in_place(&repo, &patch) {
            return Ok(Applied { repo, paths, already: true });
        }
        let notes = task.result.map(|result| result.notes).unwrap_or_default();
        if !notes.is_empty() && !apply.accept_notes {
            let list: Vec<String> = notes.iter().map(ToString::to_string).collect();
            return Err(Error::Usage(format!(
                "the patch has {} review notes; show them to the user, then give `accept_notes`: {}",
                notes.len(),
                list.join("; ")
            )));
        }
        let writing = tokio::task::spawn_blocking(move || {
            apply_to_directory(&repo, &patch, ApplyMode::Write).map(|_| Applied {
                repo,
                paths,
                already: false,
            })
        });
        match writing.await {
            Ok(written) => Ok(written?),
            Err(panic) => Err(Error::Role(panic.to_string())),
        }
    }
}

impl Tasks for TaskTools {
    fn submit(&self, submit: Submit) -> BoxFuture<'_, Result<Submitted, edgecoder_http::Error>> {
        self.freeze_and_submit(submit).map(told).boxed()
    }

    fn task<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<TaskView, edgecoder_http::Error>> {
        async { Ok(self.client()?.task(id).await?) }.map(told).boxed()
    }

    fn newest(&self) -> BoxFuture<'_, Result<Vec<TaskSummary>, edgecoder_http::Error>> {
        let query = TaskQuery { limit: Some(NEWEST), ..TaskQuery::default() };
        async move { Ok(self.client()?.tasks(&query).await?.tasks) }.map(told).boxed()
    }

    fn diff<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<String, edgecoder_http::Error>> {
        async { Ok(self.client()?.diff(id).await?) }.map(told).boxed()
    }

    fn trace<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<String, edgecoder_http::Error>> {
        async { Ok(self.client()?.trace(id, None).await?) }.map(told).boxed()
    }

    fn cancel<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<TaskView, edgecoder_http::Error>> {
        async { Ok(self.client()?.cancel(id).await?) }.map(told).boxed()
    }

    fn apply(&self, apply: Apply) -> BoxFuture<'_, Result<Applied, edgecoder_http::Error>> {
        self.write(apply).map(told).boxed()
    }
}

/// An outcome as the caller may hear it. The caller is the machine's owner, who has the token.
fn told<T>(outcome: Result<T, Error>) -> Result<T, edgecoder_http::Error> {
    outcome.map_err(|error| {
        let code = code_of(&error);
        let refused = if let Error::Net(edgecoder_net::Error::Refused { message, .. }) = &error {
            Some(message.clone())
        } else {
            None
        };
        edgecoder_http::Error { code, message: refused.unwrap_or_else(|| chain(&error)) }
    })
}

fn code_of(error: &Error) -> ErrorCode {
    if let Error::Net(net) = error {
        return net.code().unwrap_or(ErrorCode::Internal);
    }
    if matches!(error, Error::Usage(_) | Error::Workspace(_)) {
        return ErrorCode::InvalidRequest;
    }
    if matches!(error, Error::NoNode { .. }) { ErrorCode::ShuttingDown } else { ErrorCode::Internal }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(working: Option<PathBuf>, data: &Path) -> TaskTools {
        TaskTools {
            data: Home::new(data),
            mesh_token: None,
            coordinator: None,
            outgoing: data.join("outgoing"),
            working,
        }
    }

    #[test]
    fn relative_paths_need_somewhere_to_start() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("sub")).unwrap();
        let start = Some(place.path().to_owned());
        let check = |working: &Option<PathBuf>, named: Option<&str>, expected: Result<&str, &str>| {
            let found = tools(working.clone(), place.path()).directory(named.map(Path::new));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, place.path().join(expected)),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{named:?}: {found:?}"),
            }
        };
        check(&start, None, Ok(""));
        check(&start, Some("sub"), Ok("sub"));
        check(&start, Some("absent"), Err("no directory"));
        check(&None, None, Err("absolute"));
        check(&None, Some("sub"), Err("absolute"));
        check(&None, place.path().to_str(), Ok(""));
    }

    #[tokio::test]
    async fn without_a_node_the_caller_is_told_how_to_start_one() {
        let place = tempfile::tempdir().unwrap();
        let tools = tools(None, place.path());
        let error = tools.task(&TaskId::new("task_1").unwrap()).await.unwrap_err();
        assert!(error.message.contains("edgecoder up"), "{error}");
    }
}
