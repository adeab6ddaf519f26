//! Who may import whom, compared with what the crates' manifests really say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::Breach;
use super::source::relative;

const TABLE: &str = "tools/xtask/floors.toml";
const ANYTHING: &str = "*";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floors {
    dev: Dev,
    floors: Vec<Floor>,
    crates: BTreeMap<String, Room>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dev {
    sentence: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    level: u8,
    sentence: String,
    /// Outside crates this floor may use; all of them when absent.
    outside: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Room {
    floor: u8,
    may_import: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Listing {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// Absent, `dev` or `build`.
    kind: Option<String>,
    /// Set for crates of this workspace.
    path: Option<String>,
}

pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Breach>> {
    let text = fs::read_to_string(root.join(TABLE)).with_context(|| format!("reading {TABLE}"))?;
    let floors: Floors = toml::from_str(&text).with_context(|| format!("parsing {TABLE}"))?;
    Ok(compare(&floors, &packages(root)?))
}

/// Folder below crates/ → package. `tools/` imports nothing of ours and has no row.
fn packages(root: &Path) -> anyhow::Result<BTreeMap<String, Package>> {
    // Direct dependencies are all we ask for, so nothing is resolved and nothing fetched.
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked", "--no-deps"])
        .current_dir(root)
        .output()
        .context("starting cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Listing = serde_json::from_slice(&output.stdout).context("parsing cargo metadata")?;
    Ok(metadata.packages.into_iter().map(|package| (folder(root, &package.manifest_path), package)).collect())
}

fn folder(root: &Path, manifest: &str) -> String {
    let folder = Path::new(manifest).parent().unwrap_or(root);
    room_of(&relative(root, folder))
}

fn room_of(folder: &str) -> String {
    folder.strip_prefix("crates/").unwrap_or(folder).to_owned()
}

fn compare(floors: &Floors, packages: &BTreeMap<String, Package>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let names: BTreeMap<&str, &str> =
        packages.iter().map(|(folder, package)| (package.name.as_str(), folder.as_str())).collect();
    for folder in floors.crates.keys().filter(|folder| !packages.contains_key(*folder)) {
        breaches.push(Breach::new(TABLE, format!("`{folder}` has a row but no crate: no empty rooms")));
    }
    for (folder, package) in packages {
        if let Some(room) = floors.crates.get(folder) {
            breaches.extend(check_name(folder, package));
            breaches.extend(package.dependencies.iter().filter_map(|dependency| {
                let sentence = match names.get(dependency.name.as_str()).filter(|_| dependency.path.is_some())
                {
                    Some(target) => floors.forbids_import(room, target, dependency.is_dev()),
                    None => floors.forbids_outside(room, dependency),
                };
                sentence.map(|sentence| Breach::new(format!("{folder} -> {}", dependency.name), sentence))
            }));
        } else if folder.starts_with("tools/") {
            let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
            breaches.extend(ours.map(|dependency| {
                Breach::new(
                    format!("{folder} -> {}", dependency.name),
                    "tools without a row import nothing of ours",
                )
            }));
        } else {
            breaches.push(Breach::new(folder, format!("has no floor yet: give it a row in {TABLE}")));
        }
    }
    breaches
}

/// The package is named after its folder, so the path can be guessed from an import.
fn check_name(folder: &str, package: &Package) -> Option<Breach> {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    let expected = match folder.split('/').next() {
        Some("node") => "edgecoder".to_owned(),
        Some("benches") => format!("edgecoder-bench-{last}"),
        _ => format!("edgecoder-{last}"),
    };
    (package.name != expected).then(|| Breach::new(folder, format!("its package is called `{expected}`")))
}

impl Dependency {
    fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Floors {
    fn sentence(&self, level: u8) -> &str {
        self.floors.iter().find(|floor| floor.level == level).map_or("", |floor| &floor.sentence)
    }

    fn forbids_import(&self, room: &Room, target: &str, dev: bool) -> Option<String> {
        // A crate without a row is reported once, for itself.
        let floor = self.crates.get(target)?.floor;
        if room.may_import.iter().any(|allowed| allowed == ANYTHING || allowed == target) {
            return None;
        }
        match (dev, floor > room.floor) {
            (true, false) => None,
            (true, true) => Some(self.dev.sentence.clone()),
            (false, true) => Some(format!("an import never goes up; {}", self.sentence(room.floor))),
            (false, false) => {
                let allowed = room.may_import.join(", ");
                Some(format!("its row allows [{allowed}]; {}", self.sentence(room.floor)))
            }
        }
    }

    fn forbids_outside(&self, room: &Room, dependency: &Dependency) -> Option<String> {
        let floor = self.floors.iter().find(|floor| floor.level == room.floor)?;
        let allowed = floor.outside.as_ref()?;
        (!dependency.is_dev() && !allowed.contains(&dependency.name))
            .then(|| format!("not among the outside crates of its floor; {}", floor.sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors() -> Floors {
        toml::from_str(
            r#"
            floors = [
                { level = 0, sentence = "vocabulary", outside = ["serde"] },
                { level = 1, sentence = "pure", outside = ["serde"] },
                { level = 2, sentence = "adapters" },
            ]
            [dev]
            sentence = "never up"
            [crates]
            "base" = { floor = 0, may_import = [] }
            "rules/tasks" = { floor = 1, may_import = ["base"] }
            "rules/agent" = { floor = 1, may_import = ["base"] }
            "adapters/store" = { floor = 2, may_import = ["base", "rules/tasks"] }
            "#,
        )
        .unwrap()
    }

    /// The four crates of the table, with one more edge.
    fn check(from: &str, to: &str, kind: Option<&str>, expected: Option<&str>) {
        let rooms = ["base", "rules/tasks", "rules/agent", "adapters/store"];
        let name = |folder: &str| format!("edgecoder-{}", folder.rsplit('/').next().unwrap());
        let packages = rooms.map(|folder| {
            let ours = rooms.contains(&to);
            let dependency = Dependency {
                name: if ours { name(to) } else { to.to_owned() },
                kind: kind.map(str::to_owned),
                path: ours.then(|| to.to_owned()),
            };
            let dependencies = if folder == from { vec![dependency] } else { Vec::new() };
            (folder.to_owned(), Package { name: name(folder), manifest_path: String::new(), dependencies })
        });
        let breaches = compare(&floors(), &BTreeMap::from(packages));
        let sentences: Vec<&str> = breaches.iter().map(|breach| breach.sentence.as_str()).collect();
        assert_eq!(sentences, expected.as_slice(), "{from} -> {to}");
    }

    #[test]
    fn imports_follow_the_table() {
        check("adapters/store", "rules/tasks", None, None);
        check("adapters/store", "rules/agent", None, Some("its row allows [base, rules/tasks]; adapters"));
        check("rules/tasks", "rules/agent", None, Some("its row allows [base]; pure"));
        check("rules/tasks", "adapters/store", None, Some("an import never goes up; pure"));
    }

    #[test]
    fn dev_dependencies_never_go_up() {
        check("rules/tasks", "rules/agent", Some("dev"), None);
        check("base", "rules/agent", Some("dev"), Some("never up"));
    }

    #[test]
    fn low_floors_use_listed_outside_crates_only() {
        let sentence = "not among the outside crates of its floor; pure";
        check("rules/tasks", "serde", None, None);
        check("rules/tasks", "tokio", None, Some(sentence));
        check("rules/tasks", "cc", Some("build"), Some(sentence));
        check("rules/tasks", "tokio", Some("dev"), None);
        check("adapters/store", "tokio", None, None);
    }

    #[test]
    fn rows_and_crates_come_and_go_together() {
        let package = |name: &str| Package {
            name: name.into(),
            manifest_path: String::new(),
            dependencies: Vec::new(),
        };
        let mut packages = BTreeMap::from(
            [
                ("base", "edgecoder-base"),
                ("rules/tasks", "edgecoder-tasks"),
                ("rules/agent", "edgecoder-brain"),
            ]
            .map(|(folder, name)| (folder.to_owned(), package(name))),
        );
        packages.insert("rules/mesh".into(), package("edgecoder-mesh"));
        let breaches = compare(&floors(), &packages);
        let places: Vec<&str> = breaches.iter().map(|breach| breach.place.as_str()).collect();
        assert_eq!(places, [TABLE, "rules/agent", "rules/mesh"]);
    }
}
