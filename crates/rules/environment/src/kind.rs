//! The families of package tools that a capsule can be built for.

use serde::{Deserialize, Serialize};

/// A family of package tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A virtual environment, from `requirements*.txt`, `uv.lock` or `poetry.lock`.
    Python,
    /// `node_modules`, from `package-lock.json`.
    Node,
    /// Vendored crates, from `Cargo.lock`.
    Cargo,
    /// A module cache, from `go.sum`.
    Go,
    /// A local repository, from `pom.xml`.
    Maven,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Python, Self::Node, Self::Cargo, Self::Go, Self::Maven];

    /// The kind as written and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Cargo => "cargo",
            Self::Go => "go",
            Self::Maven => "maven",
        }
    }

    /// Where the tree stands in every run that sees it, at its making too: environments write down their own place.
    pub const fn mount(self) -> &'static str {
        match self {
            Self::Python => "/capsule/python",
            Self::Node => "/capsule/node",
            Self::Cargo => "/capsule/cargo",
            Self::Go => "/capsule/go",
            Self::Maven => "/capsule/maven",
        }
    }

    /// A command that prints one `name version` a line for each tool the steps use; it fails where one is missing.
    pub const fn ask_tools(self) -> &'static str {
        match self {
            Self::Python => {
                "python3 -c 'import sys, venv, ensurepip; print(\"python %d.%d.%d\" % sys.version_info[:3])'"
            }
            Self::Node => "set -e; echo \"node $(node --version)\"; echo \"npm $(npm --version)\"",
            Self::Cargo => "set -e; cargo --version",
            Self::Go => "set -e; echo \"go $(go env GOVERSION)\"",
            Self::Maven => {
                "set -e; echo \"maven $(mvn -q --version)\"; echo \"java $(javac -version 2>&1 | cut -d' ' -f2)\""
            }
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
