//! What of a snapshot a capsule is made from: for each kind the files that decide, and what is laid out for its making.

use edgecoder_base::BlobHash;
use edgecoder_base::Manifest;

use crate::python::{locked, requirements::Requirements};
use crate::{Input, Kind, Note};

/// Files of requirements that are taken together, at the top of a project.
const REQUIREMENTS: [&str; 7] = [
    "requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements-test.txt",
    "requirements_test.txt",
    "test-requirements.txt",
];
/// The same for projects that keep them in a folder: the first of them that is there.
const IN_A_FOLDER: [&str; 5] = ["dev.txt", "test.txt", "tests.txt", "ci.txt", "base.txt"];
/// The file that pip is given, beside the constraints.
pub(crate) const PIP_FILE: &str = ".capsule/requirements.txt";
pub(crate) const PIP_CONSTRAINTS: &str = ".capsule/constraints.txt";

/// A file of the small tree in which the steps run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Laid {
    /// As in the snapshot.
    AsIs {
        /// Its path there and here.
        path: String,
        /// Its content.
        hash: BlobHash,
    },
    /// Made from inputs.
    Made {
        /// Its path.
        path: String,
        /// Its content.
        text: String,
    },
}

/// What one capsule is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingredients {
    /// The family of tools.
    pub kind: Kind,
    /// The folder that the lock file stands in; empty at the top.
    pub folder: String,
    /// The files that decide, sorted by path.
    pub inputs: Vec<Input>,
    /// What is laid out for the steps.
    pub files: Vec<Laid>,
    /// Whether the files list every package, so that the package tool resolves nothing.
    pub complete: bool,
    /// What is to be known.
    pub notes: Vec<Note>,
}

/// The ingredients of every kind that `manifest` has, at most one of a kind: what stands nearest to the top. `read` gives
/// the text of a file of it.
pub fn ingredients(manifest: &Manifest, read: &dyn Fn(&str) -> Option<String>) -> Vec<Ingredients> {
    let look = Look { manifest, read };
    let all = [look.python(), look.node(), look.cargo(), look.go(), look.maven()];
    all.into_iter().flatten().collect()
}

struct Look<'a> {
    manifest: &'a Manifest,
    read: &'a dyn Fn(&str) -> Option<String>,
}

impl Look<'_> {
    fn python(&self) -> Option<Ingredients> {
        for name in ["uv.lock", "poetry.lock"] {
            let Some((folder, others)) = self.nearest(name) else { continue };
            let path = inside(&folder, name);
            let Some((lines, notes)) = (self.read)(&path).and_then(|text| locked::requirements(&path, &text))
            else {
                continue;
            };
            let mut all = not_covered(others, &path);
            all.extend(notes);
            let files = vec![made(PIP_FILE, &lines)];
            return Some(self.of(Kind::Python, folder, &[path], files, true, all));
        }
        let (folder, others) =
            self.nearest(REQUIREMENTS[0]).or_else(|| self.nearest_of(&REQUIREMENTS[1..])).or_else(|| {
                self.nearest_of(&["requirements/dev.txt", "requirements/test.txt", "requirements/base.txt"])
            })?;
        let there = |name: &&str| self.manifest.get(&inside(&folder, name)).is_some();
        let mut tops: Vec<String> =
            REQUIREMENTS.iter().filter(|name| there(name)).map(|name| inside(&folder, name)).collect();
        if tops.is_empty() {
            let in_a_folder = IN_A_FOLDER.iter().map(|name| inside(&folder, &format!("requirements/{name}")));
            tops.extend(in_a_folder.filter(|path| self.manifest.get(path).is_some()).take(1));
        }
        let found = Requirements::read(&tops, self.read);
        let mut notes = not_covered(others, tops.first()?);
        notes.extend(found.notes);
        let files = vec![made(PIP_FILE, &found.lines), made(PIP_CONSTRAINTS, &found.constraints)];
        Some(self.of(Kind::Python, folder, &found.files, files, false, notes))
    }

    fn node(&self) -> Option<Ingredients> {
        let (folder, others) = self.nearest("package-lock.json")?;
        let lock = inside(&folder, "package-lock.json");
        let mut notes = not_covered(others, &lock);
        let text = (self.read)(&lock).unwrap_or_default();
        notes.extend(foreign_addresses(&lock, &text));
        let paths = [lock, inside(&folder, "package.json")];
        // Workspaces: npm wants to see each of their manifests.
        let below = |path: &str| {
            path.ends_with("/package.json") && under(&folder, path) && !path.contains("node_modules/")
        };
        let nested = self.manifest.files.iter().map(|file| &file.path).filter(|path| below(path));
        let paths: Vec<String> =
            paths.iter().chain(nested.filter(|path| !paths.contains(path))).cloned().collect();
        let files = self.as_is(&paths);
        Some(self.of(Kind::Node, folder, &paths, files, true, notes))
    }

    fn cargo(&self) -> Option<Ingredients> {
        let (folder, others) = self.nearest("Cargo.lock")?;
        let lock = inside(&folder, "Cargo.lock");
        let mut notes = not_covered(others, &lock);
        let text = (self.read)(&lock).unwrap_or_default();
        for line in text.lines().filter_map(|line| line.strip_prefix("source = \"git+")) {
            let what = format!("git+{}", line.trim_end_matches('"'));
            notes.push(Note::OtherSource { path: lock.clone(), what });
        }
        let within = || self.manifest.files.iter().map(|file| &file.path).filter(|path| under(&folder, path));
        let manifests = within().filter(|path| *path == "Cargo.toml" || path.ends_with("/Cargo.toml"));
        let paths: Vec<String> = std::iter::once(lock).chain(manifests.cloned()).collect();
        let mut files = self.as_is(&paths);
        // Cargo asks whether the targets are there, and not what is in them.
        let sources = within().filter(|path| path.ends_with(".rs"));
        files.extend(sources.map(|path| Laid::Made { path: path.clone(), text: String::new() }));
        Some(self.of(Kind::Cargo, folder, &paths, files, true, notes))
    }

    fn go(&self) -> Option<Ingredients> {
        let (folder, others) = self.nearest("go.sum")?;
        let sum = inside(&folder, "go.sum");
        let notes = not_covered(others, &sum);
        let paths = [sum, inside(&folder, "go.mod")];
        let files = self.as_is(&paths);
        Some(self.of(Kind::Go, folder, &paths, files, true, notes))
    }

    fn maven(&self) -> Option<Ingredients> {
        let (folder, _modules) = self.nearest("pom.xml")?;
        let within = self.manifest.files.iter().map(|file| &file.path).filter(|path| under(&folder, path));
        let paths: Vec<String> =
            within.filter(|path| *path == "pom.xml" || path.ends_with("/pom.xml")).cloned().collect();
        let what = "a transitive dependency".to_owned();
        let notes = vec![Note::Unpinned { path: inside(&folder, "pom.xml"), what }];
        let files = self.as_is(&paths);
        Some(self.of(Kind::Maven, folder, &paths, files, true, notes))
    }

    /// The folder nearest to the top that has `name`, and the other files of that name.
    fn nearest(&self, name: &str) -> Option<(String, Vec<String>)> {
        self.nearest_of(&[name])
    }

    fn nearest_of(&self, names: &[&str]) -> Option<(String, Vec<String>)> {
        let named = |path: &str| {
            names.iter().find_map(|name| match path.strip_suffix(name)? {
                "" => Some(String::new()),
                folder => folder.strip_suffix('/').map(str::to_owned),
            })
        };
        let ours = |path: &str| !path.split('/').any(|part| part == "node_modules" || part == "vendor");
        let all = self.manifest.files.iter().filter(|file| ours(&file.path));
        let mut found: Vec<(String, String)> =
            all.filter_map(|file| Some((named(&file.path)?, file.path.clone()))).collect();
        found.sort_by_key(|(folder, path)| (depth(folder), path.clone()));
        let folder = found.first()?.0.clone();
        let others = found.into_iter().filter(|(other, _)| *other != folder).map(|(_, path)| path).collect();
        Some((folder, others))
    }

    fn as_is(&self, paths: &[String]) -> Vec<Laid> {
        let entries = paths.iter().filter_map(|path| self.manifest.get(path));
        entries.map(|file| Laid::AsIs { path: file.path.clone(), hash: file.hash }).collect()
    }

    fn of(
        &self,
        kind: Kind,
        folder: String,
        paths: &[String],
        files: Vec<Laid>,
        complete: bool,
        notes: Vec<Note>,
    ) -> Ingredients {
        let entries = paths.iter().filter_map(|path| self.manifest.get(path));
        let mut inputs: Vec<Input> =
            entries.map(|file| Input { path: file.path.clone(), hash: file.hash }).collect();
        inputs.sort();
        inputs.dedup();
        Ingredients { kind, folder, inputs, files, complete, notes }
    }
}

fn depth(folder: &str) -> usize {
    if folder.is_empty() { 0 } else { 1 + folder.matches('/').count() }
}

fn inside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn under(folder: &str, path: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn made(path: &str, lines: &[String]) -> Laid {
    Laid::Made { path: path.to_owned(), text: lines.iter().map(|line| format!("{line}\n")).collect() }
}

fn not_covered(others: Vec<String>, taken: &str) -> Vec<Note> {
    let why = format!("{taken} stands nearer to the top");
    others.into_iter().map(|path| Note::NotCovered { path, why: why.clone() }).collect()
}

/// Packages of a `package-lock.json` that come from no registry.
fn foreign_addresses(path: &str, text: &str) -> Vec<Note> {
    let quoted = text.split('"').filter(|word| word.starts_with("git+") || word.starts_with("git:"));
    quoted.map(|what| Note::OtherSource { path: path.to_owned(), what: what.to_owned() }).collect()
}

#[cfg(test)]
mod tests;
