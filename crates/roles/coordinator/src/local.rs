//! The coordinator as a source of work for a worker in the same process: the same conversation as over HTTP,
//! without the wire.

use edgecoder_base::{BlobHash, NodeId};
use edgecoder_protocol::api::agents::{
    HeartbeatReply, HeartbeatRequest, PullReply, PullRequest, RegisterReply, RegisterRequest, ResultReply,
    ResultRequest,
};
use edgecoder_protocol::{WorkError, WorkSource};
use futures::future::BoxFuture;

use crate::{Caller, Handle, Trust};

/// One worker's view of the coordinator. Whoever holds it is believed to be that worker.
#[derive(Debug, Clone)]
pub struct LocalWorkSource {
    handle: Handle,
    caller: Caller,
}

impl Handle {
    /// A source of work for the worker `id`; the node's own when it has the node's id.
    pub fn local_source(&self, id: NodeId) -> LocalWorkSource {
        let own = id == *self.id();
        LocalWorkSource { handle: self.clone(), caller: Caller { id, own } }
    }
}

impl WorkSource for LocalWorkSource {
    fn register(&self, request: RegisterRequest) -> BoxFuture<'_, Result<RegisterReply, WorkError>> {
        Box::pin(
            async move { Ok(self.handle.register(request, Trust::MeshToken, Some(&self.caller)).await?) },
        )
    }

    fn heartbeat(&self, request: HeartbeatRequest) -> BoxFuture<'_, Result<HeartbeatReply, WorkError>> {
        Box::pin(async move { Ok(self.handle.heartbeat(&self.caller, request).await?) })
    }

    fn pull(&self, request: PullRequest) -> BoxFuture<'_, Result<PullReply, WorkError>> {
        Box::pin(async move { Ok(self.handle.pull(&self.caller, request).await?) })
    }

    fn result(&self, request: ResultRequest) -> BoxFuture<'_, Result<ResultReply, WorkError>> {
        Box::pin(async move { Ok(self.handle.result(&self.caller, request).await?) })
    }

    fn fetch_blob(&self, hash: BlobHash) -> BoxFuture<'_, Result<Vec<u8>, WorkError>> {
        Box::pin(async move { Ok(self.handle.blob(hash).await?) })
    }

    fn put_blob(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<BlobHash, WorkError>> {
        Box::pin(async move {
            let hash = BlobHash::of(&bytes);
            self.handle.put_blob(hash, bytes).await?;
            Ok(hash)
        })
    }
}
