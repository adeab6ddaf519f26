//! What a settings file says when it says ours too. Text in, text out: everything else in a file stays, and a file that
//! cannot be understood is left alone.

use serde_json::Value as Json;
use toml::{Table, Value as Toml};

use super::ordered::Ordered;

/// Why a file is not changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Not strict JSON, or not an object: comments would be lost.
    #[error("it is not plain JSON (comments count): {0}")]
    Json(String),
    /// Not TOML.
    #[error("it is not TOML: {0}")]
    Toml(String),
    /// It says something where ours would stand.
    #[error("it has {0:?} of its own")]
    Taken(String),
}

/// `text` with `ours` merged in, object by object. None when nothing changes.
pub(super) fn json(text: &str, ours: &Json) -> Result<Option<String>, Refusal> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let refused = |error: serde_json::Error| Refusal::Json(error.to_string());
    let mut file: Ordered = serde_json::from_str(text).map_err(refused)?;
    if !matches!(file, Ordered::Object(_)) {
        return Err(Refusal::Json("it is no object".to_owned()));
    }
    let changed = file.merge(ours);
    let written = serde_json::to_string_pretty(&file).map_err(refused)?;
    Ok(changed.then_some(written + "\n"))
}

/// `text` with the keys of `top` set and the section `section` as `body`. Comments and order of all else stay: lines are
/// changed, and what came of it is read again and compared. None when nothing changes.
pub(super) fn toml(
    text: &str,
    top: &[(&str, &str)],
    section: &str,
    body: &[(&str, &str)],
) -> Result<Option<String>, Refusal> {
    let read = |text: &str| text.parse::<Table>().map_err(|error| Refusal::Toml(error.message().to_owned()));
    let before = read(text)?;
    let mut expected = before.clone();
    for (key, value) in top {
        expected.insert((*key).to_owned(), Toml::String((*value).to_owned()));
    }
    let (outer, name) = section.split_once('.').unwrap_or((section, ""));
    let own = body.iter().map(|(key, value)| ((*key).to_owned(), Toml::String((*value).to_owned())));
    let sections = expected.entry(outer).or_insert_with(|| Toml::Table(Table::new()));
    let Toml::Table(sections) = sections else { return Err(Refusal::Taken(outer.to_owned())) };
    sections.insert(name.to_owned(), Toml::Table(own.collect()));
    if expected == before {
        return Ok(None);
    }
    let line = |(key, value): &(&str, &str)| format!("{key} = {}\n", Toml::String((*value).to_owned()));
    let mut merged: String = top.iter().map(line).collect();
    let mut inside = String::new();
    for part in text.split_inclusive('\n') {
        let trimmed = part.trim();
        if trimmed.starts_with('[') {
            inside = trimmed.trim_matches(['[', ']']).to_owned();
        }
        let key = trimmed.split('=').next().unwrap_or_default().trim();
        let ours = inside.is_empty() && trimmed.contains('=') && top.iter().any(|(own, _)| *own == key);
        if !ours && inside != section {
            merged.push_str(part);
        }
    }
    if !merged.ends_with('\n') {
        merged.push('\n');
    }
    merged.push_str(&format!("\n[{section}]\n"));
    merged.extend(body.iter().map(line));
    // A line that looked like one and was part of a longer value would show here.
    match read(&merged)? == expected {
        true => Ok(Some(merged)),
        false => Err(Refusal::Taken(section.to_owned())),
    }
}

/// `text` with top-level `keys` of a flat YAML file set. None when nothing changes.
pub(super) fn flat_yaml(text: &str, keys: &[(&str, &str)]) -> Option<String> {
    let mut left: Vec<_> = keys.iter().collect();
    let mut merged = String::new();
    for part in text.split_inclusive('\n') {
        let key = part.split(':').next().unwrap_or_default();
        match left.iter().position(|(own, _)| *own == key && part.contains(':')) {
            Some(at) => {
                let (key, value) = left.remove(at);
                merged.push_str(&format!("{key}: {value}\n"));
            }
            None => merged.push_str(part),
        }
    }
    if !merged.is_empty() && !merged.ends_with('\n') {
        merged.push('\n');
    }
    merged.extend(left.iter().map(|(key, value)| format!("{key}: {value}\n")));
    (merged != text).then_some(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_keeps_what_is_not_ours_and_its_order() {
        let ours = json!({"a": {"b": 1}, "c": "d"});
        let text = "{\n  \"z\": [1],\n  \"a\": {\n    \"x\": true,\n    \"b\": 2\n  }\n}";
        let merged = json(text, &ours).unwrap().unwrap();
        let expected = "{\n  \"z\": [\n    1\n  ],\n  \"a\": {\n    \"x\": true,\n    \"b\": 1\n  },\n  \"c\": \"d\"\n}\n";
        assert_eq!(merged, expected);
        assert_eq!(json(&merged, &ours), Ok(None), "a second time changes nothing");
        assert!(json("", &ours).unwrap().is_some());
        for wrong in ["// mine\n{}", "[1]", "{"] {
            assert!(matches!(json(wrong, &ours), Err(Refusal::Json(_))), "{wrong}");
        }
    }

    const TOP: &[(&str, &str)] = &[("model", "m"), ("model_provider", "own")];
    const BODY: &[(&str, &str)] = &[("name", "Own"), ("base_url", "http://h/v1")];

    #[track_caller]
    fn check_toml(text: &str, expected: &str) {
        let merged = toml(text, TOP, "model_providers.own", BODY).unwrap().unwrap();
        assert_eq!(merged, expected);
        assert_eq!(
            toml(&merged, TOP, "model_providers.own", BODY),
            Ok(None),
            "a second time changes nothing"
        );
    }

    #[test]
    fn toml_keeps_comments_and_other_sections() {
        let ours = "\n[model_providers.own]\nname = \"Own\"\nbase_url = \"http://h/v1\"\n";
        let top = "model = \"m\"\nmodel_provider = \"own\"\n";
        check_toml("", &format!("{top}{ours}"));
        check_toml(
            "# mine\nmodel = \"old\"\nother = 1\n[model_providers.own]\nname = \"Old\"\n[model_providers.x]\nmodel = \"y\"\n",
            &format!("{top}# mine\nother = 1\n[model_providers.x]\nmodel = \"y\"\n{ours}"),
        );
    }

    #[test]
    fn toml_that_cannot_be_changed_line_by_line_is_left_alone() {
        let refused = |text: &str| toml(text, TOP, "model_providers.own", BODY).unwrap_err();
        assert!(matches!(refused("= ="), Refusal::Toml(_)));
        assert!(matches!(refused("model_providers = 3\n"), Refusal::Taken(_)));
        assert!(matches!(
            refused("text = \"\"\"\nmodel = 1\n\"\"\"\n"),
            Refusal::Taken(_) | Refusal::Toml(_)
        ));
        let inline = refused("model_providers = { own = { name = \"x\" } }\n");
        assert!(matches!(inline, Refusal::Taken(_) | Refusal::Toml(_)), "{inline:?}");
    }

    #[test]
    fn flat_yaml_keeps_all_other_lines() {
        let keys = [("a-key", "1"), ("b", "two")];
        let merged = flat_yaml("# mine\nb: old\nlist:\n  - b: 3\n", &keys).unwrap();
        assert_eq!(merged, "# mine\nb: two\nlist:\n  - b: 3\na-key: 1\n");
        assert_eq!(flat_yaml(&merged, &keys), None);
        assert_eq!(flat_yaml("", &keys).unwrap(), "a-key: 1\nb: two\n");
    }
}
