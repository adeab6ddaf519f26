//! Serves a door on a listener: bounded connections, bounded slowness, and an end that nobody can delay.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use edgecoder_protocol::ErrorCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::extract::Closing;
use crate::patience::Patient;

/// Connections at a time; more wait in the system's backlog. Each costs a few KiB while it waits, and every
/// worker keeps two open.
const MAX_CONNECTIONS: usize = 1024;
/// A head that takes longer is an attack; a kept-alive connection that is silent for longer is closed. Workers
/// and clients drop theirs earlier or use them more often.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// Largest request head; also bounds the read buffer of a connection.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Whoever takes nothing for so long, although there is something to be taken, is hung up on.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// What is being answered when the door closes may be finished within this time.
const GRACE: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection for its own reasons (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// So many refusals in a row, ten seconds of them, mean that the listener is gone.
const MAX_ACCEPT_FAILURES: u32 = 100;

/// Serves until `shutdown`: then no connection is accepted, whoever waits for news is sent home at once, and
/// answers in the making have a few seconds.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> Result<(), Error> {
    let router = router.layer(axum::Extension(Closing(shutdown.clone())));
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                failures = 0;
                let (router, shutdown) = (router.clone(), shutdown.clone());
                connections.spawn(async move {
                    connection(stream, router, shutdown).await;
                    drop(slot);
                });
            }
            // That caller is gone; the next one is not.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "accepting a connection failed");
                if failures >= MAX_ACCEPT_FAILURES {
                    return Err(Error::new(ErrorCode::Internal, format!("the door accepts nobody: {error}")));
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all_done = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_done).await.is_err() {
        tracing::warn!("some answers were not finished when the door closed");
    }
    Ok(())
}

type Slot = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> std::io::Result<(TcpStream, Slot)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    // Answers are small and waited for: never hold them back to fill a packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection holds small packets back");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream, TAKEN_WITHIN)), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
