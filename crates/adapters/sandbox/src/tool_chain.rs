//! Finds the compilers and interpreters that one user installed, without showing the rest of the home.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Version managers and compilers that live in a directory of their own right below the home.
const KNOWN: &[&str] = &[
    ".asdf",
    ".bun",
    ".cargo",
    ".deno",
    ".fnm",
    ".ghcup",
    ".juliaup",
    ".nvm",
    ".opam",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "anaconda3",
    "go",
    "miniconda3",
    "miniforge3",
];
/// What `cargo` in `.cargo/bin` really runs.
const RUSTUP: &str = ".rustup";
/// Trees the sandbox shows anyway.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"];

/// Directories to be shown read-only so that the programs on `path_var` work: known version managers,
/// virtual environments with the interpreter they were made from, and plain program folders. Never `home`
/// itself, never a hidden folder of it that is not a tool chain.
pub fn detect_tool_chains(path_var: &str, home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in entries(path_var) {
        for tree in trees_of(&entry, home) {
            let known = found.iter().any(|seen: &PathBuf| tree.starts_with(seen));
            if !known && tree != Path::new("/") && !home.starts_with(&tree) && tree.is_dir() {
                found.retain(|seen| !seen.starts_with(&tree));
                found.push(tree);
            }
        }
    }
    found
}

/// The entries of `path_var` that lie in one of `tool_chains`, in order.
pub fn jail_path(path_var: &str, tool_chains: &[PathBuf]) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for entry in entries(path_var) {
        if tool_chains.iter().any(|tree| entry.starts_with(tree)) && !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    kept
}

/// Absolute entries without `..`, which alone can be compared with a prefix; `:` cannot occur in them.
fn entries(path_var: &str) -> impl Iterator<Item = PathBuf> + '_ {
    let plain = |path: &PathBuf| {
        path.is_absolute() && path.components().all(|part| !matches!(part, Component::ParentDir))
    };
    path_var.split(':').map(PathBuf::from).filter(plain)
}

fn trees_of(entry: &Path, home: &Path) -> Vec<PathBuf> {
    if SYSTEM.iter().any(|tree| entry.starts_with(tree)) {
        return Vec::new();
    }
    if let Some(environment) = entry.parent().filter(|parent| is_environment(parent)) {
        return [vec![environment.to_owned()], base_interpreter(environment, home)].concat();
    }
    let Ok(inside) = entry.strip_prefix(home) else { return Vec::new() };
    let Some(first) = inside.components().next().and_then(|part| part.as_os_str().to_str()) else {
        return Vec::new();
    };
    if KNOWN.contains(&first) {
        let mut trees = vec![home.join(first)];
        if first == ".cargo" {
            trees.push(home.join(RUSTUP));
        }
        return trees;
    }
    if inside == Path::new(".local/bin") {
        return vec![home.join(".local/bin"), home.join(".local/lib")];
    }
    if first.starts_with('.') { Vec::new() } else { vec![entry.to_owned()] }
}

fn is_environment(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").is_file() || folder.join("conda-meta").is_dir()
}

/// A virtual environment links to the interpreter named in its `pyvenv.cfg`, which may be a user's own.
fn base_interpreter(environment: &Path, home: &Path) -> Vec<PathBuf> {
    let Ok(settings) = fs::read_to_string(environment.join("pyvenv.cfg")) else { return Vec::new() };
    let value = settings.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "home").then(|| PathBuf::from(value.trim()))
    });
    // An interpreter that claims to live in its own environment would make this endless.
    match value {
        Some(base) if !base.starts_with(environment) && base.parent().is_some_and(|p| !is_environment(p)) => {
            let trees = trees_of(&base, home);
            // An installation in a place of its own: shown alone, never what lies around it.
            let alone = || base.parent().filter(|_| base.join("python3").is_file()).map(Path::to_owned);
            if trees.is_empty() && base.starts_with(home) { alone().into_iter().collect() } else { trees }
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let folders =
            [".pyenv/shims", ".pyenv/bin", ".cargo/bin", ".rustup", ".ssh/bin", ".local/bin", ".local/lib"];
        for folder in folders.iter().chain(&["bin", "code/venv/bin", ".local/share/keyrings"]) {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        let settings = format!("home = {}/.pyenv/bin\n", home.path().display());
        fs::write(home.path().join("code/venv/pyvenv.cfg"), settings).unwrap();
        let base = ".local/share/uv/python/3.13";
        fs::create_dir_all(home.path().join(base).join("bin")).unwrap();
        fs::create_dir_all(home.path().join("code/uv/bin")).unwrap();
        fs::write(home.path().join(base).join("bin/python3"), "").unwrap();
        let settings = format!("version = 3\nhome = {}/{base}/bin\n", home.path().display());
        fs::write(home.path().join("code/uv/pyvenv.cfg"), settings).unwrap();
        home
    }

    #[track_caller]
    fn check(entries: &[&str], trees: &[&str]) {
        let home = home();
        let name = home.path().to_str().unwrap();
        let path_var = entries.iter().map(|entry| entry.replace('~', name)).collect::<Vec<_>>().join(":");
        let found = detect_tool_chains(&path_var, home.path());
        let expected: Vec<_> = trees.iter().map(|tree| PathBuf::from(tree.replace('~', name))).collect();
        assert_eq!(found, expected, "{entries:?}");
    }

    #[test]
    fn tool_chains_are_found_and_nothing_else_of_the_home() {
        check(&["~/.pyenv/shims", "~/.pyenv/bin", "/usr/bin"], &["~/.pyenv"]);
        check(&["~/.cargo/bin"], &["~/.cargo", "~/.rustup"]);
        check(&["~/code/venv/bin"], &["~/code/venv", "~/.pyenv"]);
        check(&["~/code/uv/bin"], &["~/code/uv", "~/.local/share/uv/python/3.13"]);
        check(&["~/.local/bin"], &["~/.local/bin", "~/.local/lib"]);
        check(&["~/bin"], &["~/bin"]);
        check(&["~", "~/", "/", "", ".", "bin", "~/.ssh/bin", "~/../x", "~/missing"], &[]);
        check(&["/usr/local/bin", "/opt/x/bin", "/bin", "/srv/none"], &[]);
    }

    #[test]
    fn the_search_path_keeps_its_order() {
        let trees = [PathBuf::from("/h/.a"), PathBuf::from("/h/.b")];
        let kept = jail_path("/h/.b/bin:/usr/bin:/h/.a/bin:/h/.b/bin:/h/.ab", &trees);
        assert_eq!(kept, [PathBuf::from("/h/.b/bin"), PathBuf::from("/h/.a/bin")]);
    }
}
