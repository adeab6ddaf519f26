//! `requirements*.txt`, read as pip reads it: files that include others, continued lines, options.

use std::collections::BTreeSet;

use crate::Note;

/// How deep files may include one another.
const MAX_FILES: usize = 64;

/// Requirements as they are laid for a build.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    /// The files that were read, in order.
    pub(crate) files: Vec<String>,
    /// One requirement a line, constraints apart.
    pub(crate) lines: Vec<String>,
    /// Lines of constraints.
    pub(crate) constraints: Vec<String>,
    /// What is to be known.
    pub(crate) notes: Vec<Note>,
}

impl Requirements {
    /// Reads `tops` and what they include, by `read`.
    pub(crate) fn read(tops: &[String], read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        let mut pending: Vec<(String, bool)> = tops.iter().rev().map(|top| (top.clone(), false)).collect();
        while let Some((path, constraint)) = pending.pop() {
            if seen.len() >= MAX_FILES || !seen.insert(path.clone()) {
                continue;
            }
            let Some(text) = read(&path) else {
                found.notes.push(Note::Missing { path });
                continue;
            };
            found.files.push(path.clone());
            for line in logical_lines(&text) {
                if let Some((included, constraint)) = included(&line, constraint) {
                    match beside(&path, included) {
                        Some(other) => pending.push((other, constraint)),
                        None => found.notes.push(Note::Missing { path: included.to_owned() }),
                    }
                } else {
                    found.take(&path, line, constraint);
                }
            }
        }
        found
    }

    fn take(&mut self, path: &str, line: String, constraint: bool) {
        let (path, what) = (path.to_owned(), line.clone());
        let bare = line.strip_prefix("-e").or_else(|| line.strip_prefix("--editable")).map(str::trim_start);
        let is_path = |text: &str| text.starts_with(['.', '/']) || text.starts_with("file:");
        if is_path(bare.unwrap_or(&line).trim_start_matches('=')) {
            return self.notes.push(Note::ProjectLeftOut { path, what });
        }
        if bare.is_none() && line.starts_with('-') {
            // The one option that changes what is installed and not from where.
            if line != "--require-hashes"
                && !line.starts_with("--no-binary")
                && !line.starts_with("--only-binary")
            {
                return self.notes.push(Note::IndexLeftOut { path, what });
            }
        } else if let Some(source) = bare.or_else(|| address(&line)) {
            self.notes.push(Note::OtherSource { path, what: source.to_owned() });
        } else if !constraint && !is_pinned(&line) {
            self.notes.push(Note::Unpinned { path, what });
        }
        if constraint { self.constraints.push(line) } else { self.lines.push(line) }
    }
}

/// Lines with comments taken off and continuations joined; empty ones left out.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = match line.find(" #") {
            _ if line.trim_start().starts_with('#') => "",
            Some(at) => &line[..at],
            None => line,
        };
        match line.trim_end().strip_suffix('\\') {
            Some(part) => open.push_str(part),
            None => {
                open.push_str(line);
                lines.push(std::mem::take(&mut open));
            }
        }
    }
    lines.push(open);
    lines
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

/// The file that a line includes, and whether as constraints.
fn included(line: &str, constraint: bool) -> Option<(&str, bool)> {
    let options = [("--requirement", constraint), ("-r", constraint), ("--constraint", true), ("-c", true)];
    options.iter().find_map(|(option, constraint)| {
        let rest = line.strip_prefix(option)?;
        Some((rest.trim_start_matches(['=', ' ']), *constraint))
    })
}

/// A path beside `file`; none if it leaves the tree or is an address.
fn beside(file: &str, other: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in other.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    (!other.starts_with('/') && edgecoder_base::snapshot::is_safe_path(&path)).then_some(path)
}

/// The address of `name @ address`, or of a bare one.
fn address(line: &str) -> Option<&str> {
    let bare = line.split(' ').next().filter(|word| word.contains("://"));
    bare.or_else(|| {
        line.split_once('@').map(|(_, source)| source.trim()).filter(|source| source.contains(':'))
    })
}

/// One version, or the hash of a file.
fn is_pinned(line: &str) -> bool {
    let requirement = line.split(';').next().unwrap_or_default();
    let version = requirement.split_once("==").map(|(_, version)| version.trim_start_matches('='));
    line.contains("--hash=") || version.is_some_and(|version| !version.contains(['*', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<String> {
        let text = match path {
            "requirements.txt" => {
                "# the web\nflask==3.0.0  # pinned\n-r deploy/base.txt\n-c limits.txt\nsix\nrequests>=2 ; python_version > '3'\n\
                 -e .\n./vendored\n--index-url https://evil.example/simple\nx @ git+https://host/x@v1\n\
                 idna==3.7 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n--require-hashes\nstar==1.*\n-r ../../up.txt\n-r none.txt\n"
            }
            "deploy/base.txt" => "-r ../requirements.txt\nattrs===23.1\n",
            "limits.txt" => "urllib3<3\n",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[test]
    fn files_are_read_as_pip_reads_them_and_name_no_index() {
        let found = Requirements::read(&["requirements.txt".to_owned()], &read);
        let lines = [
            "flask==3.0.0",
            "six",
            "requests>=2 ; python_version > '3'",
            "x @ git+https://host/x@v1",
            "idna==3.7 --hash=sha256:aa --hash=sha256:bb",
            "--require-hashes",
            "star==1.*",
            "attrs===23.1",
        ];
        assert_eq!(found.lines, lines);
        assert_eq!(found.constraints, ["urllib3<3"]);
        assert_eq!(found.files, ["requirements.txt", "limits.txt", "deploy/base.txt"]);
        let path = || "requirements.txt".to_owned();
        let unpinned = |what: &str| Note::Unpinned { path: path(), what: what.to_owned() };
        let project = |what: &str| Note::ProjectLeftOut { path: path(), what: what.to_owned() };
        let expected = [
            unpinned("six"),
            unpinned("requests>=2 ; python_version > '3'"),
            project("-e ."),
            project("./vendored"),
            Note::IndexLeftOut { path: path(), what: "--index-url https://evil.example/simple".into() },
            Note::OtherSource { path: path(), what: "git+https://host/x@v1".into() },
            unpinned("star==1.*"),
            Note::Missing { path: "../../up.txt".into() },
            Note::Missing { path: "none.txt".into() },
        ];
        assert_eq!(found.notes, expected);
    }
}
