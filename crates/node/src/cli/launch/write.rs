//! `edgecoder launch … --write`: puts the settings into the client's own file. Shows the difference first, asks, and keeps
//! what was there beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use similar::TextDiff;

use super::merge::{self, Refusal};
use super::{Client, Door};
use crate::cli::Context;
use crate::cli::ask::agreed;
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};
use crate::roles::now;

/// Where a client keeps its settings; none for those that keep them where no file is to be written.
pub(super) fn file(client: Client, home: &Path, project: &Path) -> Option<PathBuf> {
    Some(match client {
        Client::Aider => home.join(".aider.conf.yml"),
        Client::Claude => home.join(".claude/settings.json"),
        Client::Codex => home.join(".codex/config.toml"),
        Client::Continue => home.join(".continue/config.yaml"),
        Client::Opencode => project.join("opencode.json"),
        Client::Zed => home.join(".config/zed/settings.json"),
        Client::Cursor | Client::Goose | Client::Vscode | Client::Windsurf => return None,
    })
}

/// What the file says when it says ours too; none when it does already.
pub(super) fn merged(client: Client, text: &str, door: &Door<'_>) -> Result<Option<String>, Refusal> {
    let Door { url, key, model } = *door;
    let address = format!("{url}/v1");
    match client {
        Client::Aider => {
            let name = format!("openai/{model}");
            let keys = [("openai-api-base", address.as_str()), ("openai-api-key", key), ("model", &name)];
            Ok(merge::flat_yaml(text, &keys))
        }
        Client::Claude => {
            let names = ["ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL"].map(|name| (name, model));
            let all = [("ANTHROPIC_BASE_URL", url), ("ANTHROPIC_API_KEY", key)].into_iter().chain(names);
            let env: serde_json::Map<_, _> =
                all.map(|(name, value)| (name.to_owned(), value.into())).collect();
            merge::json(text, &json!({ "env": env }))
        }
        Client::Codex => {
            let top = [("model", model), ("model_provider", "edgecoder")];
            let body = [
                ("name", "EdgeCoder"),
                ("base_url", &address),
                ("env_key", "EDGECODER_KEY"),
                ("wire_api", "responses"),
            ];
            merge::toml(text, &top, "model_providers.edgecoder", &body)
        }
        Client::Continue => continue_yaml(text, &address, door),
        Client::Opencode => {
            let models = json!({ model: {} });
            let options = json!({ "baseURL": address, "apiKey": key });
            let provider =
                json!({ "npm": "@ai-sdk/openai-compatible", "options": options, "models": models });
            let ours =
                json!({ "provider": { "edgecoder": provider }, "model": format!("edgecoder/{model}") });
            merge::json(text, &ours)
        }
        Client::Zed => {
            let models = json!([{ "name": model, "max_tokens": 8192 }]);
            let provider = json!({ "EdgeCoder": { "api_url": address, "available_models": models } });
            merge::json(text, &json!({ "language_models": { "openai_compatible": provider } }))
        }
        Client::Cursor | Client::Goose | Client::Vscode | Client::Windsurf => Ok(None),
    }
}

/// A list in YAML cannot be added to without reading YAML: only a file without one is.
fn continue_yaml(text: &str, address: &str, door: &Door<'_>) -> Result<Option<String>, Refusal> {
    let Door { key, model, .. } = *door;
    let entry = format!(
        "models:\n  - name: EdgeCoder\n    provider: openai\n    model: {model}\n    apiBase: {address}\n    \
         apiKey: {key}\n    roles: [chat, edit, apply, autocomplete]\n"
    );
    if text.contains(&entry) {
        return Ok(None);
    }
    if text.lines().any(|line| line.starts_with("models:")) {
        return Err(Refusal::Taken("models".to_owned()));
    }
    let head = if text.trim().is_empty() { "name: EdgeCoder\nversion: 0.0.1\nschema: v1\n" } else { text };
    let end = if head.ends_with('\n') { "" } else { "\n" };
    Ok(Some(format!("{head}{end}{entry}")))
}

/// Shows what changes, asks unless `yes`, keeps what was there, and writes.
pub(super) fn write(context: &Context, client: Client, door: &Door<'_>, yes: bool) -> Result<Exit, Error> {
    let out = context.out;
    let home = context.env.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.ok_or_else(|| Error::Usage("HOME is not set, so no settings are found".to_owned()))?;
    let project = std::env::current_dir().map_err(Error::io("find", "the working directory"))?;
    let Some(file) = file(client, &home, &project) else {
        let text = "this client keeps its settings itself; without --write they are printed";
        return Err(Error::Usage(text.to_owned()));
    };
    // Settings are often links into a folder of their own.
    let file = fs::canonicalize(&file).unwrap_or(file);
    let before = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::Io { doing: "read", path: file, source }),
    };
    let text = before.as_deref().unwrap_or_default();
    let refused = |why: Refusal| {
        Error::Usage(format!(
            "{} is left as it is: {why}; without --write the settings are printed",
            file.display()
        ))
    };
    let Some(after) = merged(client, text, door).map_err(refused)? else {
        out.line(format_args!("{} says so already", file.display()));
        return Ok(Exit::Done);
    };
    let name = file.display().to_string();
    let diff = TextDiff::from_lines(text, &after).unified_diff().header(&name, &name).to_string();
    out.line(harmless(diff.trim_end()));
    if !yes && !agreed(context, "write this?", "add --yes to write what is shown above")? {
        out.note("nothing was written");
        return Ok(Exit::Cancelled);
    }
    if before.is_some() {
        let backup = backup(&file);
        fs::copy(&file, &backup).map_err(Error::io("copy to", &backup))?;
        out.note(format_args!("what was there: {}", backup.display()));
    }
    replace(&file, &after)?;
    out.line(format_args!("{} {}", out.paint(Style::Good, "wrote"), file.display()));
    if client == Client::Codex {
        out.note(format_args!("start it with EDGECODER_KEY={} in the environment", door.key));
    }
    if client == Client::Zed {
        out.note(format_args!("its API key stands in the agent's settings: {}", door.key));
    }
    Ok(Exit::Done)
}

/// Beside the file, under a name that tells when, and that is free.
fn backup(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".bak-{}", now().as_millis()));
    PathBuf::from(name)
}

/// Whole or not at all, with the permissions that were there; a new file is the owner's alone, for it holds a key.
fn replace(file: &Path, text: &str) -> Result<(), Error> {
    let folder = file.parent().unwrap_or_else(|| Path::new("/"));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text.as_bytes())?;
        if let Ok(found) = fs::metadata(file) {
            new.as_file().set_permissions(found.permissions())?;
        }
        new.as_file().sync_data()?;
        new.persist(file).map_err(|error| error.error)
    };
    write().map(drop).map_err(Error::io("write", file))
}
