//! Workers as last read, so that a request does not cost a read for each time its sender is looked at. Only for
//! a database that one process writes; what others change could not be seen here.

use std::collections::BTreeMap;

use edgecoder_base::NodeId;
use parking_lot::Mutex;

use crate::NodeRecord;

/// Workers remembered; with more, all are forgotten and read again.
const MAX_KNOWN: usize = 4_096;

/// Workers by name.
#[derive(Debug, Default)]
pub(crate) struct Known {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Changes with every record that is saved: what was read before may be old.
    generation: u64,
    records: BTreeMap<NodeId, NodeRecord>,
}

impl Known {
    /// The record, or what to show when it was read.
    pub(crate) fn get(&self, id: &NodeId) -> Result<NodeRecord, u64> {
        let inner = self.inner.lock();
        inner.records.get(id).cloned().ok_or(inner.generation)
    }

    /// Remembers what was read, unless something was saved meanwhile.
    pub(crate) fn remember(&self, record: &NodeRecord, generation: u64) {
        let mut inner = self.inner.lock();
        if inner.generation != generation {
            return;
        }
        if inner.records.len() >= MAX_KNOWN {
            inner.records.clear();
        }
        inner.records.insert(record.id.clone(), record.clone());
    }

    /// Records of these have changed. Must come before anybody is told of the change.
    pub(crate) fn forget(&self, ids: &[NodeId]) {
        if ids.is_empty() {
            return;
        }
        let mut inner = self.inner.lock();
        inner.generation += 1;
        for id in ids {
            inner.records.remove(id);
        }
    }

    /// Any record may have changed.
    pub(crate) fn forget_all(&self) {
        let mut inner = self.inner.lock();
        inner.generation += 1;
        inner.records.clear();
    }
}

#[cfg(test)]
mod tests {
    use edgecoder_base::{Level, Timestamp};

    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered() {
        let record = NodeRecord {
            id: "laptop".parse().unwrap(),
            key: None,
            own: false,
            os: "linux".into(),
            version: "0".into(),
            mode: "swarm-only".into(),
            provider: "none".into(),
            client_type: "native".into(),
            max_concurrent: 1,
            sandbox_mode: "none".into(),
            level: Level::S0,
            models: Vec::new(),
            session: None,
            registered_at: Timestamp::default(),
        };
        let known = Known::default();
        let before = known.get(&record.id).unwrap_err();
        known.forget(std::slice::from_ref(&record.id));
        known.remember(&record, before);
        let after = known.get(&record.id).unwrap_err();
        known.remember(&record, after);
        assert_eq!(known.get(&record.id), Ok(record.clone()));
        known.forget_all();
        assert!(known.get(&record.id).is_err());
    }
}
