//! The package tools that runs see here. Asked once: while a worker lives, its tool chains stay.

use std::collections::BTreeMap;

use edgecoder_base::{Blobs, Manifest};
use edgecoder_environment::{Kind, Tool};
use edgecoder_sandbox::{Job, Sandbox};
use edgecoder_workspace::Trees;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, blocking};

/// What is known already; none of a kind whose tools are missing.
#[derive(Debug, Default)]
pub(super) struct Tools {
    known: Mutex<BTreeMap<Kind, Result<Vec<Tool>, String>>>,
}

impl Tools {
    /// The tools of `kind`, or what was said where they are missing.
    pub(super) async fn of(
        &self,
        kind: Kind,
        sandbox: &Sandbox,
        trees: &Trees,
        stop: &CancellationToken,
    ) -> Result<Result<Vec<Tool>, String>, Error> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.get(&kind) {
            return Ok(known.clone());
        }
        let trees = trees.clone();
        let empty = blocking("laying out an empty tree", move || {
            Ok(trees.materialise(&Manifest::default(), &NoBlobs)?)
        })
        .await?;
        let job = Job::new(empty.path(), kind.ask_tools());
        let report = sandbox.run(job, stop.child_token()).await?;
        let tools = Tool::read(&report.stdout.text());
        let found = match report.success() && !tools.is_empty() {
            true => Ok(tools),
            false => Err(last_line(&format!("{}{}", report.stdout.text(), report.stderr.text()))),
        };
        known.insert(kind, found.clone());
        Ok(found)
    }
}

fn last_line(text: &str) -> String {
    text.trim_end().lines().last().unwrap_or("it said nothing").to_owned()
}

/// An empty tree needs none.
#[derive(Debug)]
pub(super) struct NoBlobs;

impl Blobs for NoBlobs {
    fn contains(&self, _: &edgecoder_base::BlobHash) -> bool {
        false
    }

    fn read(&self, _: &edgecoder_base::BlobHash) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn write(&self, _: &[u8]) -> std::io::Result<edgecoder_base::BlobHash> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn place(&self, _: &edgecoder_base::BlobHash, _: &std::path::Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}
