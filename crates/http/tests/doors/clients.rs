//! Our own clients at our own doors, over real sockets: both sides mean the same.

use std::net::SocketAddr;
use std::sync::Arc;

use edgecoder_base::{BlobHash, NodeKey, Secret};
use edgecoder_http::serve;
use edgecoder_net::{ApiClient, HttpWorkSource, Signer};
use edgecoder_protocol::api::agents::{PullRequest, RegisterRequest, ResultRequest};
use edgecoder_protocol::api::tasks::SubmitTask;
use edgecoder_protocol::{ErrorCode, WorkError, WorkSource};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{MESH, Node, Worker, now, unique};

async fn with_door<F: Future<Output = ()>>(node: &Node, talk: impl FnOnce(SocketAddr) -> F) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = serve(listener, node.router.clone(), shutdown.clone());
    let talking = async {
        talk(address).await;
        shutdown.cancel();
    };
    tokio::join!(serving, talking).0.unwrap();
}

fn source(address: SocketAddr, worker: &Worker, seed: u8, token: &str) -> HttpWorkSource {
    let signer = Signer {
        key: Arc::new(NodeKey::from_seed(&[seed; 32])),
        agent_id: worker.id.clone(),
        clock: now,
        entropy: || u128::from(unique()),
    };
    HttpWorkSource::build(&format!("http://{address}"), signer, Some(Secret::new(token.to_owned()))).unwrap()
}

#[tokio::test]
async fn a_worker_and_a_person_meet_at_the_door() {
    let node = Node::start().await;
    let worker = Worker::new(1);
    with_door(&node, async |address| {
        let source = source(address, &worker, 1, MESH);
        let person =
            ApiClient::build(&format!("http://{address}"), Some(Secret::new(MESH.to_owned()))).unwrap();
        let request: RegisterRequest = serde_json::from_value(worker.registration()).unwrap();
        assert!(source.register(request.clone()).await.unwrap().accepted);
        assert!(source.register(request).await.unwrap().accepted);
        let task = SubmitTask::new("say hello");
        let task = person.submit(&task, Some("key")).await.unwrap();
        let pull = PullRequest { agent_id: worker.id.clone(), wait_ms: 30_000 };
        let work = source.pull(pull).await.unwrap().work.unwrap();
        assert_eq!(work.task, task.id);
        let hash = source.put_blob(b"trace".to_vec()).await.unwrap();
        assert_eq!(source.fetch_blob(hash).await.unwrap(), b"trace");
        assert_eq!(person.blob(&hash).await.unwrap(), b"trace");
        let report = json!({"outcome": {"outcome": "answer", "ok": true, "output": "hello"}, "trace": hash});
        let result: ResultRequest = serde_json::from_value(json!({
            "subtaskId": work.subtask, "taskId": work.task, "agentId": worker.id, "attempt": work.attempt,
            "epoch": work.epoch, "report": report,
        }))
        .unwrap();
        source.result(result).await.unwrap();
        let mut events = person.events(&task.id, None);
        let mut last = None;
        while let Some(event) = events.next().await.unwrap() {
            last = Some(event.sequence);
        }
        assert!(last.is_some());
        assert_eq!(person.task(&task.id).await.unwrap().output.as_deref(), Some("hello"));
        assert_eq!(person.trace(&task.id, None).await.unwrap(), "trace");
    })
    .await;
}

#[tokio::test]
async fn refusals_reach_the_client_as_what_they_are() {
    let node = Node::start().await;
    let worker = Worker::new(1);
    with_door(&node, async |address| {
        let source = source(address, &worker, 1, "wrong");
        let request: RegisterRequest = serde_json::from_value(worker.registration()).unwrap();
        let refusal = source.register(request).await.unwrap_err();
        assert!(matches!(refusal, WorkError::Refused { code: ErrorCode::MeshUnauthorized, .. }), "{refusal}");
        let refusal = source.fetch_blob(BlobHash::of(b"")).await.unwrap_err();
        assert!(
            matches!(refusal, WorkError::Refused { code: ErrorCode::AgentNotRegistered, .. }),
            "{refusal}"
        );
    })
    .await;
}
