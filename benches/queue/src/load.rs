//! The load, the same for every way to our queue: closed loops of submit, pull and result, and workers that
//! wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use edgecoder_base::TaskId;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Place};
use crate::entropy;
use crate::figures::percentile;

/// Before counting: connections are open, caches are warm.
const WARM_UP: Duration = Duration::from_millis(500);
/// Longer than any queue here keeps a worker waiting.
const WAIT_MS: u64 = 5_000;
/// Between two dispatches: everybody is waiting again.
const PAUSE: Duration = Duration::from_millis(2);

/// How hard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) seconds: u64,
    pub(crate) samples: usize,
    pub(crate) payload: usize,
}

/// Half of all dispatches took no longer than `p50` milliseconds, and 99 of 100 no longer than `p99`.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Dispatch {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

pub(crate) async fn join_all(place: &Place, count: usize) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::join(place).await?);
    }
    Ok(clients)
}

async fn all<T: 'static>(mut running: JoinSet<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let mut results = Vec::new();
    while let Some(ended) = running.join_next().await {
        results.push(ended.context("a client panicked")??);
    }
    Ok(results)
}

/// Tasks that went all the way in a second. Gives the clients back.
pub(crate) async fn cycles(clients: Vec<Client>, load: Load) -> anyhow::Result<(f64, Vec<Client>)> {
    let (warm, end) =
        (Instant::now() + WARM_UP, Instant::now() + WARM_UP + Duration::from_secs(load.seconds));
    let mut running = JoinSet::new();
    for mut client in clients {
        running.spawn(async move {
            let text = "x".repeat(load.payload);
            let mut done = 0_u32;
            loop {
                cycle(&mut client, &text).await?;
                let at = Instant::now();
                if at >= end {
                    return Ok((done, client));
                }
                done += u32::from(at >= warm);
            }
        });
    }
    let (counts, clients): (Vec<u32>, Vec<Client>) = all(running).await?.into_iter().unzip();
    let seconds = Duration::from_secs(load.seconds).as_secs_f64();
    Ok((f64::from(counts.iter().sum::<u32>()) / seconds, clients))
}

/// `count` cycles in all, however long they take.
pub(crate) async fn some_cycles(
    clients: Vec<Client>,
    count: usize,
    payload: usize,
) -> anyhow::Result<Vec<Client>> {
    let each = count / clients.len();
    let mut running = JoinSet::new();
    for mut client in clients {
        running.spawn(async move {
            let text = "x".repeat(payload);
            for _ in 0..each {
                cycle(&mut client, &text).await?;
            }
            Ok(client)
        });
    }
    all(running).await
}

async fn cycle(client: &mut Client, text: &str) -> anyhow::Result<()> {
    client.submit(text).await?;
    let work = client.pull(WAIT_MS).await?.context("a pull found nothing in a queue that has work")?;
    client.result(&work, text.to_owned()).await
}

/// Submits `count` tasks that nobody takes.
pub(crate) async fn fill(clients: Vec<Client>, count: usize, load: Load) -> anyhow::Result<Vec<Client>> {
    let stride = clients.len();
    let mut running = JoinSet::new();
    for (place, mut client) in clients.into_iter().enumerate() {
        running.spawn(async move {
            let text = "x".repeat(load.payload);
            for _ in (place..count).step_by(stride) {
                client.submit(&text).await?;
            }
            Ok(client)
        });
    }
    all(running).await
}

/// From before a submission until one of the waiting workers has it in hand. The queue must be empty.
pub(crate) async fn dispatch(place: &Place, load: Load) -> anyhow::Result<Dispatch> {
    let started: Arc<Mutex<BTreeMap<TaskId, Instant>>> = Arc::default();
    let (done, mut finished) = mpsc::channel(load.clients);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for mut client in join_all(place, load.clients).await? {
        let (started, done, stop) = (Arc::clone(&started), done.clone(), stop.clone());
        running.spawn(async move {
            loop {
                let work = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    work = client.pull(WAIT_MS) => work?,
                };
                let Some(work) = work else { continue };
                let waited = started.lock().remove(&work.task).map(|start| start.elapsed());
                client.result(&work, String::new()).await?;
                done.send(waited.context("a task that nobody submitted")?).await?;
            }
        });
    }
    let mut submitter = Client::join(place).await?;
    tokio::time::sleep(WARM_UP).await;
    let mut waits = Vec::new();
    for _ in 0..load.samples {
        let id = TaskId::from_entropy(entropy());
        started.lock().insert(id.clone(), Instant::now());
        submitter.submit_as(Some(id), "now").await?;
        let waited = tokio::select! {
            waited = finished.recv() => waited.context("every worker is gone")?,
            Some(ended) = running.join_next() => anyhow::bail!("a worker ended early: {ended:?}"),
        };
        waits.push(waited.as_secs_f64() * 1_000.0);
        tokio::time::sleep(PAUSE).await;
    }
    stop.cancel();
    all(running).await?;
    Ok(Dispatch { p50: percentile(&mut waits, 50), p99: percentile(&mut waits, 99) })
}
