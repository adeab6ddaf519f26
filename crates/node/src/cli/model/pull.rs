//! `edgecoder model pull`: a bar on a terminal, a line now and then elsewhere, JSON for programs.

use edgecoder_inference::catalog::{Catalog, CatalogError, Installed, PullProgress, PullRequest, PullStatus};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Context, PullArgs, keep, size};
use crate::error::{Error, Exit};
use crate::output::{Output, harmless};

/// Percent between two lines where no bar can be drawn.
const EVERY_PERCENT: u8 = 10;

pub(super) async fn run(context: &Context, catalog: &Catalog, args: PullArgs) -> Result<Exit, Error> {
    if args.choose {
        keep::check_choice_counts(context)?;
    }
    let mut request = PullRequest::parse(&args.source)?;
    (request.name, request.sha256) = (args.name, args.sha256);
    // The directory of models may lie in a data directory that no node has made yet.
    context.data.create()?;
    let installed = watched(context.out, catalog, &request, args.json).await?;
    let path = catalog.store().path_of(&installed.sha256);
    let out = context.out;
    if args.json {
        out.line(json!({ "installed": installed, "path": path }));
    } else {
        let (name, card) = (&installed.name, &installed.card);
        out.line(format_args!(
            "installed {name}  {}  {} {}",
            size(installed.size_bytes),
            harmless(&card.architecture),
            harmless(&card.quantisation)
        ));
        if !card.chat_template {
            out.note("it knows no form of conversation: a base model, not one that follows instructions");
        }
    }
    if args.choose {
        return keep::use_installed(context, catalog, &installed.name, args.json).await;
    }
    if !args.json {
        out.note(format_args!("use it: edgecoder model use {}", installed.name));
    }
    Ok(Exit::Done)
}

/// Pulls and shows how far it is. The first Ctrl-C stops in order, so that nothing that came is lost.
async fn watched(
    out: Output,
    catalog: &Catalog,
    request: &PullRequest,
    as_json: bool,
) -> Result<Installed, CatalogError> {
    let cancel = CancellationToken::new();
    let mut events = catalog.events();
    let pulling = catalog.pull(request, &cancel);
    let signals = crate::shutdown::on_signals(cancel.clone());
    tokio::pin!(pulling, signals);
    let mut shown = Shown::new(out, as_json);
    let mut listening = true;
    loop {
        tokio::select! {
            outcome = &mut pulling => {
                shown.end();
                return outcome;
            }
            // It returns only when signals cannot be waited for; then there is just no way to stop in order.
            _ = &mut signals, if listening => listening = false,
            Ok(()) = events.changed() => {
                let latest = events.borrow_and_update().clone();
                shown.tell(&latest);
            }
        }
    }
}

/// How a pull looks.
struct Shown {
    out: Output,
    json: bool,
    bar: Option<ProgressBar>,
    /// Status and percent that were shown last.
    last: Option<(PullStatus, u8)>,
}

impl Shown {
    fn new(out: Output, json: bool) -> Self {
        let style = ProgressStyle::with_template(
            "{msg:<10} {bar:30} {percent:>3} %  {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}",
        );
        let bar = (out.is_live() && !json).then(|| {
            let bar = ProgressBar::new(0);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { out, json, bar, last: None }
    }

    fn tell(&mut self, latest: &PullProgress) {
        let step = (latest.status, latest.progress_pct.unwrap_or_default());
        if let Some(bar) = &self.bar {
            if self.last.is_none_or(|(status, _)| status != latest.status) {
                bar.set_message(word(latest.status));
                bar.reset_eta();
            }
            bar.set_length(latest.total.unwrap_or_default());
            bar.set_position(latest.completed.unwrap_or_default());
            self.last = Some(step);
            return;
        }
        if !self.is_news(step) || latest.is_over() {
            return;
        }
        self.last = Some(step);
        if self.json {
            self.out.line(serde_json::to_string(latest).unwrap_or_default());
        } else {
            let of =
                latest.total.map(|total| format!(" {} % of {}", step.1, size(total))).unwrap_or_default();
            self.out.note(format_args!("{}{of}", word(latest.status)));
        }
    }

    fn is_news(&self, (status, percent): (PullStatus, u8)) -> bool {
        self.last.is_none_or(|(shown, at)| {
            shown != status || percent < at || percent / EVERY_PERCENT > at / EVERY_PERCENT
        })
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

const fn word(status: PullStatus) -> &'static str {
    match status {
        PullStatus::Idle | PullStatus::Resolving => "asking",
        PullStatus::Pulling => "pulling",
        PullStatus::Verifying => "verifying",
        PullStatus::Ready => "ready",
        PullStatus::Cancelled => "stopped",
        PullStatus::Error => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_a_line_comes_every_ten_percent() {
        let mut shown = Shown::new(Output::plain(), true);
        let mut told = Vec::new();
        let steps = [(PullStatus::Resolving, 0), (PullStatus::Pulling, 0), (PullStatus::Pulling, 9)];
        let more = [(PullStatus::Pulling, 12), (PullStatus::Pulling, 19), (PullStatus::Verifying, 0)];
        for step in steps.into_iter().chain(more) {
            if shown.is_news(step) {
                shown.last = Some(step);
                told.push(step);
            }
        }
        let expected = [
            (PullStatus::Resolving, 0),
            (PullStatus::Pulling, 0),
            (PullStatus::Pulling, 12),
            (PullStatus::Verifying, 0),
        ];
        assert_eq!(told, expected);
    }
}
