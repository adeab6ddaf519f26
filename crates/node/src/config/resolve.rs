//! From layers to one typed tree: every value is tried on its own, so that all problems come out at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::layers::{Raw, Setting, Sources, flatten};
use super::problem::{Origin, Problem, Problems};
use super::{Config, check, show};

/// Settings, and where each that is not a default came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) config: Config,
    /// Origin of each set key.
    pub(crate) origins: BTreeMap<String, Origin>,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
}

impl Loaded {
    /// Where the value of `key` came from.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

/// Reads all layers into one tree.
pub(crate) fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let (settings, mut problems) = flatten(sources);
    let mut tree = Table::new();
    let mut origins = BTreeMap::new();
    for setting in settings {
        match typed(&setting) {
            Ok(value) => {
                put(&mut tree, &setting.key, value);
                origins.insert(setting.key, setting.origin);
            }
            Err(message) => problems.push(Problem { origin: setting.origin, key: setting.key, message }),
        }
    }
    let file = sources.file.as_ref().map(|file| file.path.clone());
    // Each value passed on its own, so the whole passes too; a fault here is one of the tree as such.
    let config = Value::Table(tree).try_into().map_err(|error: toml::de::Error| {
        Problems(vec![Problem { origin: Origin::Default, key: String::new(), message: error.to_string() }])
    })?;
    let loaded = Loaded { config, origins, file };
    problems.extend(check::check(&loaded));
    if problems.is_empty() {
        return Ok(loaded);
    }
    problems.sort();
    problems.dedup();
    Err(Problems(problems))
}

/// The setting's value in the type its key wants.
fn typed(setting: &Setting) -> Result<Value, String> {
    let candidates = match &setting.raw {
        Raw::Typed(value) => vec![value.clone()],
        Raw::Text(text) => readings(text),
    };
    let mut reason = None;
    for value in candidates {
        match try_alone(&setting.key, value.clone()) {
            Ok(()) => return Ok(value),
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    let reason = reason.unwrap_or_else(|| "has no value".to_owned());
    // The parser quotes what it was given; a secret must not be quoted.
    if show::is_secret(&setting.key) { Err("does not have the right form".to_owned()) } else { Err(reason) }
}

/// What a text can mean, the likeliest for an error message first.
fn readings(text: &str) -> Vec<Value> {
    let as_text = Value::String(text.to_owned());
    let scalar = toml::from_str::<Table>(&format!("x = {text}")).ok().and_then(|mut table| table.remove("x"));
    let list = Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect());
    let switch = match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "on" => Some(Value::Boolean(true)),
        "0" | "no" | "off" => Some(Value::Boolean(false)),
        _ => None,
    };
    let number = matches!(scalar, Some(Value::Integer(_) | Value::Float(_)));
    let mut all: Vec<Value> = [scalar, switch].into_iter().flatten().collect();
    // A token made of digits is a text, and "99999" as a port is best refused as a number.
    all.insert(usize::from(number).min(all.len()), as_text);
    all.push(list);
    all
}

fn try_alone(key: &str, value: Value) -> Result<(), String> {
    let mut tree = Table::new();
    put(&mut tree, key, value);
    let parsed: Result<Config, toml::de::Error> = Value::Table(tree).try_into();
    parsed.map(drop).map_err(|error| error.message().trim().to_owned())
}

fn put(tree: &mut Table, key: &str, value: Value) {
    let Some((section, name)) = key.split_once('.') else { return };
    let section = tree.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
}
