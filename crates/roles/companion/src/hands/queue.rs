//! The swarm: handing a request about the project to the queue, asking how it stands, taking what was proven.

use std::sync::Arc;

use edgecoder_agent::session::{ApprovalClass, shown};
use edgecoder_base::{BlobHash, Change, Patch, TaskId, Verifier};
use edgecoder_protocol::api::tasks::{SubmitTask, TaskView};
use edgecoder_workspace::project::Standing;
use edgecoder_workspace::{FreezeOptions, freeze};

use super::{Deed, Hands, Prepared};
use crate::TaskQueue;
use crate::error::blocking;

/// The task of that name.
pub(super) fn task_id(id: &str) -> Result<TaskId, String> {
    TaskId::new(id.to_owned()).map_err(|error| error.to_string())
}

impl Hands {
    fn queue(&self) -> Result<&Arc<dyn TaskQueue>, String> {
        self.inner.deps.tasks.as_ref().ok_or_else(|| "this node has no queue".to_owned())
    }

    pub(super) fn submission(&self, request: String, verify: Option<String>) -> Prepared {
        let tier = self.inner.config.tier;
        let proof = verify.as_deref().map(|command| format!(", proven by {}", shown::line(command)));
        let (request_line, proof) = (shown::line(&request), proof.unwrap_or_default());
        let title = format!("hand the project to the swarm (as far as {tier}): {request_line}{proof}");
        Prepared::of(ApprovalClass::Network, title, Deed::Submit { request, verify })
    }

    pub(super) async fn submit(&self, request: String, verify: Option<String>) -> Result<String, String> {
        let queue = Arc::clone(self.queue()?);
        let (root, blobs) = (self.root.clone(), Arc::clone(&self.inner.deps.blobs));
        let frozen = blocking(move || freeze(&root, &FreezeOptions::default(), &*blobs)).await;
        let frozen = frozen.map_err(|error| error.message)?.map_err(|error| error.to_string())?;
        let task = SubmitTask {
            snapshot: Some(frozen.hash),
            verifier: verify.map(Verifier::new),
            privacy: self.inner.config.tier,
            submitter: "companion".to_owned(),
            project: self.name().to_owned(),
            ..SubmitTask::new(request)
        };
        let view = queue.submit(task).await.map_err(|error| error.to_string())?;
        Ok(format!("{}\nAsk with task_status; take the result with apply_task.", told(&view)))
    }

    pub(super) async fn task_status(&self, id: TaskId) -> Result<String, String> {
        let view = self.queue()?.task(id).await.map_err(|error| error.to_string())?;
        Ok(told(&view))
    }

    /// The proven patches of a task as one, on the files as they are now.
    pub(super) async fn apply_task(&self, id: &str) -> Result<Prepared, String> {
        let id = task_id(id)?;
        let patches = self.queue()?.patches(id.clone()).await.map_err(|error| error.to_string())?;
        let mut whole = Patch::default();
        for change in patches.iter().flat_map(|patch| &patch.changes) {
            whole.set(&change.path, change.before, change.after.clone());
        }
        if whole.is_empty() {
            return Err(format!("{id} has no proven patch"));
        }
        let mut texts: Vec<(BlobHash, String)> = Vec::new();
        for change in whole.changes.iter().filter(|change| change.before.is_some()) {
            let at = self.path(&change.path)?;
            if let Standing::Text(file) = self.with_project(move |project| project.read(&at)).await? {
                texts.push((file.hash, file.text));
            }
        }
        let before = |change: &Change| {
            texts.iter().find(|(hash, _)| Some(*hash) == change.before).map(|(_, text)| text.clone())
        };
        Ok(Self::patching(&format!("apply {id}:"), whole, before))
    }
}

/// A task in a few words.
fn told(view: &TaskView) -> String {
    let mut told = vec![format!("{}: {}", view.id, view.state)];
    told.extend(view.reason.clone());
    told.extend(view.output.clone());
    if view.result.is_some() {
        told.push("it has a proven patch".to_owned());
    }
    told.join("\n")
}
