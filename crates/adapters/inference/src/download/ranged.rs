//! Several connections, one writer. Connections bring pieces; the writer alone touches the file, the journal and the
//! plan, and decides what is fetched next.

use std::ops::Range;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::job::Job;
use super::pace;
use super::part::Part;
use super::web::Fault;
use crate::catalog::error::CatalogError;

/// Pieces a connection may be ahead of the disk.
const PIECES_AHEAD: usize = 2;

/// Some bytes of the file.
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

/// Fetches what is missing.
pub(super) async fn run(job: &Job<'_>, part: &mut Part) -> Result<(), Fault> {
    let outcome = fetch(job, part).await;
    // Whatever happened, what has come is kept.
    let kept = part.record().await.map_err(Fault::Lasting);
    outcome.and(kept)
}

async fn fetch(job: &Job<'_>, part: &mut Part) -> Result<(), Fault> {
    let config = &job.downloader.config;
    let connections = config.connections.max(1);
    let (sender, mut pieces) = mpsc::channel::<Piece>(connections * PIECES_AHEAD);
    let mut running = FuturesUnordered::new();
    let mut busy: Vec<Range<u64>> = Vec::new();
    let mut patience = Patience::new(job, part.done_bytes());
    loop {
        while running.len() < connections
            && let Some(span) = part.done().next_gap(part.size(), &busy, config.span_bytes)
        {
            busy.push(span.clone());
            running.push(bring(job, span, patience.pause(), sender.clone()));
        }
        if running.is_empty() {
            let whole = part.done().is_whole(part.size());
            return if whole { Ok(()) } else { Err(Fault::Changed) };
        }
        tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Err(Fault::Lasting(CatalogError::Cancelled)),
            Some(piece) = pieces.recv() => take(job, part, piece).await?,
            Some((span, outcome)) = running.next() => {
                while let Ok(piece) = pieces.try_recv() {
                    take(job, part, piece).await?;
                }
                busy.retain(|other| *other != span);
                patience.judge(outcome, part.done_bytes())?;
            }
        }
    }
}

async fn take(job: &Job<'_>, part: &mut Part, piece: Piece) -> Result<(), Fault> {
    part.write(piece.offset, piece.bytes).await.map_err(Fault::Lasting)?;
    job.meter.at(part.done_bytes());
    if part.unrecorded_bytes() >= job.downloader.config.record_bytes {
        part.record().await.map_err(Fault::Lasting)?;
    }
    Ok(())
}

/// Brings one span, or as much of it as comes.
async fn bring(
    job: &Job<'_>,
    span: Range<u64>,
    pause: Duration,
    to: mpsc::Sender<Piece>,
) -> (Range<u64>, Result<(), Fault>) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    let mut offset = span.start;
    let mut bytes = Vec::new();
    let outcome = stream(job, &span, &mut offset, &mut bytes, &to).await;
    if !bytes.is_empty() {
        // The writer outlives its connections; if it does not, nobody needs the piece.
        let _ = to.send(Piece { offset, bytes }).await;
    }
    (span, outcome)
}

async fn stream(
    job: &Job<'_>,
    span: &Range<u64>,
    offset: &mut u64,
    collected: &mut Vec<u8>,
    to: &mpsc::Sender<Piece>,
) -> Result<(), Fault> {
    let mut response = job.body(span).await?;
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    while let Some(chunk) = job.downloader.web.chunk(&mut response).await? {
        if *offset + length(collected) + length(&chunk) > span.end {
            return Err(Fault::passing("more bytes than asked for"));
        }
        collected.extend_from_slice(&chunk);
        if collected.len() >= job.downloader.config.piece_bytes {
            let bytes = std::mem::take(collected);
            let piece = Piece { offset: *offset, bytes };
            *offset += length(&piece.bytes);
            if to.send(piece).await.is_err() {
                return Ok(());
            }
        }
    }
    let end = *offset + length(collected);
    if end == span.end { Ok(()) } else { Err(Fault::passing("the answer ended early")) }
}

/// Counts failures in a row over all connections. Whoever brings bytes is forgiven.
struct Patience<'a> {
    job: &'a Job<'a>,
    failures: u32,
    asked: Option<Duration>,
    done_bytes: u64,
}

impl<'a> Patience<'a> {
    const fn new(job: &'a Job<'a>, done_bytes: u64) -> Self {
        Self { job, failures: 0, asked: None, done_bytes }
    }

    /// How long the next connection waits before it asks.
    fn pause(&self) -> Duration {
        let config = &self.job.downloader.config;
        let connections = u32::try_from(config.connections).unwrap_or(u32::MAX).max(1);
        match self.failures.div_ceil(connections) {
            0 => Duration::ZERO,
            rounds => pace::pause(config, rounds, self.asked, pace::luck()),
        }
    }

    /// Goes on, or not.
    fn judge(&mut self, outcome: Result<(), Fault>, done_bytes: u64) -> Result<(), Fault> {
        let config = &self.job.downloader.config;
        let progress = done_bytes.saturating_sub(self.done_bytes);
        let enough = config.record_bytes.min(u64::try_from(config.piece_bytes).unwrap_or(u64::MAX));
        if progress >= enough {
            (self.failures, self.asked, self.done_bytes) = (0, None, done_bytes);
        }
        let (reason, after) = match outcome {
            Ok(()) => {
                (self.failures, self.asked, self.done_bytes) = (0, None, done_bytes);
                return Ok(());
            }
            Err(Fault::Passing { reason, after }) => (reason, after),
            Err(lasting) => return Err(lasting),
        };
        self.failures += 1;
        self.asked = after;
        let connections = u32::try_from(config.connections).unwrap_or(u32::MAX).max(1);
        if self.failures >= config.attempts.saturating_mul(connections) {
            return Err(Fault::Passing { reason, after });
        }
        tracing::debug!(failures = self.failures, reason, "a range is asked for again");
        Ok(())
    }
}
