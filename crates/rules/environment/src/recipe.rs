//! How one capsule is made, what identifies it, and what a run must be told that is shown it.

use std::collections::BTreeMap;

use edgecoder_base::BlobHash;
use serde::{Deserialize, Serialize};

use crate::ingredients::{PIP_CONSTRAINTS, PIP_FILE};
use crate::{Ingredients, Kind, Laid, Note, Sources};

/// Grows when the steps change, so that what older ones made is made anew.
const STEPS: u32 = 1;
/// Where package tools keep what the capsule is not to hold.
const SCRATCH: &str = "/tmp/home";

/// Whom the machine trusts, the tools trust too: some bring a list of their own, which lacks a company's authority.
const TRUST: &str = "certs=/etc/ssl/certs/ca-certificates.crt\nif [ -e $certs ]; then export PIP_CERT=$certs \
                     REQUESTS_CA_BUNDLE=$certs SSL_CERT_FILE=$certs NODE_EXTRA_CA_CERTS=$certs; fi\n";

/// A file that decides what comes out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its path in the snapshot.
    pub path: String,
    /// Its content.
    pub hash: BlobHash,
}

/// A tool that the steps use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version, as it says itself.
    pub version: String,
}

impl Tool {
    /// Reads what [`Kind::ask_tools`] printed.
    pub fn read(said: &str) -> Vec<Self> {
        let words = said.lines().filter_map(|line| line.trim().split_once(' '));
        words.map(|(name, version)| Self { name: name.into(), version: version.trim().into() }).collect()
    }
}

/// How one capsule is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The family of tools.
    pub kind: Kind,
    /// Version of the steps.
    pub steps: u32,
    /// Folder of the lock file in the snapshot; empty at the top.
    pub folder: String,
    /// The files that decide, sorted by path.
    pub inputs: Vec<Input>,
    /// The tools, as they were asked.
    pub tools: Vec<Tool>,
    /// Operating system and processor, like `linux-x86_64`.
    pub platform: String,
    /// Whether the inputs list every package, so that nothing is resolved.
    pub complete: bool,
    /// What is to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// What a run is told that is shown a capsule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Variables.
    pub variables: BTreeMap<String, String>,
    /// Entries ahead of the search path.
    pub path: Vec<String>,
    /// Links in the root: from, to.
    pub links: Vec<(String, String)>,
}

impl Recipe {
    /// The recipe for `ingredients` with these tools.
    pub fn new(ingredients: &Ingredients, tools: Vec<Tool>, platform: impl Into<String>) -> Self {
        Self {
            kind: ingredients.kind,
            steps: STEPS,
            folder: ingredients.folder.clone(),
            inputs: ingredients.inputs.clone(),
            tools,
            platform: platform.into(),
            complete: ingredients.complete,
            notes: ingredients.notes.clone(),
        }
    }

    /// What it is called: the same inputs, tools and platform have the same name. Where nothing is loose, they also have
    /// the same tree.
    pub fn identity(&self) -> BlobHash {
        let named = Self { notes: Vec::new(), ..self.clone() };
        BlobHash::of(&serde_json::to_vec(&named).unwrap_or_default())
    }

    /// Whether nothing is loose.
    pub fn is_reproducible(&self) -> bool {
        !self.notes.iter().any(Note::is_unpinned)
    }

    /// The steps, for `/bin/sh` in the top of the tree of [`Ingredients::files`].
    pub fn script(&self, sources: &Sources, files: &[Laid]) -> String {
        let mount = self.kind.mount();
        let enter = match self.folder.as_str() {
            "" => String::new(),
            folder => format!("cd '{}'\n", folder.replace('\'', r"'\''")),
        };
        let steps = match self.kind {
            Kind::Python => self.python(files),
            Kind::Node => format!(
                "{enter}mkdir -p {mount}\ncp -R . {mount}/\ncd {mount}\n\
                 npm ci --no-audit --no-fund --no-update-notifier --loglevel=warn\n\
                 find . -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {{}} +\n\
                 rm -f node_modules/.package-lock.json\n"
            ),
            Kind::Cargo => {
                let mirror = mirror(sources);
                format!(
                    "{mirror}{enter}mkdir -p {mount}\ncargo vendor --locked --versioned-dirs {mount}/vendor >{SCRATCH}/vendored\n\
                         mv {SCRATCH}/vendored {mount}/config.toml\n"
                )
            }
            Kind::Go => format!("{enter}go mod download\nchmod -R u+w {mount}\n"),
            Kind::Maven => format!(
                "mkdir -p {SCRATCH}/.m2\nprintf '%s' '<settings><mirrors><mirror><id>settings</id>\
                 <mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors></settings>' >{SCRATCH}/.m2/settings.xml\n\
                 {enter}mvn -B -q -s {SCRATCH}/.m2/settings.xml dependency:go-offline\n\
                 find {mount} -name '_remote.repositories' -delete\n",
                url = sources.maven_repository,
            ),
        };
        format!("set -e\n{TRUST}mkdir -p {SCRATCH} {mount}\n{steps}")
    }

    /// Bytes of Python that do not depend on the day: compiled by content, and all at once.
    fn python(&self, files: &[Laid]) -> String {
        let mount = self.kind.mount();
        let constrained = files.iter().any(
            |file| matches!(file, Laid::Made { path, text } if path == PIP_CONSTRAINTS && !text.is_empty()),
        );
        let constraints = if constrained { format!(" -c {PIP_CONSTRAINTS}") } else { String::new() };
        let resolve = if self.complete { " --no-deps" } else { "" };
        format!(
            "python3 -m venv {mount}\n{mount}/bin/python -m pip install --no-compile --no-cache-dir \
             --disable-pip-version-check --no-input --progress-bar off{resolve} -r {PIP_FILE}{constraints}\n\
             find {mount} -name __pycache__ -type d -prune -exec rm -rf {{}} +\n\
             {mount}/bin/python -m compileall -q --invalidation-mode unchecked-hash {mount}/lib >/dev/null || true\n"
        )
    }

    /// Variables of the build; `gate` is the port of the proxy that leads to the hosts, on the loopback interface.
    pub fn build_variables(&self, sources: &Sources, gate: u16) -> BTreeMap<String, String> {
        let proxy = format!("http://127.0.0.1:{gate}");
        let mut all = vec![("HOME", SCRATCH.to_owned())];
        all.extend(
            ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, proxy.clone())),
        );
        let mount = self.kind.mount();
        all.extend(match self.kind {
            Kind::Python => {
                vec![("PIP_INDEX_URL", sources.pip_index.clone()), ("PYTHONDONTWRITEBYTECODE", "1".into())]
            }
            Kind::Node => vec![
                ("npm_config_registry", sources.npm_registry.clone()),
                ("npm_config_cache", format!("{SCRATCH}/npm")),
            ],
            Kind::Cargo => vec![("CARGO_HOME", format!("{SCRATCH}/cargo"))],
            Kind::Go => {
                let own = sources.go_proxy != Sources::default().go_proxy;
                let sums = if own { "off" } else { "sum.golang.org" };
                vec![
                    ("GOPROXY", sources.go_proxy.clone()),
                    ("GOSUMDB", sums.into()),
                    ("GOMODCACHE", format!("{mount}/mod")),
                    ("GOTOOLCHAIN", "local".into()),
                ]
            }
            Kind::Maven => {
                let lead = |scheme| format!("-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort={gate}");
                let gate = format!("{} {}", lead("http"), lead("https"));
                // Java leaves out the loopback interface unless it is told not to.
                vec![("MAVEN_OPTS", format!("{gate} -Dhttp.nonProxyHosts= -Dmaven.repo.local={mount}"))]
            }
        });
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What a run is told that is shown the capsule. Nothing in it asks the network.
    pub fn environment(&self) -> Environment {
        let mount = self.kind.mount();
        let (variables, path, links) = match self.kind {
            Kind::Python => (vec![("VIRTUAL_ENV", mount.to_owned())], vec!["bin"], vec![]),
            Kind::Node => {
                let modules = format!("{mount}/node_modules");
                // Modules are looked for in each folder above the file that asks, so also in the root.
                let link = ("/node_modules".to_owned(), modules.clone());
                let offline = vec![("NODE_PATH", modules), ("npm_config_offline", "true".to_owned())];
                (offline, vec!["node_modules/.bin"], vec![link])
            }
            Kind::Cargo => (
                vec![("CARGO_HOME", mount.to_owned()), ("CARGO_NET_OFFLINE", "true".to_owned())],
                vec![],
                vec![],
            ),
            Kind::Go => {
                let off = ["GOPROXY", "GOSUMDB"].map(|name| (name, "off".to_owned()));
                let mut all =
                    vec![("GOMODCACHE", format!("{mount}/mod")), ("GOFLAGS", "-mod=mod".to_owned())];
                all.extend(off);
                all.push(("GOTOOLCHAIN", "local".to_owned()));
                (all, vec![], vec![])
            }
            Kind::Maven => {
                let repository = format!("-Dmaven.repo.local={mount}");
                (vec![("MAVEN_OPTS", repository), ("MAVEN_ARGS", "-o".to_owned())], vec![], vec![])
            }
        };
        Environment {
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            path: path.into_iter().map(|part| format!("{mount}/{part}")).collect(),
            links,
        }
    }
}

/// Cargo's settings for another index than the public one.
fn mirror(sources: &Sources) -> String {
    if sources.cargo_index == Sources::default().cargo_index {
        return String::new();
    }
    let index = sources.cargo_index.trim_end_matches('/');
    format!(
        "mkdir -p {SCRATCH}/cargo\nprintf '[source.crates-io]\\nreplace-with = \"settings\"\\n\
         [source.settings]\\nregistry = \"sparse+%s/\"\\n' '{index}' >{SCRATCH}/cargo/config.toml\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(kind: Kind) -> Recipe {
        Recipe {
            kind,
            steps: STEPS,
            folder: "sub dir".into(),
            inputs: vec![Input { path: "lock".into(), hash: BlobHash::of(b"lock") }],
            tools: Tool::read("python 3.11.7\n\nnpm 9.2.0\n"),
            platform: "linux-x86_64".into(),
            complete: false,
            notes: Vec::new(),
        }
    }

    #[test]
    fn identity_follows_inputs_tools_and_platform_and_nothing_else() {
        let one = recipe(Kind::Python);
        let note = Note::Unpinned { path: "a".into(), what: "b".into() };
        assert_eq!(one.identity(), Recipe { notes: vec![note], ..one.clone() }.identity());
        let input = Input { path: "lock".into(), hash: BlobHash::of(b"other") };
        let others = [
            Recipe { kind: Kind::Node, ..one.clone() },
            Recipe { inputs: vec![input], ..one.clone() },
            Recipe { tools: Tool::read("python 3.11.8"), ..one.clone() },
            Recipe { platform: "linux-aarch64".into(), ..one.clone() },
            Recipe { steps: STEPS + 1, ..one.clone() },
        ];
        for other in others {
            assert_ne!(one.identity(), other.identity(), "{other:?}");
        }
    }

    #[test]
    fn tools_are_read_line_by_line() {
        let tool = |name: &str, version: &str| Tool { name: name.into(), version: version.into() };
        assert_eq!(Tool::read("a 1\nb  2.0 x \n\nc"), [tool("a", "1"), tool("b", "2.0 x")]);
    }

    #[test]
    fn no_index_stands_in_what_runs_are_told() {
        for kind in Kind::ALL {
            let told = format!("{:?}", recipe(kind).environment());
            assert!(!told.contains("http"), "{told}");
            assert!(told.contains(kind.mount()), "{told}");
        }
    }

    #[test]
    fn every_kind_builds_into_its_own_place_from_the_index_of_the_settings() {
        let sources = Sources {
            pip_index: "http://own/".into(),
            npm_registry: "http://own/".into(),
            cargo_index: "http://own/".into(),
            go_proxy: "http://own/".into(),
            maven_repository: "http://own/".into(),
            hosts: Vec::new(),
        };
        for kind in Kind::ALL {
            let recipe = recipe(kind);
            let all =
                format!("{} {:?}", recipe.script(&sources, &[]), recipe.build_variables(&sources, 3128));
            for part in [kind.mount(), "http://own", "127.0.0.1"] {
                assert!(all.contains(part), "{kind} has no {part}: {all}");
            }
        }
    }
}
