//! From a live directory to a snapshot the coordinator has in full.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgecoder_base::{BlobHash, Omission};
use edgecoder_net::ApiClient;
use edgecoder_store::BlobDir;
use edgecoder_workspace::{FreezeOptions, Frozen, freeze};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{Context, SubmitArgs};
use crate::error::Error;
use crate::output::{Style, harmless};

/// Omissions named one by one; the rest is counted.
const NAMED_OMISSIONS: usize = 10;

/// Freezes the repository and uploads what the coordinator lacks.
pub(super) async fn freeze_and_upload(
    context: &Context,
    client: &ApiClient,
    args: &SubmitArgs,
) -> Result<BlobHash, Error> {
    // With the node of this data directory the blobs are shared, and nothing needs to be sent.
    let place = match context.coordinator {
        None => context.loaded.config.coordinator.blobs(&context.data),
        Some(_) => context.data.cache().join("outgoing"),
    };
    let (blobs, frozen) = freeze_on_disk(place, &args.repo, args.allow_secret.clone()).await?;
    tell_omissions(context, &frozen.omitted);
    let offered = client.offer_snapshot(&frozen.manifest).await?;
    let bar = ProgressBar::new(offered.missing.len() as u64);
    if !context.out.is_live() || args.json || offered.missing.is_empty() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    client.upload(&offered.missing, blobs, |done| bar.set_position(done.blobs as u64)).await?;
    bar.finish_and_clear();
    Ok(offered.snapshot)
}

async fn freeze_on_disk(
    place: PathBuf,
    repo: &Path,
    allow_secrets: Vec<String>,
) -> Result<(Arc<BlobDir>, Frozen), Error> {
    let repo = repo.to_owned();
    let freezing = tokio::task::spawn_blocking(move || {
        let blobs = BlobDir::open(&place).map_err(Error::io("open", &place))?;
        let options = FreezeOptions { allow_secrets, ..FreezeOptions::default() };
        let frozen = freeze(&repo, &options, &blobs)?;
        Ok((Arc::new(blobs), frozen))
    });
    match freezing.await {
        Ok(frozen) => frozen,
        Err(panic) => Err(Error::Role(panic.to_string())),
    }
}

fn tell_omissions(context: &Context, omitted: &[Omission]) {
    let out = context.out;
    for omission in omitted.iter().take(NAMED_OMISSIONS) {
        let text = format!("left out: {} ({})", omission.path, omission.detail);
        out.note(out.paint(Style::Warn, harmless(&text)));
    }
    if omitted.len() > NAMED_OMISSIONS {
        out.note(format_args!("… and {} more", omitted.len() - NAMED_OMISSIONS));
    }
}
