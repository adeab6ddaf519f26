//! The layers as flat lists of `section.key`, each value with its origin.

use std::path::PathBuf;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};
use crate::env::{self, Env, PUBLISHED};

/// A flag that sets a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flag {
    /// As the person typed it, for messages.
    pub(crate) flag: &'static str,
    /// The setting.
    pub(crate) key: &'static str,
    /// Its value.
    pub(crate) value: Value,
}

/// The settings file, already read.
#[derive(Debug, Clone)]
pub(crate) struct SettingsFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// Everything settings are read from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The settings file, if there is one.
    pub(crate) file: Option<SettingsFile>,
    /// The environment.
    pub(crate) env: Env,
    /// Flags.
    pub(crate) flags: Vec<Flag>,
}

/// A value as it was found: text has no type yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Typed(Value),
}

/// One value of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) raw: Raw,
}

/// All values, weakest layer first, and what is wrong with the layers themselves.
pub(super) fn flatten(sources: &Sources) -> (Vec<Setting>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut settings = sources.file.as_ref().map(|file| from_file(file, &mut problems)).unwrap_or_default();
    settings.extend(from_env(&sources.env, &mut problems));
    settings.extend(sources.flags.iter().map(|flag| Setting {
        key: flag.key.to_owned(),
        origin: Origin::Flag(flag.flag),
        raw: Raw::Typed(flag.value.clone()),
    }));
    (settings, problems)
}

fn from_file(file: &SettingsFile, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let at = |offset: usize| Origin::File {
        path: file.path.clone(),
        line: 1 + file.text.get(..offset).unwrap_or(&file.text).matches('\n').count(),
    };
    let root = match DeTable::parse(&file.text) {
        Ok(root) => root,
        Err(error) => {
            let origin = at(error.span().map_or(0, |span| span.start));
            problems.push(Problem { origin, key: String::new(), message: error.message().to_owned() });
            return Vec::new();
        }
    };
    let mut settings = Vec::new();
    for (section, body) in root.get_ref() {
        let DeValue::Table(table) = body.get_ref() else {
            let message = "settings stand in sections, like [node]".to_owned();
            let key = section.get_ref().to_string();
            problems.push(Problem { origin: at(section.span().start), key, message });
            continue;
        };
        for (key, value) in table {
            let name = format!("{}.{}", section.get_ref(), key.get_ref());
            let origin = at(key.span().start);
            match plain_value(value.get_ref()) {
                Some(value) => settings.push(Setting { key: name, origin, raw: Raw::Typed(value) }),
                None => {
                    problems.push(Problem { origin, key: name, message: "not a usable value".to_owned() })
                }
            }
        }
        if table.is_empty() && !super::show::is_section(section.get_ref()) {
            let message = "unknown section".to_owned();
            let key = section.get_ref().to_string();
            problems.push(Problem { origin: at(section.span().start), key, message });
        }
    }
    settings
}

/// The value without its place in the file; none for numbers that fit no integer.
fn plain_value(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(digits) => {
            Value::Integer(i64::from_str_radix(digits.as_str(), digits.radix()).ok()?)
        }
        DeValue::Float(digits) => Value::Float(digits.as_str().parse().ok()?),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(instant) => Value::Datetime(*instant),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| plain_value(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, item)| Some((key.get_ref().to_string(), plain_value(item.get_ref())?)))
                .collect::<Option<_>>()?,
        ),
    })
}

fn from_env(env: &Env, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    // An empty variable is an unset one: compose files pass all of them on, set or not.
    for (name, value) in env.iter().filter(|(_, value)| !value.is_empty()) {
        let origin = Origin::Variable(name.clone());
        let published = PUBLISHED.iter().find(|known| known.name == name);
        let key = match (published, env::own_key(name)) {
            (Some(known), _) => known.key.to_owned(),
            (None, Some(Ok(key))) => key,
            (None, Some(Err(()))) => {
                let message = "unknown name; settings are written EDGECODER_<SECTION>__<KEY>".to_owned();
                problems.push(Problem { origin, key: String::new(), message });
                continue;
            }
            (None, None) => continue,
        };
        let text = published.map_or_else(|| value.clone(), |known| env::read(known.reading, value));
        let raw = Raw::Text(text);
        match settings.iter().find(|other| other.key == key) {
            Some(other) if other.raw != raw => {
                let message = format!("{} gives it another value; keep one of the two", other.origin);
                problems.push(Problem { origin, key, message });
            }
            Some(_) => {}
            None => settings.push(Setting { key, origin, raw }),
        }
    }
    settings
}
