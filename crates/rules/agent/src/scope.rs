//! The scope contract: what a patch may touch whatever its tests say. A candidate that changes its own judge
//! proves nothing.

use std::fmt;
use std::sync::LazyLock;

use edgecoder_base::snapshot::is_safe_path;
use edgecoder_base::{Patch, Scope, Verifier};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// One way in which a patch breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "violation", rename_all = "snake_case")]
pub enum ScopeViolation {
    /// Not a path inside the repository.
    UnsafePath {
        /// The path.
        path: String,
    },
    /// Matches none of the allowed globs.
    NotAllowed {
        /// The path.
        path: String,
    },
    /// A test, or what configures tests.
    TestFile {
        /// The path.
        path: String,
    },
    /// A manifest or lock file of a package manager.
    Dependencies {
        /// The path.
        path: String,
    },
    /// What runs in continuous integration or in the repository's tools without being asked.
    Automation {
        /// The path.
        path: String,
    },
    /// The verifier's command names it or depends on it.
    Verifier {
        /// The path.
        path: String,
    },
    /// More files than allowed.
    TooManyFiles {
        /// In the patch.
        files: usize,
        /// Allowed.
        max: u32,
    },
    /// The scope itself has a glob that cannot be read; nothing passes until it is mended.
    BadGlob {
        /// The glob.
        glob: String,
    },
}

impl fmt::Display for ScopeViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsafePath { path } => write!(f, "{path:?} is not a path inside the repository"),
            Self::NotAllowed { path } => write!(f, "{path} is outside the allowed paths"),
            Self::TestFile { path } => write!(f, "{path} is a test or test configuration"),
            Self::Dependencies { path } => write!(f, "{path} declares dependencies"),
            Self::Automation { path } => write!(f, "{path} configures automation that runs by itself"),
            Self::Verifier { path } => write!(f, "{path} decides what the verifier does"),
            Self::TooManyFiles { files, max } => write!(f, "{files} files change, at most {max} may"),
            Self::BadGlob { glob } => write!(f, "the scope's glob {glob:?} cannot be read"),
        }
    }
}

const TESTS: &[&str] = &[
    "{test,tests,spec,__tests__,__mocks__,__snapshots__,testdata}/**",
    "**/{test,tests,spec,__tests__,__mocks__,__snapshots__,testdata}/**",
    "**/test_*.py",
    "**/*_test.{py,go,rb,rs,c,cc,cpp,exs,dart}",
    "**/*_spec.rb",
    "**/*.{test,spec}.{js,jsx,mjs,cjs,ts,tsx,mts,cts,vue,svelte}",
    "**/*{Test,Tests,IT,Spec}.{java,kt,scala,groovy,cs,swift,php}",
    "**/*.snap",
    "**/{conftest,noxfile,sitecustomize,usercustomize}.py",
    "**/{pytest.ini,.pytest.ini,tox.ini,setup.cfg,.coveragerc,nextest.toml,phpunit.xml,.mocharc*,karma.conf.*}",
    "**/{jest,vitest,playwright,cypress,ava}.config.*",
    "**/*.pth",
];
const DEPENDENCIES: &[&str] = &[
    "**/{package.json,package-lock.json,npm-shrinkwrap.json,yarn.lock,pnpm-lock.yaml,pnpm-workspace.yaml,bun.lock*,deno.lock,.npmrc,.yarnrc*}",
    "**/{pyproject.toml,setup.py,requirements*.txt,requirements*.in,constraints*.txt,Pipfile*,poetry.lock,uv.lock,pdm.lock,environment.y*ml}",
    "**/requirements/*.txt",
    "**/{Cargo.toml,Cargo.lock,rust-toolchain*,go.mod,go.sum,go.work*,vendor/modules.txt}",
    "**/{pom.xml,build.gradle*,settings.gradle*,gradle.lockfile,libs.versions.toml,Gemfile*,*.gemspec,composer.*}",
    "**/{*.csproj,*.fsproj,packages.lock.json,Directory.Packages.props,Package.swift,Package.resolved,mix.exs,mix.lock,conanfile.*,vcpkg.json}",
];
const AUTOMATION: &[&str] = &[
    "**/.{github,circleci,buildkite,gitlab,husky,devcontainer}/**",
    "**/.cargo/**",
    "**/{.gitlab-ci.y*ml,.travis.y*ml,azure-pipelines.y*ml,Jenkinsfile,appveyor.y*ml,.drone.y*ml,bitbucket-pipelines.y*ml}",
    "**/{.pre-commit-config.yaml,.gitattributes,.gitmodules,.envrc,.edgecoderignore,build.rs}",
];

static TEST_SET: LazyLock<GlobSet> = LazyLock::new(|| builtin(TESTS));
static DEPENDENCY_SET: LazyLock<GlobSet> = LazyLock::new(|| builtin(DEPENDENCIES));
static AUTOMATION_SET: LazyLock<GlobSet> = LazyLock::new(|| builtin(AUTOMATION));

/// Whether `path` looks like a test or like what configures tests.
pub fn is_test_path(path: &str) -> bool {
    TEST_SET.is_match(path)
}

/// Whether `path` runs by itself where it arrives.
pub(crate) fn is_automation(path: &str) -> bool {
    AUTOMATION_SET.is_match(path)
}

/// Whether `path` is a manifest or lock file of a package manager.
pub(crate) fn declares_dependencies(path: &str) -> bool {
    DEPENDENCY_SET.is_match(path)
}

/// Whether a patch may touch `path` without breaking the contract or deciding what the verifier does. For paths
/// that a model proposes, so a path that could be read as a glob is none.
pub fn may_touch(path: &str, scope: &Scope, verifier: Option<&Verifier>) -> bool {
    let plain = !path.contains(['*', '?', '[', ']', '{', '}', '!', ',', '\\']);
    let command = verifier.map_or("", |verifier| verifier.command.as_str());
    plain && globs(&scope.allow).is_ok_and(|allowed| violation(path, scope, &allowed, command).is_none())
}

/// Checks a patch against the contract.
pub fn check(patch: &Patch, scope: &Scope) -> Result<(), Vec<ScopeViolation>> {
    check_with_verifier(patch, scope, None)
}

/// Checks a patch against the contract, and that it leaves alone what the verifier's command names.
pub fn check_with_verifier(
    patch: &Patch,
    scope: &Scope,
    verifier: Option<&Verifier>,
) -> Result<(), Vec<ScopeViolation>> {
    let mut violations = Vec::new();
    let allowed = match globs(&scope.allow) {
        Ok(set) => set,
        Err(glob) => return Err(vec![ScopeViolation::BadGlob { glob }]),
    };
    if patch.changes.len() > scope.max_files as usize {
        violations.push(ScopeViolation::TooManyFiles { files: patch.changes.len(), max: scope.max_files });
    }
    let command = verifier.map_or("", |verifier| verifier.command.as_str());
    for change in &patch.changes {
        violations.extend(violation(&change.path, scope, &allowed, command));
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

fn violation(path: &str, scope: &Scope, allowed: &GlobSet, command: &str) -> Option<ScopeViolation> {
    let owned = path.to_owned();
    if !is_safe_path(path) {
        return Some(ScopeViolation::UnsafePath { path: owned });
    }
    if scope.allow.iter().any(|glob| glob == path) {
        return None; // named, not matched: the person meant exactly this file
    }
    if !scope.allow.is_empty() && !allowed.is_match(path) {
        return Some(ScopeViolation::NotAllowed { path: owned });
    }
    if !scope.allow_test_changes && is_test_path(path) {
        return Some(ScopeViolation::TestFile { path: owned });
    }
    if !scope.allow_new_dependencies && DEPENDENCY_SET.is_match(path) {
        return Some(ScopeViolation::Dependencies { path: owned });
    }
    if AUTOMATION_SET.is_match(path) {
        return Some(ScopeViolation::Automation { path: owned });
    }
    decides_verifier(path, command).then_some(ScopeViolation::Verifier { path: owned })
}

/// A script that the command runs, or the file in which the command's tool looks for what to do.
fn decides_verifier(path: &str, command: &str) -> bool {
    let words = || {
        command
            .split(|c: char| c.is_whitespace() || ";&|()<>'\"=".contains(c))
            .map(|word| word.trim_start_matches("./").split("::").next().unwrap_or(word))
    };
    // Here the named file is what is examined, not what examines.
    if words().any(|word| ["doctest", "--doctest-modules", "py_compile", "compileall"].contains(&word)) {
        return false;
    }
    let tool = |names: &[&str]| words().any(|word| names.contains(&word.rsplit('/').next().unwrap_or(word)));
    let file = path.rsplit('/').next().unwrap_or(path);
    words().any(|word| word == path)
        || (tool(&["make", "gmake"])
            && (matches!(file, "Makefile" | "makefile" | "GNUmakefile") || file.ends_with(".mk")))
        || (tool(&["just"]) && file.eq_ignore_ascii_case("justfile"))
        || (tool(&["cmake", "ctest"]) && file == "CMakeLists.txt")
        || (tool(&["docker", "docker-compose"])
            && (file.starts_with("Dockerfile") || file.contains("compose.")))
}

fn globs(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // "src" and "src/" mean all below src, as people write it.
        let folder = pattern.trim_end_matches('/');
        for pattern in [pattern.clone(), format!("{folder}/**")] {
            let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
            set.add(glob.map_err(|_| pattern.clone())?);
        }
    }
    set.build().map_err(|_| patterns.join(" "))
}

pub(crate) fn builtin(patterns: &[&str]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // `SplitTest.java` is a test, `Split.java` and `Latest.java` are none.
        let any_case = !pattern.contains("{Test");
        let glob = GlobBuilder::new(pattern).literal_separator(true).case_insensitive(any_case).build();
        set.add(glob.unwrap_or_else(|error| unreachable!("built-in glob: {error}")));
    }
    set.build().unwrap_or_else(|error| unreachable!("built-in globs: {error}"))
}
