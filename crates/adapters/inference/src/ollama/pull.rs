//! Fetching a model, as it goes. The server tells each layer on its own; a person wants one bar.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::BoxStream;
use serde::Deserialize;

use crate::Error;

/// How far a fetch is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullProgress {
    /// The server's own words for what it does.
    pub status: String,
    /// Bytes that arrived, of the layers seen so far.
    pub completed: u64,
    /// Bytes of the layers seen so far: grows while layers are found.
    pub total: u64,
    /// Whether the model is there.
    pub done: bool,
}

/// Ends after a step that is `done` or after the first error; it never just stops.
pub type PullStream = BoxStream<'static, Result<PullProgress, Error>>;

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    total: u64,
    #[serde(default)]
    completed: u64,
}

#[derive(Debug, Default)]
struct Layers(BTreeMap<String, (u64, u64)>);

impl Layers {
    fn take(&mut self, line: &str) -> Result<PullProgress, Error> {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| Error::protocol(format!("unexpected line of a pull: {error}")))?;
        if let Some(message) = line.error {
            return Err(crate::http::upstream(502, &message));
        }
        if let Some(digest) = line.digest {
            let layer = self.0.entry(digest).or_default();
            // A layer that is taken up again begins behind what was told before.
            *layer = (line.completed.max(layer.0).min(line.total), line.total);
        }
        let sum = |part: fn(&(u64, u64)) -> u64| self.0.values().map(part).fold(0, u64::saturating_add);
        let done = line.status == "success";
        Ok(PullProgress { status: line.status, completed: sum(|l| l.0), total: sum(|l| l.1), done })
    }
}

/// Progress out of lines.
pub(super) fn progress(lines: BoxStream<'static, Result<String, Error>>) -> PullStream {
    let state = (lines, Layers::default(), false);
    futures::stream::unfold(state, |(mut lines, mut layers, over)| async move {
        if over {
            return None;
        }
        let step = loop {
            match lines.next().await {
                Some(Ok(line)) if line.trim().is_empty() => {}
                Some(line) => break line.and_then(|line| layers.take(&line)),
                None => break Err(crate::http::cut_short()),
            }
        };
        let over = step.as_ref().map_or(true, |step| step.done);
        Some((step, (lines, layers, over)))
    })
    .boxed()
}
