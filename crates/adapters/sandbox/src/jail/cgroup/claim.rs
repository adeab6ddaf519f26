//! Whose a group is, told by the kernel for certain: its launcher holds a lock on the folder for as long as it lives.
//! A process id in the name would tell nothing: between process namespaces a living launcher cannot be seen.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::getpid;

/// Begins the names of all groups of ours.
pub(super) const PREFIX: &str = "edgecoder-jail-";
/// Names tried for one group. A name is taken by a launcher of the same id in another process namespace, or by what
/// such a one left behind.
const NAMES: u32 = 100;
/// How often a group that the kernel still calls busy is tried again, a millisecond apart.
const REMOVE_TRIES: u32 = 200;

/// A group that nobody else has.
#[derive(Debug)]
pub(super) struct Claim {
    folder: PathBuf,
    _lock: File,
}

impl Claim {
    /// Makes a group in `parent`.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        let pid = getpid().as_raw_nonzero();
        for number in 0..NAMES {
            let folder = parent.join(format!("{PREFIX}{pid}-{number}"));
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            // Between making and locking it may be swept.
            if let Some(lock) = lock(&folder)? {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::other("every name of a group is taken"))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the group away once its last member is gone.
    pub(super) fn remove(&self) {
        for _ in 0..REMOVE_TRIES {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                // Removed, or gone already.
                _ => break,
            }
        }
    }
}

/// The lock on a group; none when somebody else has it, or the group is gone.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let Some(file) = unless_gone(File::open(folder))? else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Whoever had the lock may have removed what it is on.
    let found = unless_gone(fs::metadata(folder))?;
    let locked = file.metadata()?.ino();
    Ok(found.filter(|found| found.ino() == locked).map(|_| file))
}

fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Removes the groups in `parent` whose launchers were killed before they could. Never touches a group with members:
/// the kernel refuses to remove those.
pub(super) fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if ours && let Ok(Some(_lock)) = lock(&entry.path()) {
            // Still busy, or not this user's to remove; both are fine.
            let _left = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    fn is_there(folder: &Path) -> bool {
        folder.try_exists().unwrap()
    }

    /// Folders of an ordinary file system are made, locked and removed like groups.
    #[test]
    fn a_group_is_left_over_when_the_process_that_has_it_is_dead() {
        let parent = tempfile::tempdir().unwrap();
        let group = parent.path().join(format!("{PREFIX}1-0"));
        fs::create_dir(&group).unwrap();
        let mut owner = Command::new("flock")
            .arg(&group)
            .args(["sh", "-c", "echo mine; read -r end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(owner.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "mine\n");
        sweep(parent.path());
        assert!(is_there(&group), "a group was taken from a living process");
        drop(owner.stdin.take());
        owner.wait().unwrap();
        sweep(parent.path());
        assert!(!is_there(&group), "a group without an owner was left");
    }

    #[test]
    fn nobody_shares_a_group_and_only_its_owner_removes_it() {
        let parent = tempfile::tempdir().unwrap();
        let (one, two) = (Claim::make(parent.path()).unwrap(), Claim::make(parent.path()).unwrap());
        assert_ne!(one.folder(), two.folder());
        sweep(parent.path());
        assert!(is_there(one.folder()) && is_there(two.folder()));
        one.remove();
        assert!(!is_there(one.folder()) && is_there(two.folder()));
        let another = parent.path().join("somebody-elses");
        fs::create_dir(&another).unwrap();
        sweep(parent.path());
        assert!(is_there(&another));
    }

    /// As a sweep between the making and the locking leaves it.
    #[test]
    fn a_lock_on_what_was_removed_is_none() {
        let parent = tempfile::tempdir().unwrap();
        assert!(lock(&parent.path().join("gone")).unwrap().is_none());
    }
}
