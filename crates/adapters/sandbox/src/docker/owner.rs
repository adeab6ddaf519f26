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
}

impl Owner {
    /// This process.
    pub(super) fn this() -> io::Result<Self> {
        let pid = std::process::id();
        let start = started(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, start, namespace: namespace()?, boot: boot()? })
    }

    /// As labels of a container.
    pub fn labels(&self) -> HashMap<String, String> {
        let labels = [
            (MARK, "1".to_owned()),
            (PID, self.pid.to_string()),
            (START, self.start.to_string()),
            (NAMESPACE, self.namespace.clone()),
            (BOOT, self.boot.clone()),
        ];
        labels.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let get = |name: &str| labels.get(name);
        Some(Self {
            pid: get(PID)?.parse().ok()?,
            start: get(START)?.parse().ok()?,
            namespace: get(NAMESPACE)?.clone(),
            boot: get(BOOT)?.clone(),
        })
    }

    /// Whether it can no longer care for what it started, as far as `this` process can know. `started` gives the
    /// start of a process of this namespace.
    fn is_gone(&self, this: &Self, running: bool, started: impl Fn(u32) -> Option<u64>) -> bool {
        if self.boot != this.boot {
            // Nothing of ours starts again by itself; what runs belongs to another machine on the same daemon.
            return !running;
        }
        self.namespace == this.namespace && started(self.pid) != Some(self.start)
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
        Owner { pid: 7, start: 100, namespace: namespace.into(), boot: boot.into() }
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
    fn labels_tell_the_owner_again() {
        let this = Owner::this().unwrap();
        assert_eq!(Owner::of(&this.labels()), Some(this.clone()));
        assert!(!is_left_over(&this.labels(), true, &this));
        assert!(!is_left_over(&HashMap::new(), false, &this), "containers of others are left alone");
    }
}
