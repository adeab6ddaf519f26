//! Trees from elsewhere that an execution is shown, and the one kind of run that makes such a tree: in a workshop, which
//! has a folder to keep and a gate to hosts that somebody agreed to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Above all shown trees; nothing of the system stands there.
pub const PLACE: &str = "/capsule";
/// Port of the gate, on the loopback interface of the run.
pub const GATE_PORT: u16 = 3128;

/// A tree that an execution is shown read-only at another place than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Where it lies on the host.
    pub from: PathBuf,
    /// Where it stands inside, right below [`PLACE`].
    pub at: String,
    /// Links from the root to it: name, target.
    pub links: Vec<(String, String)>,
    /// Entries ahead of the search path.
    pub path: Vec<String>,
}

/// The same, as the launcher is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownTree {
    /// Where it lies on the host.
    pub from: PathBuf,
    /// Where it stands inside.
    pub at: PathBuf,
    /// Links in the root: name, target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// What a run may do besides that makes a tree to be shown later. [`PLACE`] is writable in it and counts with the files
/// of the job; and one proxy, of HTTP, leads to the hosts named here and to no other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Workshop {
    /// Name or address, lower case, and port.
    pub hosts: BTreeSet<(String, u16)>,
}

/// What went through the gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes that came from each host.
    pub received: BTreeMap<String, u64>,
    /// Hosts that were asked for and refused.
    pub refused: BTreeSet<String>,
}

impl Shown {
    pub(crate) fn to_launch(&self) -> ShownTree {
        let links = self.links.iter().map(|(name, target)| (name.into(), target.into()));
        ShownTree { from: self.from.clone(), at: PathBuf::from(&self.at), links: links.collect() }
    }
}

/// Refuses places that are not below [`PLACE`], taken twice, or links that hide something.
pub(crate) fn check(shown: &[Shown]) -> Result<(), Error> {
    let name = |path: &str| {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        !path.is_empty() && path.chars().all(letters)
    };
    let place = |path: &str| {
        path.strip_prefix(PLACE).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| {
            let plain =
                |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains([':', '\0']);
            rest.split('/').all(plain)
        })
    };
    let mut taken = BTreeSet::new();
    for tree in shown {
        let refuse = |what: &str| Err(Error::InvalidJob(format!("a tree is shown at {what:?}")));
        let top = tree.at.strip_prefix(PLACE).and_then(|rest| rest.strip_prefix('/'));
        if !tree.from.is_absolute() || !top.is_some_and(name) || !taken.insert(tree.at.clone()) {
            return refuse(&tree.at);
        }
        for (link, target) in &tree.links {
            // The one name that run times look for in the root and that no system has.
            if link != "/node_modules" || !place(target) || !taken.insert(link.clone()) {
                return refuse(link);
            }
        }
        if let Some(entry) = tree.path.iter().find(|entry| !place(entry)) {
            return refuse(entry);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(change: impl Fn(&mut Shown)) -> bool {
        let links = vec![("/node_modules".to_owned(), "/capsule/node/node_modules".to_owned())];
        let path = vec!["/capsule/node/node_modules/.bin".to_owned()];
        let mut shown = Shown { from: "/data/tree".into(), at: "/capsule/node".into(), links, path };
        change(&mut shown);
        check(&[shown]).is_err()
    }

    #[test]
    fn trees_are_shown_in_their_own_place_only() {
        assert!(!refused(|_| ()));
        for at in
            ["/capsule", "/capsule/", "/capsule/a/b", "/capsule/..", "/usr", "capsule/a", "/capsule2/a", ""]
        {
            assert!(refused(|shown| shown.at = at.into()), "{at}");
        }
        for link in ["/usr", "/job", "/node_modules/x", "node_modules"] {
            assert!(refused(|shown| shown.links[0].0 = link.into()), "{link}");
        }
        for target in ["/etc", "/capsule/../etc", "/capsule", "x"] {
            assert!(refused(|shown| shown.links[0].1 = target.into()), "{target}");
            assert!(refused(|shown| shown.path[0] = target.into()), "{target}");
        }
        assert!(refused(|shown| shown.path[0] = "/capsule/a:/evil".into()));
        assert!(refused(|shown| shown.from = "relative".into()));
        let one = Shown { from: "/a".into(), at: "/capsule/a".into(), links: vec![], path: vec![] };
        assert!(check(&[one.clone(), one]).is_err());
    }
}
