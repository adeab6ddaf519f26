//! `uv.lock` and `poetry.lock`: every package with its version and the hashes of its files, so that pip alone can install
//! what they say, without the tool that wrote them.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::Note;

/// The requirements of a lock file at `path`: one exact version a line, with hashes. Every package needs to be named,
/// for pip is not asked to resolve. None if it is no such file.
pub(crate) fn requirements(path: &str, text: &str) -> Option<(Vec<String>, Vec<Note>)> {
    let root: Table = text.parse().ok()?;
    let packages: Vec<&Table> = root.get("package")?.as_array()?.iter().filter_map(Value::as_table).collect();
    let conditions = Conditions::of(&packages);
    let (mut lines, mut notes) = (Vec::new(), Vec::new());
    for package in packages {
        let Some(name) = text_of(package, "name") else { continue };
        match origin(package) {
            Origin::Project => continue,
            Origin::Elsewhere(what) => {
                let what = format!("{name} from {what}");
                notes.push(Note::NotCovered {
                    path: path.to_owned(),
                    why: format!("{what} comes from no index"),
                });
                continue;
            }
            Origin::Index => {}
        }
        let Some(version) = text_of(package, "version") else { continue };
        let hashes: String = hashes(package).map(|hash| format!(" --hash={hash}")).collect();
        if hashes.is_empty() {
            notes.push(Note::Unpinned {
                path: path.to_owned(),
                what: format!("{name}=={version} without hashes"),
            });
        }
        let condition =
            conditions.of_package(package, name).map(|when| format!(" ; {when}")).unwrap_or_default();
        lines.push(format!("{name}=={version}{condition}{hashes}"));
    }
    Some((lines, notes))
}

enum Origin {
    Index,
    /// The project itself, or a part of it.
    Project,
    Elsewhere(String),
}

fn origin(package: &Table) -> Origin {
    let Some(source) = package.get("source").and_then(Value::as_table) else { return Origin::Index };
    let has = |key: &str| source.contains_key(key);
    if has("registry") {
        return Origin::Index;
    }
    if has("virtual") || has("editable") || has("directory") || text_of(source, "type") == Some("directory") {
        return Origin::Project;
    }
    match text_of(source, "type") {
        // Poetry's private indexes: only the settings name one.
        Some("legacy") => Origin::Index,
        Some(_) => Origin::Elsewhere(text_of(source, "url").unwrap_or("elsewhere").to_owned()),
        None => Origin::Elsewhere(source.values().find_map(Value::as_str).unwrap_or("elsewhere").to_owned()),
    }
}

/// When a package is needed. uv says it where one package asks for another, newer Poetry at the package.
struct Conditions(BTreeMap<String, Option<Vec<String>>>);

impl Conditions {
    fn of(packages: &[&Table]) -> Self {
        let mut found: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
        for edge in packages.iter().flat_map(|package| edges(package)) {
            let Some(name) = text_of(edge, "name") else { continue };
            let known = found.entry(name.to_owned()).or_insert_with(|| Some(Vec::new()));
            match (text_of(edge, "marker"), &mut *known) {
                // Somebody needs it whatever the machine.
                (None, _) => *known = None,
                (Some(marker), Some(all)) if !all.iter().any(|other| other == marker) => {
                    all.push(marker.to_owned())
                }
                (Some(_), _) => {}
            }
        }
        Self(found)
    }

    fn of_package(&self, package: &Table, name: &str) -> Option<String> {
        if let Some(marker) = text_of(package, "markers") {
            return Some(marker.to_owned());
        }
        let markers = self.0.get(name)?.as_ref()?;
        let each: Vec<_> = markers.iter().map(|marker| format!("({marker})")).collect();
        (!each.is_empty()).then(|| each.join(" or "))
    }
}

/// Who asks for whom, in uv's words: always, for an extra, or while developing.
fn edges(package: &Table) -> Vec<&Table> {
    let direct = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    let groups = ["optional-dependencies", "dev-dependencies"]
        .into_iter()
        .filter_map(|key| package.get(key)?.as_table());
    let grouped = groups.flat_map(Table::values).filter_map(Value::as_array).flatten();
    direct.chain(grouped).filter_map(Value::as_table).collect()
}

fn hashes(package: &Table) -> impl Iterator<Item = &str> {
    let sdist = package.get("sdist").and_then(Value::as_table);
    let lists = ["wheels", "files"].into_iter().filter_map(|key| package.get(key)?.as_array());
    sdist
        .into_iter()
        .chain(lists.flatten().filter_map(Value::as_table))
        .filter_map(|file| text_of(file, "hash"))
}

fn text_of<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, lines: &[&str], notes: &[&str]) {
        let (found, said) = requirements("x.lock", text).unwrap();
        let said: Vec<_> = said.iter().map(Note::to_string).collect();
        assert_eq!(
            (found, said),
            (
                lines.iter().map(|&l| l.to_owned()).collect(),
                notes.iter().map(|&n| n.to_owned()).collect::<Vec<_>>()
            )
        );
    }

    #[test]
    fn uv_locks_become_exact_requirements() {
        check(
            r#"
version = 1
[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "six" }, { name = "win", marker = "sys_platform == 'win32'" }]
[package.dev-dependencies]
dev = [{ name = "pytest", marker = "python_full_version < '4'" }]
[[package]]
name = "six"
version = "1.16.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://x/six.tar.gz", hash = "sha256:aa", size = 1 }
wheels = [{ url = "https://x/six.whl", hash = "sha256:bb", size = 1 }]
[[package]]
name = "pytest"
version = "8.0.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "six", marker = "sys_platform == 'never'" }, { name = "win", marker = "os_name == 'nt'" }]
[[package]]
name = "win"
version = "1"
source = { registry = "https://pypi.org/simple" }
wheels = [{ hash = "sha256:cc" }]
[[package]]
name = "fork"
version = "2"
source = { git = "https://host/fork?rev=1" }
"#,
            &[
                "six==1.16.0 --hash=sha256:aa --hash=sha256:bb",
                "pytest==8.0.0 ; (python_full_version < '4')",
                "win==1 ; (sys_platform == 'win32') or (os_name == 'nt') --hash=sha256:cc",
            ],
            &[
                "x.lock: pytest==8.0.0 without hashes is not pinned, so the capsule is not reproducible",
                "x.lock is not covered: fork from https://host/fork?rev=1 comes from no index",
            ],
        );
    }

    #[test]
    fn poetry_locks_become_exact_requirements() {
        check(
            r#"
[[package]]
name = "colorama"
version = "0.4.6"
groups = ["dev"]
markers = "sys_platform == \"win32\""
files = [{ file = "colorama.whl", hash = "sha256:aa" }]
[[package]]
name = "mine"
version = "1"
files = []
[package.source]
type = "directory"
url = "../mine"
"#,
            &["colorama==0.4.6 ; sys_platform == \"win32\" --hash=sha256:aa"],
            &[],
        );
    }

    #[test]
    fn what_is_no_lock_file_is_refused() {
        assert!(requirements("x", "not toml [").is_none());
        assert!(requirements("x", "package = 3").is_none());
    }
}
