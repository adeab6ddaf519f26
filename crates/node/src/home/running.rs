//! What the running node tells the command line on the same machine: `node.json`.

use std::collections::BTreeMap;

use edgecoder_base::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Home, Lock};
use crate::error::Error;

const FILE: &str = "node.json";

/// The node that holds the directory now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// Its name.
    pub(crate) node: NodeId,
    /// Its version.
    pub(crate) version: String,
    /// When it started.
    pub(crate) started_at: Timestamp,
    /// Address of each open door, by role.
    pub(crate) doors: BTreeMap<String, String>,
}

impl Home {
    /// Tells where the doors are, once they are open.
    pub(crate) fn announce(&self, running: &Running, _lock: &Lock) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(running).unwrap_or_default();
        self.write_private(FILE, &text)
    }

    /// Takes the announcement back, on the way out.
    pub(crate) fn withdraw(&self, _lock: &Lock) {
        let _already_gone = std::fs::remove_file(self.path().join(FILE));
    }

    /// The announced node, if one holds the directory; an announcement that a killed node left is none.
    pub(crate) fn running(&self) -> Result<Option<Running>, Error> {
        let Some(text) = self.read_private(FILE)? else { return Ok(None) };
        let running = serde_json::from_str(&text).ok();
        Ok(running.filter(|_| self.is_locked()))
    }
}
