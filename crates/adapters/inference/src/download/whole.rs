//! One stream from the first byte to the last, for servers that send no parts. A cut means to begin anew.

use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Response, StatusCode};

use super::job::Job;
use super::pace;
use super::part::Part;
use super::web::Fault;
use crate::catalog::digest::{Digest, Hashing};
use crate::catalog::error::CatalogError;

/// Fetches everything, and hashes it on the way.
pub(super) async fn run(job: &Job<'_>, part: &mut Part) -> Result<Digest, Fault> {
    let config = &job.downloader.config;
    let mut failures = 0;
    loop {
        part.start_over().map_err(Fault::Lasting)?;
        let outcome = tokio::select! {
            biased;
            () = job.cancel.cancelled() => Err(Fault::Lasting(CatalogError::Cancelled)),
            outcome = stream(job, part) => outcome,
        };
        let (reason, after) = match outcome {
            Err(Fault::Passing { reason, after }) => (reason, after),
            done => return done,
        };
        failures += 1;
        if failures >= config.attempts {
            return Err(Fault::Passing { reason, after });
        }
        tracing::debug!(failures, reason, "the file is fetched from the start again");
        tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Err(Fault::Lasting(CatalogError::Cancelled)),
            () = tokio::time::sleep(pace::pause(config, failures, after, pace::luck())) => {}
        }
    }
}

async fn stream(job: &Job<'_>, part: &mut Part) -> Result<Digest, Fault> {
    let (web, size) = (&job.downloader.web, job.offer.size);
    let mut response = web.get_ok(&job.wanted.remote, HeaderMap::new()).await?;
    if response.status() != StatusCode::OK || announced(&response).is_some_and(|length| length != size) {
        return Err(Fault::Changed);
    }
    let mut hashing = Hashing::default();
    let mut offset = 0_u64;
    let mut collected = Vec::new();
    loop {
        let chunk = web.chunk(&mut response).await?;
        let ended = chunk.is_none();
        collected.extend(chunk.unwrap_or_default());
        let end = offset + u64::try_from(collected.len()).unwrap_or(u64::MAX);
        if end > size {
            return Err(Fault::Lasting(CatalogError::TooLarge { found: end, allowed: size }));
        }
        if collected.len() >= job.downloader.config.piece_bytes || (ended && !collected.is_empty()) {
            hashing.update(&collected);
            part.write(offset, std::mem::take(&mut collected)).await.map_err(Fault::Lasting)?;
            offset = end;
            job.meter.at(offset);
        }
        if ended {
            let whole = offset == size;
            return if whole { Ok(hashing.finish()) } else { Err(Fault::passing("the answer ended early")) };
        }
    }
}

fn announced(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
