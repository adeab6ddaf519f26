//! Who started a container, written on it as labels, so that a later node can tell which are left over.

use std::collections::HashMap;
use std::fs;
use std::io;

/// Marks every container of ours.
pub(super) const MARK: &str = "edgecoder.sandbox";
const PID: &str = "edgecoder.owner.pid";
const START: &str = "edgecoder.owner.start";
const NAMESPACE: &str = "edgecoder.owner.pid-namespace";
const BOOT: &str = "edgecoder.owner.boot";
const NODE: &str = "edgecoder.node";
/// What the container runs for. Tells people; nothing is decided by it.
const PURPOSE: &str = "edgecoder.attempt";

/// One process of one boot of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Process id in its namespace.
    pub pid: u32,
    /// When it started, in the kernel's ticks: ids are used again.
    pub start: u64,
    /// The namespace its id counts in.
    pub namespace: String,
    /// The boot of the machine.
    pub boot: String,
    /// The node whose process it is, where it has a name.
    pub node: Option<String>,
}

impl Owner {
    /// This process, as a part of `node`.
    pub(super) fn this(node: Option<String>) -> io::Result<Self> {
        let pid = std::process::id();
        let start = started(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, start, namespace: namespace()?, boot: boot()?, node })
    }

    /// As labels of a container, with what it runs for.
    pub fn labels(&self, purpose: Option<&str>) -> HashMap<String, String> {
        let labels = [
            (MARK, "1".to_owned()),
            (PID, self.pid.to_string()),
            (START, self.start.to_string()),
            (NAMESPACE, self.namespace.clone()),
            (BOOT, self.boot.clone()),
        ];
        let more = [(NODE, self.node.clone()), (PURPOSE, purpose.map(str::to_owned))];
        let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
        labels.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let get = |name: &str| labels.get(name);
        Some(Self {
            pid: get(PID)?.parse().ok()?,
            start: get(START)?.parse().ok()?,
            namespace: get(NAMESPACE)?.clone(),
            boot: get(BOOT)?.clone(),
            node: get(NODE).cloned(),
        })
    }

    /// Whether it can no longer care for what it started, as far as `this` process can know. `started` gives the
    /// start of a process of this namespace.
    fn is_gone(&self, this: &Self, running: bool, started: impl Fn(u32) -> Option<u64>) -> bool {
        if self.boot == this.boot && self.namespace == this.namespace {
            return started(self.pid) != Some(self.start);
        }
        // A node is in one place at a time: what it started elsewhere, before a reboot of its machine or in an
        // earlier container of its own, it has left. Of somebody else's, nothing starts again by itself, and what
        // runs belongs to another machine or container on the same daemon.
        let left = self.node.is_some() && self.node == this.node;
        left || (self.boot != this.boot && !running)
    }
}

/// Whether a container with these labels is ours and has nobody left.
pub(super) fn is_left_over(labels: &HashMap<String, String>, running: bool, this: &Owner) -> bool {
    let started = |pid| started(pid).ok().flatten();
    Owner::of(labels).is_some_and(|owner| owner.is_gone(this, running, started))
}

/// When `pid` started; none when there is no such process.
fn started(pid: u32) -> io::Result<Option<u64>> {
    /// The field of `/proc/PID/stat` after the name, which alone may hold blanks and ends in the last bracket.
    const FIELD: usize = 19;
    let line = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let fields = line.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let start = fields.split_whitespace().nth(FIELD).and_then(|field| field.parse().ok());
    start.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn namespace() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/pid")?.display().to_string())
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(boot: &str, namespace: &str) -> Owner {
        Owner { pid: 7, start: 100, namespace: namespace.into(), boot: boot.into(), node: None }
    }

    #[track_caller]
    fn check(theirs: &Owner, running: bool, started: Option<u64>, gone: bool) {
        assert_eq!(theirs.is_gone(&owner("b", "n"), running, |_| started), gone, "{theirs:?} {started:?}");
    }

    #[test]
    fn an_owner_is_gone_when_its_process_is() {
        check(&owner("b", "n"), true, Some(100), false);
        check(&owner("b", "n"), true, None, true);
        // The id was used again.
        check(&owner("b", "n"), true, Some(101), true);
        // Somebody whose processes cannot be seen from here.
        check(&owner("b", "elsewhere"), true, None, false);
        check(&owner("earlier", "n"), false, Some(100), true);
        check(&owner("another machine's", "n"), true, None, false);
    }

    #[test]
    fn a_node_takes_back_what_it_started_elsewhere() {
        let named = |node: &str, boot: &str, namespace: &str| Owner {
            node: Some(node.into()),
            ..owner(boot, namespace)
        };
        let gone = |theirs: &Owner| theirs.is_gone(&named("a", "b", "n"), true, |_| Some(100));
        assert!(gone(&named("a", "b", "an earlier container's")));
        assert!(gone(&named("a", "an earlier boot", "n")));
        // Two processes of one node, side by side: the other one still cares.
        assert!(!gone(&named("a", "b", "n")));
        assert!(!gone(&named("another", "b", "elsewhere")) && !gone(&owner("b", "elsewhere")));
    }

    #[test]
    fn labels_tell_the_owner_again() {
        let this = Owner::this(Some("ec1".into())).unwrap();
        let labels = this.labels(Some("t1.s1.a2"));
        assert_eq!(labels.get("edgecoder.attempt").map(String::as_str), Some("t1.s1.a2"));
        assert_eq!(Owner::of(&labels), Some(this.clone()));
        assert!(!is_left_over(&labels, true, &this));
        let nameless = Owner { node: None, ..this.clone() };
        assert_eq!(Owner::of(&nameless.labels(None)), Some(nameless));
        assert!(!is_left_over(&HashMap::new(), false, &this), "containers of others are left alone");
    }
}
