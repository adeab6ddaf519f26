//! What a fast-forward would change, as a person is shown it: the texts of its files, and the names of what has no text
//! to show.

use std::collections::BTreeMap;

use edgecoder_agent::session::shown;
use edgecoder_base::{BlobHash, Change, Patch};

use super::own_git::OwnGit;

/// Files whose texts are shown.
const SHOWN_FILES: usize = 100;
/// Bytes of a text that is shown, and of all together.
const SHOWN_BYTES: u64 = 128 << 10;
const ALL_BYTES: u64 = 4 << 20;
/// Names of files without a text that are told.
const NAMED: usize = 8;

/// The changes between two commits.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// What is shown.
    pub(super) patch: Patch,
    /// Texts that it replaces.
    before: BTreeMap<BlobHash, String>,
    /// Files that change and are not shown: binary, large, links, other modes, or too many.
    unshown: Vec<String>,
}

/// One file.
struct File<'a> {
    path: &'a str,
    /// Git's names of both texts; none where there is no file.
    old: Option<&'a str>,
    new: Option<&'a str>,
}

impl Incoming {
    pub(super) async fn between(own: &OwnGit, old: &str, new: &str) -> Result<Self, String> {
        let said = own.run(&["diff-tree", "-r", "-z", "--no-renames", old, new], b"").await?;
        let mut incoming = Self::default();
        let files = incoming.files(&said);
        let names: Vec<&str> = files.iter().flat_map(|file| [file.old, file.new]).flatten().collect();
        let texts = texts(own, &names).await?;
        for File { path, old, new } in files {
            let text = |name: Option<&str>| {
                name.map(|name| texts.get(name).cloned()).map_or(Some(None), |text| text.map(Some))
            };
            match (text(old), text(new)) {
                (Some(before), Some(after)) => incoming.set(path, before, after),
                _ => incoming.unshown.push(path.to_owned()),
            }
        }
        Ok(incoming)
    }

    /// Files that may have texts to show. The others are noted.
    fn files<'a>(&mut self, said: &'a [u8]) -> Vec<File<'a>> {
        let mut fields = said.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        let mut files = Vec::new();
        while let (Some(change), Some(path)) = (fields.next(), fields.next()) {
            match std::str::from_utf8(path)
                .ok()
                .and_then(|path| file(std::str::from_utf8(change).ok()?, path))
            {
                Some(file) if files.len() < SHOWN_FILES => files.push(file),
                Some(_) | None => self.unshown.push(String::from_utf8_lossy(path).into_owned()),
            }
        }
        files
    }

    fn set(&mut self, path: &str, before: Option<String>, after: Option<String>) {
        let hash = before.map(|text| {
            let hash = BlobHash::of(text.as_bytes());
            self.before.insert(hash, text);
            hash
        });
        self.patch.set(path, hash, after);
    }

    /// The text that a change replaces.
    pub(super) fn before(&self, change: &Change) -> Option<String> {
        self.before.get(change.before.as_ref()?).cloned()
    }

    /// Whether a person sees all of it.
    pub(super) fn is_shown(&self) -> bool {
        self.unshown.is_empty()
    }

    /// How many files, and which of them are not shown.
    pub(super) fn told(&self) -> String {
        let (unshown, all) = (self.unshown.len(), self.patch.changes.len() + self.unshown.len());
        if unshown == 0 {
            return format!("{all} files");
        }
        let names: Vec<String> = self.unshown.iter().take(NAMED).map(|name| shown::line(name)).collect();
        let more = if unshown > NAMED { ", …" } else { "" };
        format!("{all} files, {unshown} of them not shown ({}{more})", names.join(", "))
    }
}

/// `:100644 100644 old new M`: a plain file whose text changes, comes or goes.
fn file<'a>(change: &'a str, path: &'a str) -> Option<File<'a>> {
    let fields: Vec<&str> = change.strip_prefix(':')?.split(' ').collect();
    let [old_mode, new_mode, old, new, _] = fields.try_into().ok()?;
    let side = |mode: &str, name: &'a str| match mode {
        "100644" | "100755" => Some(Some(name)),
        "000000" => Some(None),
        _ => None,
    };
    let (before, after) = (side(old_mode, old)?, side(new_mode, new)?);
    // What begins or stops to be a program is not seen in its text.
    let program = |mode: &str| mode == "100755";
    let same = program(old_mode) == program(new_mode) || after.is_none();
    same.then_some(File { path, old: before, new: after })
}

/// The texts of those names that are short enough.
async fn texts(own: &OwnGit, names: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let list = names.iter().map(|name| format!("{name}\n")).collect::<String>();
    let sizes = own.run(&["cat-file", "--batch-check=%(objectname) %(objectsize)"], list.as_bytes()).await?;
    let sizes = String::from_utf8_lossy(&sizes).into_owned();
    let mut room = ALL_BYTES;
    let short: String = sizes
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, size)| {
            let size = size.parse().unwrap_or(u64::MAX);
            let fits = size <= SHOWN_BYTES.min(room);
            room -= if fits { size } else { 0 };
            fits
        })
        .map(|(name, _)| format!("{name}\n"))
        .collect();
    let said = own.run(&["cat-file", "--batch=%(objectname) %(objectsize)"], short.as_bytes()).await?;
    Ok(split(&said))
}

/// A line with name and size, that many bytes, a line's end; and so on.
fn split(mut said: &[u8]) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&said[..end]).into_owned();
        let size = line.split_once(' ').and_then(|(_, size)| size.parse::<usize>().ok());
        let Some(bytes) = size.and_then(|size| said.get(end + 1..end + 1 + size)) else { break };
        if let (Ok(text), Some((name, _))) = (std::str::from_utf8(bytes), line.split_once(' '))
            && !text.contains('\0')
        {
            texts.insert(name.to_owned(), text.to_owned());
        }
        said = said.get(end + 2 + bytes.len()..).unwrap_or_default();
    }
    texts
}
