//! Lists what a snapshot may hold: every unignored or tracked regular file below a root, and each path that
//! was left out with its reason. Own walker, because a frozen tree must not follow links, must honour what
//! git tracks, and has to report what it drops.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgecoder_base::snapshot::{PortablePaths, is_safe_path};
use edgecoder_base::{Omission, OmissionReason};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, Dir, FileType};

use crate::beneath::{Found, Root};
use crate::git_index::{Repository, Tracked};
use crate::{Error, FreezeOptions};

/// Names people write for us only.
const OWN_IGNORE: &str = ".edgecoderignore";
/// Largest ignore file read, bytes: beyond it is no list a person wrote.
const MAX_IGNORE_BYTES: u64 = 1024 * 1024;

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Candidates, sorted.
    pub(crate) files: Vec<String>,
    /// Left out, in walk order.
    pub(crate) omitted: Vec<Omission>,
}

/// The ignore files of one folder and, through the link, of every folder above it.
#[derive(Debug)]
struct Rules {
    git: Gitignore,
    own: Gitignore,
    above: Option<Arc<Rules>>,
}

/// A folder still to be read.
struct Folder {
    path: String,
    rules: Option<Arc<Rules>>,
    /// Below a folder that git ignores: only what is tracked counts.
    only_tracked: bool,
}

struct Walk<'a> {
    root: &'a Root,
    base: PathBuf,
    tracked: Tracked,
    limit: usize,
    listing: Listing,
    pending: Vec<Folder>,
}

/// Lists the files below `root`.
pub(crate) fn walk(root: &Root, options: &FreezeOptions) -> Result<Listing, Error> {
    let base = root.path().canonicalize().map_err(Error::io("resolve", root.path()))?;
    let repository = Repository::around(&base);
    let mut walk = Walk {
        root,
        tracked: repository.as_ref().map(|found| found.tracked(&base)).unwrap_or_default(),
        limit: options.max_files,
        listing: Listing::default(),
        pending: Vec::new(),
        base,
    };
    let rules = walk.rules_above(repository.as_ref(), options);
    walk.pending.push(Folder { path: String::new(), rules, only_tracked: false });
    while let Some(folder) = walk.pending.pop() {
        walk.folder(&folder)?;
    }
    walk.listing.files.sort_unstable();
    walk.listing.set_twins_apart();
    Ok(walk.listing)
}

impl Listing {
    /// Of names that are one file on some machines the first stays.
    fn set_twins_apart(&mut self) {
        let files = std::mem::take(&mut self.files);
        let mut taken = PortablePaths::default();
        for path in &files {
            let Err(other) = taken.take(path) else {
                self.files.push(path.clone());
                continue;
            };
            let detail = match other == path {
                true => "is a folder on machines without case".to_owned(),
                false => format!("is one with {other} on machines without case"),
            };
            self.omitted.push(Omission { path: path.clone(), reason: OmissionReason::UnsafePath, detail });
        }
    }
}

impl Walk<'_> {
    /// What holds before the root's own ignore files: the options', `info/exclude`, and those of the folders
    /// between the repository's top and the root.
    fn rules_above(&self, repository: Option<&Repository>, options: &FreezeOptions) -> Option<Arc<Rules>> {
        let mut rules = None;
        let own = matcher(&self.base, Some(&options.exclude.join("\n")));
        if let Some(repository) = repository {
            let git = matcher(&repository.top, repository.exclude().as_deref());
            rules = Some(Arc::new(Rules { git, own, above: None }));
            let between = self.base.ancestors().skip(1).take_while(|dir| dir.starts_with(&repository.top));
            for dir in between.collect::<Vec<_>>().into_iter().rev() {
                let Ok(at) = Root::open(dir) else { continue };
                rules = rules_at(&at, "", dir, rules);
            }
        } else if !own.is_empty() {
            rules = Some(Arc::new(Rules { git: Gitignore::empty(), own, above: None }));
        }
        rules
    }

    fn folder(&mut self, folder: &Folder) -> Result<(), Error> {
        let fd = match self.root.open_dir(Path::new(&folder.path)) {
            Ok(fd) => fd,
            Err(errno) => {
                let reason = match errno {
                    rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => OmissionReason::NotRegular,
                    _ => OmissionReason::Unreadable,
                };
                return self.omit(folder.path.clone(), reason, errno.to_string());
            }
        };
        let names = match names(&fd) {
            Ok(names) => names,
            Err(error) => {
                return self.omit(folder.path.clone(), OmissionReason::Unreadable, error.to_string());
            }
        };
        let nested = !folder.path.is_empty() && names.iter().any(|(name, _)| name == b".git");
        if nested || self.tracked.submodule(&folder.path) {
            return self.omit(
                folder.path.clone(),
                OmissionReason::Submodule,
                "a repository of its own".to_owned(),
            );
        }
        let rules = if names.iter().any(|(name, _)| name == b".gitignore" || name == OWN_IGNORE.as_bytes()) {
            rules_at(self.root, &folder.path, &self.base.join(&folder.path), folder.rules.clone())
        } else {
            folder.rules.clone()
        };
        for (name, kind) in names {
            if name != b".git" {
                self.entry(folder, rules.as_ref(), &name, kind)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        folder: &Folder,
        rules: Option<&Arc<Rules>>,
        name: &[u8],
        kind: FileType,
    ) -> Result<(), Error> {
        let lossy = join(&folder.path, &String::from_utf8_lossy(name));
        let absolute = self.base.join(&folder.path).join(OsStr::from_bytes(name));
        let is_dir = kind == FileType::Directory;
        let ignored = folder.only_tracked || matches(rules, &absolute, is_dir, |rules| &rules.git);
        let tracked = if is_dir {
            self.tracked.below(&lossy) || self.tracked.submodule(&lossy)
        } else {
            self.tracked.file(&lossy)
        };
        if ignored && !tracked {
            return Ok(());
        }
        if matches(rules, &absolute, is_dir, |rules| &rules.own) {
            return self.omit(lossy, OmissionReason::Ignored, "named to be left out".to_owned());
        }
        if std::str::from_utf8(name).is_err() || !is_safe_path(&lossy) {
            return self.omit(lossy, OmissionReason::UnsafePath, "not UTF-8 or not portable".to_owned());
        }
        match kind {
            FileType::Directory => {
                self.pending.push(Folder { path: lossy, rules: rules.cloned(), only_tracked: ignored });
                Ok(())
            }
            FileType::RegularFile => {
                self.listing.files.push(lossy);
                self.within_limit()
            }
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => self.omit(lossy, OmissionReason::NotRegular, kind_name(kind).to_owned()),
        }
    }

    fn omit(&mut self, path: String, reason: OmissionReason, detail: String) -> Result<(), Error> {
        self.listing.omitted.push(Omission { path, reason, detail });
        self.within_limit()
    }

    fn within_limit(&self) -> Result<(), Error> {
        // Omissions count too, or a folder of a million links would be a list of a million reasons.
        match self.listing.files.len().max(self.listing.omitted.len()) > self.limit {
            true => Err(Error::TooLarge(format!("more than {} files", self.limit))),
            false => Ok(()),
        }
    }
}

/// The names in a folder with their kinds, sorted so that two walks tell the same story.
fn names(fd: &impl std::os::fd::AsFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            let stat = rustix::fs::statat(fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        names.push((name.to_vec(), kind));
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

fn rules_at(root: &Root, relative: &str, absolute: &Path, above: Option<Arc<Rules>>) -> Option<Arc<Rules>> {
    let text = |name: &str| match root.read(Path::new(&join(relative, name)), MAX_IGNORE_BYTES) {
        Ok(Found::File { bytes, .. }) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(Found::TooLarge(_) | Found::NotRegular | Found::Missing) | Err(_) => None,
    };
    let git = matcher(absolute, text(".gitignore").as_deref());
    let own = matcher(absolute, text(OWN_IGNORE).as_deref());
    if git.is_empty() && own.is_empty() {
        return above;
    }
    Some(Arc::new(Rules { git, own, above }))
}

fn matcher(dir: &Path, text: Option<&str>) -> Gitignore {
    let mut builder = GitignoreBuilder::new(dir);
    for line in text.unwrap_or_default().lines() {
        // As git does: a line that is no glob is skipped.
        if let Err(error) = builder.add_line(None, line) {
            tracing::debug!(dir = %dir.display(), %error, "ignore line skipped");
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The nearest folder whose file says something about `path` decides.
fn matches(
    rules: Option<&Arc<Rules>>,
    path: &Path,
    is_dir: bool,
    which: impl Fn(&Rules) -> &Gitignore,
) -> bool {
    let mut next = rules;
    while let Some(rules) = next {
        let verdict = which(rules).matched(path, is_dir);
        if !verdict.is_none() {
            return verdict.is_ignore();
        }
        next = rules.above.as_ref();
    }
    false
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::RegularFile | FileType::Directory | FileType::Unknown => "of unknown kind",
    }
}
