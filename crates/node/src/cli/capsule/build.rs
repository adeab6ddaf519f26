//! `edgecoder capsule plan|build`: what would be downloaded and run, the question, and the build.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{Manifest, Verifier};
use edgecoder_sandbox::Sandbox;
use edgecoder_store::BlobDir;
use edgecoder_worker::capsule::{Builder, Built, Kept, Kind, Planned};
use edgecoder_workspace::{FreezeOptions, Trees, freeze};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::{BuildArgs, Context, PlanArgs, shelf, show};
use crate::cli::ask::agreed;
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};
use crate::roles::now;
use crate::shutdown;

/// Put to the person below the plan, and said where nobody can answer.
const QUESTION: &str = "download this and run it in the sandbox?";
const UNASKED: &str =
    "building downloads packages and runs their scripts: add --yes to agree to what is listed above";
/// Time between two steps of the sign that something happens.
const TICK: Duration = Duration::from_millis(120);

pub(super) async fn plan(context: &Context, args: &PlanArgs) -> Result<Exit, Error> {
    let (builder, _, plan) = look(context, args, &CancellationToken::new()).await?;
    show::plan(context.out, &plan, args.json.json);
    if let Err(refusal) = builder.check() {
        context.out.note(refusal);
    }
    if plan.is_empty() && !args.json.json {
        context.out.note("no lock file that a capsule can be made from");
    }
    Ok(Exit::Done)
}

pub(super) async fn build(context: &Context, args: &BuildArgs) -> Result<Exit, Error> {
    let stop = CancellationToken::new();
    let building = build_all(context, args, &stop);
    let signals = shutdown::on_signals(stop.clone());
    tokio::pin!(building, signals);
    let mut listening = true;
    loop {
        tokio::select! {
            done = &mut building => return match done {
                Err(_) if stop.is_cancelled() => Ok(Exit::Cancelled),
                done => done,
            },
            // It returns only when signals cannot be waited for; then there is just no way to stop in order.
            _ = &mut signals, if listening => listening = false,
        }
    }
}

async fn build_all(context: &Context, args: &BuildArgs, stop: &CancellationToken) -> Result<Exit, Error> {
    let out = context.out;
    let (builder, manifest, plan) = look(context, &args.plan, stop).await?;
    builder.check()?;
    let (here, mut wanted): (Vec<Planned>, Vec<Planned>) =
        plan.into_iter().partition(|planned| planned.usable().is_some() && !args.again);
    let mut kept: Vec<Kept> = here.iter().filter_map(Planned::usable).cloned().collect();
    show::plan(out, &here, false);
    show::plan(out, &wanted, false);
    wanted.retain(|planned| planned.recipe.is_ok());
    if wanted.is_empty() {
        out.note("nothing to build");
    } else if !args.yes && !agreed(context, QUESTION, UNASKED)? {
        out.note("nothing was downloaded and nothing was run");
        return Ok(Exit::Cancelled);
    }
    for planned in &wanted {
        match build_one(context, &builder, planned, stop).await? {
            Some(built) => kept.push(built),
            None => return Ok(Exit::Failed),
        }
    }
    judge(context, args, &builder, &manifest, &kept, stop).await
}

/// The repository frozen, and what could be built for it.
async fn look(
    context: &Context,
    args: &PlanArgs,
    stop: &CancellationToken,
) -> Result<(Builder, Manifest, Vec<Planned>), Error> {
    context.data.create()?;
    let settings = &context.loaded.config;
    let place = settings.coordinator.blobs(&context.data);
    let blobs = BlobDir::open(&place).map_err(Error::io("open", &place))?;
    let sandbox = Sandbox::new(settings.sandbox.to_sandbox(&context.env));
    let builder = Builder {
        sandbox: sandbox.map_err(|error| Error::Role(error.to_string()))?,
        shelf: shelf(context)?,
        blobs: Arc::new(blobs.clone()),
        trees: Trees::new(context.data.cache().join("trees"))?,
        sources: settings.capsule.sources(),
        bounds: settings.capsule.bounds(),
        clock: now,
    };
    let manifest = frozen(&args.repo, blobs).await?;
    let mut plan = builder.plan(&manifest, stop).await?;
    let asked = |kind: Kind| args.kinds.is_empty() || args.kinds.iter().any(|name| Kind::from(*name) == kind);
    plan.retain(|planned| asked(planned.kind()));
    Ok((builder, manifest, plan))
}

async fn frozen(repo: &Path, blobs: BlobDir) -> Result<Manifest, Error> {
    let repo = repo.to_owned();
    let freezing = tokio::task::spawn_blocking(move || freeze(&repo, &FreezeOptions::default(), &blobs));
    match freezing.await {
        Ok(frozen) => Ok(frozen?.manifest),
        Err(panic) => Err(Error::Role(panic.to_string())),
    }
}

async fn build_one(
    context: &Context,
    builder: &Builder,
    planned: &Planned,
    stop: &CancellationToken,
) -> Result<Option<Kept>, Error> {
    let out = context.out;
    let Ok(recipe) = &planned.recipe else { return Ok(None) };
    let bar = ProgressBar::new_spinner().with_message(format!("building {}", planned.kind()));
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    if !out.is_live() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        out.note(format_args!("building {}", planned.kind()));
    }
    bar.enable_steady_tick(TICK);
    let built = builder.build(recipe, &planned.ingredients, stop).await;
    bar.finish_and_clear();
    match built? {
        Built::Kept { kept, traffic } => {
            show::traffic(out, &traffic);
            let name = out.paint(Style::Strong, kept.hash.short());
            out.line(format_args!("built {name}  {}  {}", planned.kind(), show::size(kept.card.bytes)));
            Ok(Some(*kept))
        }
        Built::Failed { exit, said, traffic } => {
            out.note(harmless(said.trim_end()));
            show::traffic(out, &traffic);
            out.note(out.paint(Style::Bad, format_args!("the build of {} failed: {exit}", planned.kind())));
            Ok(None)
        }
    }
}

/// Runs the verifier on the unchanged repository with all of `kept`, and says what that means.
async fn judge(
    context: &Context,
    args: &BuildArgs,
    builder: &Builder,
    manifest: &Manifest,
    kept: &[Kept],
    stop: &CancellationToken,
) -> Result<Exit, Error> {
    let out = context.out;
    if kept.is_empty() {
        return Ok(Exit::Done);
    }
    let mut usable = true;
    match &args.verify {
        Some(command) => {
            let verifier = Verifier { command: command.clone(), timeout_ms: args.verify_timeout * 1_000 };
            let mark = builder.baseline(manifest, kept, &verifier, stop).await?;
            usable = mark.is_usable();
            let (style, verdict) = match usable {
                true => (Style::Good, mark.baseline.map_or("not tried", |baseline| baseline.as_str())),
                false => (Style::Bad, "cannot start"),
            };
            out.line(format_args!("{}: {}", harmless(command), out.paint(style, verdict)));
            if !usable {
                out.note(harmless(mark.said.trim_end()));
            }
        }
        None if !args.unverified => {
            out.note("not tried yet: the first attempt's verifier decides whether it is used")
        }
        None => {}
    }
    if args.unverified {
        let shelf = shelf(context)?;
        // As they stand now, with what was just found of them.
        let fresh = kept.iter().filter_map(|kept| shelf.get(&kept.hash).transpose());
        let fresh: Vec<Kept> = fresh.collect::<Result<_, _>>()?;
        builder.allow(&fresh).await?;
        out.note("attempts are shown it whatever a verifier says");
        return Ok(Exit::Done);
    }
    if !usable {
        out.note("attempts are not shown it; --unverified lets them");
    }
    Ok(if usable { Exit::Done } else { Exit::Failed })
}
