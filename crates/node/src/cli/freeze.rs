//! From a live directory to a snapshot the coordinator has in full.

use edgecoder_base::{BlobHash, Omission};
use edgecoder_net::ApiClient;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::Context;
use super::submit::SubmitArgs;
use crate::error::Error;
use crate::output::{Style, harmless};
use crate::working_directory::freeze_on_disk;

/// Omissions named one by one; the rest is counted.
const NAMED_OMISSIONS: usize = 10;

/// Freezes the repository and uploads what the coordinator lacks.
pub(super) async fn freeze_and_upload(
    context: &Context,
    client: &ApiClient,
    args: &SubmitArgs,
) -> Result<BlobHash, Error> {
    let (blobs, frozen) = freeze_on_disk(context.outgoing(), &args.repo, args.allow_secret.clone()).await?;
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
