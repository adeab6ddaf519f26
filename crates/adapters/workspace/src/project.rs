//! A live project as a reader may see it: one file, one folder, or the lines that match. Always below its root, never
//! over a link, with what looks like a secret named rather than shown.

mod hunks;
mod search;

use std::path::{Path, PathBuf};

use edgecoder_base::snapshot::{is_safe_path, limits};
use edgecoder_base::{BlobHash, OmissionReason};
use rustix::fs::{AtFlags, Dir, FileType};

use crate::beneath::{Found, Root};
use crate::secrets::Secrets;
use crate::walk::{Listing, walk};
use crate::{Error, FreezeOptions};

pub use hunks::{Hunk, hunks};
pub use search::{Hit, Query, Sought};

/// A project's directory, held open.
#[derive(Debug)]
pub struct Project {
    root: Root,
    secrets: Secrets,
}

/// A text file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Its content.
    pub text: String,
    /// The content's name.
    pub hash: BlobHash,
    /// Why it looks like a secret, if it does.
    pub secret: Option<&'static str>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A text file.
    Text(TextFile),
    /// A file that is not UTF-8, of so many bytes.
    Binary(u64),
    /// A file larger than any snapshot would hold, bytes.
    TooLarge(u64),
    /// A folder, link, pipe, socket or device; or the way to it leads over a link.
    NotAFile,
    /// `.edgecoderignore` names it: nobody may show it.
    Ignored,
    /// Nothing.
    Missing,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The name; a folder's ends in `/`, a link's in `@`.
    pub name: String,
}

impl Project {
    /// Opens the directory at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { root: Root::open(path)?, secrets: Secrets::new(&[])? })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// `path` relative to the root, if it names something below it: `./a`, `a/` and absolute paths of the root are
    /// understood, whatever leads out is not. Nothing on disk is looked at.
    pub fn relative(&self, path: &str) -> Option<String> {
        let path = path.trim();
        let below = match path.strip_prefix('/') {
            Some(_) => Path::new(path).strip_prefix(self.path()).ok()?.to_str()?,
            None => path,
        };
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let joined = parts.join("/");
        (joined.is_empty() || is_safe_path(&joined)).then_some(joined)
    }

    /// The file at `path`, as [`Project::relative`] gives it.
    pub fn read(&self, path: &str) -> Result<Standing, Error> {
        if !is_safe_path(path) {
            return Err(Error::UnsafePath { path: path.to_owned() });
        }
        let found = self.root.read(Path::new(path), limits::MAX_FILE_BYTES);
        let bytes = match found.map_err(Error::io("read", self.path().join(path)))? {
            Found::File { bytes, .. } => bytes,
            Found::TooLarge(size) => return Ok(Standing::TooLarge(size)),
            Found::NotRegular => return Ok(Standing::NotAFile),
            Found::Missing => return Ok(Standing::Missing),
        };
        if self.listing()?.is_withheld(path) {
            return Ok(Standing::Ignored);
        }
        let secret = self.secrets.find(path, &bytes);
        let hash = BlobHash::of(&bytes);
        let size = bytes.len() as u64;
        Ok(match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Standing::Text(TextFile { text, hash, secret }),
            Ok(_) | Err(_) => Standing::Binary(size),
        })
    }

    /// The names in the folder at `path` (empty: the root), sorted, without `.git`; none if it is no folder.
    pub fn names(&self, path: &str) -> Result<Option<Vec<Named>>, Error> {
        if !path.is_empty() && !is_safe_path(path) {
            return Err(Error::UnsafePath { path: path.to_owned() });
        }
        let Ok(folder) = self.root.open_dir(Path::new(path)) else { return Ok(None) };
        let failed = |errno: rustix::io::Errno| Error::io("list", self.path().join(path))(errno.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." || name == ".git" {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                let stat = rustix::fs::statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                kind = FileType::from_raw_mode(stat.map_err(failed)?.st_mode);
            }
            let mark = match kind {
                FileType::Directory => "/",
                FileType::Symlink => "@",
                FileType::RegularFile
                | FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => "",
            };
            names.push(Named { name: format!("{name}{mark}") });
        }
        names.sort_unstable();
        Ok(Some(names))
    }

    /// Every file that a snapshot would consider: tracked or unignored, sorted.
    pub fn files(&self) -> Result<Vec<String>, Error> {
        Ok(self.listing()?.files)
    }

    /// Why a file looks like a secret as it is now, if it is there and does.
    pub fn secret(&self, path: &str) -> Option<&'static str> {
        let found = self.root.read(Path::new(path), limits::MAX_FILE_BYTES).ok()?;
        match found {
            Found::File { bytes, .. } => self.secrets.find(path, &bytes),
            Found::TooLarge(_) | Found::NotRegular | Found::Missing => self.secrets.find(path, b""),
        }
    }

    /// Why a diff in git's form shows what looks like a secret, if it does: by the names of its files, or by what stands
    /// in it.
    pub fn secret_in_diff(&self, diff: &str) -> Option<&'static str> {
        let named = diff.lines().filter_map(|line| {
            let path = line.strip_prefix("+++ b/").or_else(|| line.strip_prefix("--- a/"))?;
            self.secrets.find(path.trim_end(), b"")
        });
        named.chain(self.secrets.find("diff", diff.as_bytes())).next()
    }

    fn listing(&self) -> Result<Listing, Error> {
        walk(&self.root, &FreezeOptions::default())
    }
}

impl Listing {
    /// Whether `.edgecoderignore` names the path or a folder above it.
    fn is_withheld(&self, path: &str) -> bool {
        self.omitted.iter().filter(|omission| omission.reason == OmissionReason::Ignored).any(|omission| {
            path == omission.path
                || path.strip_prefix(&omission.path).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// Whether one directory lies in the other, or is the other, after links are resolved.
pub fn overlap(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    let (one, other) = (real(one), real(other));
    one.starts_with(&other) || other.starts_with(&one)
}
