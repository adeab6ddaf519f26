//! The rule crates' clippy.toml replaces the root's: it must repeat every ban and exception of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::Breach;

const RULES_FILE: &str = "crates/rules/clippy.toml";

pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Breach>> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"));
    compare(&read("clippy.toml")?, &read(RULES_FILE)?)
}

fn compare(root: &str, rules: &str) -> anyhow::Result<Vec<Breach>> {
    let rules = settings(rules).with_context(|| format!("parsing {RULES_FILE}"))?;
    let missing =
        settings(root).context("parsing clippy.toml")?.into_iter().filter(|entry| !rules.contains(entry));
    Ok(missing
        .map(|entry| {
            Breach::new(RULES_FILE, format!("must repeat {entry}, because it replaces the root's file"))
        })
        .collect())
}

/// Every banned path and every plain setting, one string each.
fn settings(text: &str) -> anyhow::Result<BTreeSet<String>> {
    let table: toml::Table = text.parse()?;
    Ok(table
        .iter()
        .flat_map(|(key, value)| match value.as_array() {
            Some(entries) => entries.iter().map(|entry| format!("{key} {}", path_of(entry))).collect(),
            None => vec![format!("{key} = {value}")],
        })
        .collect())
}

/// A ban is written `"path"` or `{ path = "…", reason = "…" }`.
fn path_of(entry: &toml::Value) -> String {
    entry.get("path").unwrap_or(entry).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(root: &str, rules: &str, expected: usize) {
        assert_eq!(compare(root, rules).unwrap().len(), expected, "{root}\n{rules}");
    }

    #[test]
    fn the_rules_may_add_bans_but_drop_none() {
        let root = "a = true\ndisallowed-methods = [{ path = \"x::y\", reason = \"z\" }]";
        check(root, root, 0);
        check(root, "a = true\ndisallowed-methods = [\"x::y\", \"x::z\"]", 0);
        check(root, "a = true\ndisallowed-methods = [\"x::z\"]", 1);
        check(root, "a = false\ndisallowed-types = [\"x::y\"]", 2);
    }
}
