//! Content comes in by its hash: first the tree, then what of it is not here yet.

use std::collections::BTreeSet;

use edgecoder_base::{BlobHash, Blobs, Manifest};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::agents::{DiagnosticEvent, DiagnosticsRequest, DiagnosticsView};
use edgecoder_protocol::api::snapshots::{SnapshotView, StoredBlobs};
use edgecoder_store::TaskFilter;
use edgecoder_store::reads::blobs_of;

use crate::sessions::MAX_DIAGNOSTICS;
use crate::{Caller, Error, Handle};

impl Handle {
    /// `POST /snapshots`: keeps the tree and names what is missing.
    pub async fn offer_snapshot(&self, manifest: Manifest) -> Result<SnapshotView, Error> {
        manifest.check().map_err(|error| Error::new(ErrorCode::UnsafeSnapshot, error.to_string()))?;
        if manifest.files.is_empty() {
            return Err(Error::new(ErrorCode::InvalidRequest, "the snapshot has no files"));
        }
        self.blocking("keeping the snapshot", move |blobs| {
            let snapshot = blobs.write(&manifest.to_bytes())?;
            let wanted: BTreeSet<BlobHash> = manifest.files.iter().map(|file| file.hash).collect();
            let missing = wanted.into_iter().filter(|hash| !blobs.contains(hash)).collect();
            Ok(SnapshotView { snapshot, missing, files: manifest.files.len() })
        })
        .await
    }

    /// `PUT /blobs/{hash}`: the content must have the hash that names it.
    pub async fn put_blob(&self, expected: BlobHash, bytes: Vec<u8>) -> Result<StoredBlobs, Error> {
        if BlobHash::of(&bytes) != expected {
            return Err(Error::new(ErrorCode::HashMismatch, "the content does not have this hash"));
        }
        self.put_blobs(vec![bytes]).await
    }

    /// Keeps blobs under their own hashes.
    pub async fn put_blobs(&self, blobs: Vec<Vec<u8>>) -> Result<StoredBlobs, Error> {
        self.blocking("keeping blobs", move |store| {
            let stored = blobs.iter().map(|bytes| store.write(bytes)).collect::<Result<_, _>>()?;
            Ok(StoredBlobs { stored })
        })
        .await
    }

    /// Removes blobs that no task refers to. Returns the bytes freed.
    pub async fn collect_garbage(&self) -> Result<u64, Error> {
        let mut keep = BTreeSet::new();
        let mut snapshots = BTreeSet::new();
        let mut after = None;
        loop {
            let page =
                self.inner.store.tasks(TaskFilter { state: None, after: after.take(), limit: 200 }).await?;
            for task in &page {
                keep.extend(blobs_of(task));
                keep.extend(task.receipt);
                snapshots.extend(task.spec.snapshot);
            }
            match page.last() {
                Some(last) => after = Some((last.created_at, last.id.clone())),
                None => break,
            }
        }
        let grace = self.inner.config.blob_grace;
        self.blocking("collecting garbage", move |blobs| {
            for snapshot in &snapshots {
                let manifest = Manifest::from_bytes(&blobs.read(snapshot)?)
                    .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
                keep.extend(manifest.files.iter().map(|file| file.hash));
            }
            blobs.collect_garbage(&keep, grace, std::time::SystemTime::now())
        })
        .await
    }

    /// `POST /agent/diagnostics`.
    pub fn add_diagnostics(&self, caller: &Caller, request: DiagnosticsRequest) -> Result<usize, Error> {
        if caller.id != request.agent_id {
            return Err(Error::new(
                ErrorCode::AgentIdMismatch,
                "the body names another agent than the signature",
            ));
        }
        let bad = |event: &DiagnosticEvent| event.message.is_empty() || event.message.chars().count() > 500;
        if request.events.len() > 40 || request.events.iter().any(bad) {
            let message = "events: at most 40, each message 1 to 500 characters";
            return Err(Error::new(ErrorCode::InvalidRequest, message));
        }
        let now = self.now();
        self.inner.sessions.saw(&caller.id, now);
        let lines: Vec<(i64, String)> = request
            .events
            .into_iter()
            .map(|event| (event.event_at_ms.unwrap_or_else(|| now.as_millis()), event.message))
            .collect();
        let stored = lines.len();
        self.inner.sessions.add_diagnostics(&caller.id, lines);
        Ok(stored)
    }

    /// `GET /agent/diagnostics/{agentId}`.
    pub fn diagnostics(&self, agent_id: edgecoder_base::NodeId) -> DiagnosticsView {
        let lines = self.inner.sessions.diagnostics(&agent_id);
        let events: Vec<DiagnosticEvent> = lines
            .into_iter()
            .take(MAX_DIAGNOSTICS)
            .map(|(at, message)| DiagnosticEvent { event_at_ms: Some(at), message })
            .collect();
        let latest_event_at_ms = events.iter().filter_map(|event| event.event_at_ms).max();
        DiagnosticsView { ok: true, agent_id, count: events.len(), events, latest_event_at_ms }
    }
}
