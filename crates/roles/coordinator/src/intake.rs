//! Submission: what is asked becomes a task, whole and durable, or is refused at once with the reason.

use edgecoder_base::{AttemptLimits, Blobs, Manifest, Scope, TaskId};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::inference::DecomposeRequest;
use edgecoder_protocol::api::tasks::{SubmitPrompt, SubmitTask, SubmittedPrompt, TaskView};
use edgecoder_store::IdempotencyKey;
use edgecoder_tasks::{Plan, PlannedSubtask, Spec, Task, eligibility};

use crate::enrolment::profile_of;
use crate::{Error, Handle, view};

impl Handle {
    /// `POST /tasks`.
    pub async fn submit(
        &self,
        request: SubmitTask,
        idempotency_key: Option<String>,
    ) -> Result<TaskView, Error> {
        let key = idempotency_key.map(|key| self.key_for(key, &request)).transpose()?;
        let id = match &request.id {
            Some(id) => id.clone(),
            None => TaskId::made_at(self.now(), (self.inner.entropy)()),
        };
        self.snapshot_is_complete(&request).await?;
        let split = request.split;
        let language = request.language.clone();
        let spec = self.spec(request);
        // The rules look first: nobody is asked to split what would be refused.
        spec.check()?;
        let plan = if split { self.split(&id, &spec, language).await? } else { Plan::single(&spec.request) };
        let task = Task::submit(id, spec, plan, self.now())?;
        self.somebody_can(&task).await?;
        let (task, new) = self.inner.store.create(task, key).await?;
        if new {
            tracing::info!(task = %task.id, subtasks = task.subtasks.len(), "task accepted");
        }
        // A new task has no outputs: nothing is read to find none.
        let outputs = if new { Vec::new() } else { self.inner.store.outputs(&task.id).await? };
        Ok(view::task(&task, &outputs))
    }

    /// `POST /submit`: prompts without a repository, in the published shape.
    pub async fn submit_prompt(&self, request: SubmitPrompt) -> Result<SubmittedPrompt, Error> {
        let mut parts: Vec<PlannedSubtask> = Vec::new();
        for part in &request.subtasks {
            parts.push(PlannedSubtask { request: part.prompt.clone(), ..PlannedSubtask::default() });
        }
        let plan = if parts.is_empty() { Plan::single(&request.prompt) } else { Plan::new(parts)? };
        let spec = Spec {
            request: request.prompt,
            snapshot: None,
            verifier: None,
            hidden: None,
            scope: Scope::default(),
            samples: 1,
            priority: request.priority,
            privacy: edgecoder_base::PrivacyTier::default(),
            limits: AttemptLimits::default(),
            min_level: self.inner.config.min_level,
            model: request.requested_model,
            escalation_model: None,
            language: request.language,
            submitter: request.submitter_account_id,
            project: request.project_id,
        };
        let task = Task::submit(request.task_id, spec, plan, self.now())?;
        let (task, _) = self.inner.store.create(task, None).await?;
        let subtasks = (0..task.subtasks.len()).filter(|index| !task.subtasks[*index].integrates);
        Ok(SubmittedPrompt {
            subtasks: subtasks.map(|index| task.id.subtask(index)).collect(),
            task_id: task.id,
        })
    }

    fn spec(&self, request: SubmitTask) -> Spec {
        Spec {
            request: request.request,
            snapshot: request.snapshot,
            verifier: request.verifier,
            hidden: request.hidden,
            scope: request.scope,
            samples: request.samples,
            priority: request.priority,
            privacy: request.privacy,
            limits: request.limits,
            min_level: request.min_level.unwrap_or(self.inner.config.min_level),
            model: request.model,
            escalation_model: self.inner.config.escalation_model.clone(),
            language: request.language,
            submitter: request.submitter,
            project: request.project,
        }
    }

    fn key_for(&self, key: String, request: &SubmitTask) -> Result<IdempotencyKey, Error> {
        if key.is_empty() || key.len() > 200 {
            return Err(Error::new(ErrorCode::InvalidRequest, "Idempotency-Key: 1 to 200 characters"));
        }
        let body = serde_json::to_vec(request).map_err(|error| {
            Error::new(ErrorCode::Internal, format!("the request cannot be hashed: {error}"))
        })?;
        let fingerprint = edgecoder_base::hash::sha256_hex(&body);
        Ok(IdempotencyKey { key: format!("{}/{key}", request.submitter), fingerprint })
    }

    /// A task is only accepted over content that is all here.
    async fn snapshot_is_complete(&self, request: &SubmitTask) -> Result<(), Error> {
        let Some(snapshot) = request.snapshot else { return Ok(()) };
        let hidden = request.hidden.as_ref().map(|hidden| hidden.file);
        let missing = self
            .blocking("reading the snapshot", move |blobs| {
                if !blobs.contains(&snapshot) {
                    return Ok(Some("the snapshot itself is".to_owned()));
                }
                let manifest = Manifest::from_bytes(&blobs.read(&snapshot)?)
                    .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
                let files = manifest.files.iter().map(|file| file.hash).chain(hidden);
                let missing = files.filter(|hash| !blobs.contains(hash)).count();
                Ok((missing > 0).then(|| format!("{missing} of its blobs are")))
            })
            .await?;
        match missing {
            None => Ok(()),
            Some(what) => Err(Error::new(
                ErrorCode::SnapshotIncomplete,
                format!("{what} missing: upload before submitting"),
            )),
        }
    }

    async fn split(&self, id: &TaskId, spec: &Spec, language: Option<String>) -> Result<Plan, Error> {
        let Some(decomposer) = &self.inner.decomposer else {
            return Ok(Plan::unsplit(
                &spec.request,
                "this coordinator has nobody to split requests".to_owned(),
            ));
        };
        let request = DecomposeRequest {
            task_id: id.clone(),
            prompt: spec.request.clone(),
            snapshot_ref: spec.snapshot.map(|hash| hash.to_string()),
            language: language.unwrap_or_else(|| "python".to_owned()),
            scope: Some(spec.scope.clone()),
            verifier: spec.verifier.clone(),
        };
        let reply = decomposer.decompose(request).await.map_err(|error| {
            tracing::warn!(%error, "decompose failed");
            Error::new(
                ErrorCode::InferenceServiceUnavailable,
                "the request could not be split; nothing was stored",
            )
        })?;
        if let Some(why) = reply.fallback {
            return Ok(Plan::unsplit(&spec.request, why));
        }
        let parts = reply.subtasks.into_iter().map(|part| PlannedSubtask {
            request: part.input,
            depends_on: part.depends_on,
            scope: part.scope,
            ..PlannedSubtask::default()
        });
        // A plan is never trusted further than its shape.
        Ok(Plan::new(parts.collect()).unwrap_or_else(|no| Plan::unsplit(&spec.request, no.to_string())))
    }

    /// Refuses what no connected worker could ever run, naming what stands in the way. Without any worker
    /// connected the task waits for one.
    async fn somebody_can(&self, task: &Task) -> Result<(), Error> {
        let connected = self.inner.sessions.connected(self.now());
        let Some(row) = task.queue_rows().into_iter().next() else { return Ok(()) };
        let mut reasons = Vec::new();
        for id in connected {
            let Some(node) = self.inner.store.node(&id).await? else { continue };
            match eligibility::eligible(&row, &profile_of(&node, id == self.inner.id)) {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(format!("{id}: {reason}")),
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::NoEligibleWorker,
            format!("no worker can run this: {}", reasons.join("; ")),
        ))
    }
}
