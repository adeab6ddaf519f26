//! `edgecoder launch`: what an editor or agent must be told to use this node. Printed; with `--write` it is put into the
//! client's own file, after a look at the difference and beside a copy of what was there.

mod merge;
mod ordered;
mod write;

use clap::{Args, ValueEnum};
use edgecoder_base::Secret;

use super::Context;
use crate::error::{Error, Exit};
use crate::home::Token;

/// Shown as API key where the door wants none: clients insist on having one.
const ANY_KEY: &str = "any";

#[derive(Debug, Clone, Args)]
pub(crate) struct LaunchArgs {
    /// The editor or agent
    #[arg(value_enum)]
    pub(crate) client: Client,
    /// Model to name
    #[arg(long, default_value = "edgecoder-auto", value_name = "MODEL")]
    pub(crate) model: String,
    /// Put the settings into the client's own file: shows the difference, asks, and keeps a copy of what was there
    #[arg(long)]
    pub(crate) write: bool,
    /// Write without asking
    #[arg(long, requires = "write")]
    pub(crate) yes: bool,
}

/// What can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    Aider,
    Claude,
    Codex,
    Continue,
    Cursor,
    Goose,
    Opencode,
    Vscode,
    Windsurf,
    Zed,
}

/// The door as a client must be told of it.
#[derive(Debug, Clone, Copy)]
struct Door<'a> {
    url: &'a str,
    key: &'a str,
    model: &'a str,
}

pub(super) fn run(context: &Context, args: &LaunchArgs) -> Result<Exit, Error> {
    let config = &context.loaded.config.ide;
    let running = context.data.running()?;
    let url = running.as_ref().and_then(|node| node.doors.get("ide").cloned());
    let url = url.unwrap_or_else(|| format!("http://127.0.0.1:{}", config.port));
    let key = match (config.requires_token(), &config.token) {
        (false, _) => Some(Secret::new(ANY_KEY.to_owned())),
        (true, Some(token)) => Some(token.clone()),
        (true, None) => context.data.known_token(Token::Ide)?,
    };
    let key = key.ok_or_else(|| Error::Usage("start the node once: it makes the door's token".to_owned()))?;
    let door = Door { url: url.trim_end_matches('/'), key: key.expose(), model: &args.model };
    if running.is_none() {
        context.out.line("No node runs with this data directory yet: `edgecoder up` starts one.\n");
    }
    if args.write {
        return write::write(context, args.client, &door, args.yes);
    }
    context.out.line(settings(args.client, &door));
    Ok(Exit::Done)
}

/// What to type, or what to write where.
fn settings(client: Client, door: &Door<'_>) -> String {
    let Door { url, key, model } = door;
    match client {
        Client::Aider => format!(
            "aider --openai-api-base {url}/v1 --openai-api-key {key} --model openai/{model} --no-show-model-warnings"
        ),
        Client::Claude => format!(
            "ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={key} ANTHROPIC_MODEL={model} \\\n    \
             ANTHROPIC_SMALL_FAST_MODEL={model} claude"
        ),
        Client::Goose => format!(
            "GOOSE_PROVIDER=openai OPENAI_HOST={url} OPENAI_API_KEY={key} GOOSE_MODEL={model} goose session"
        ),
        Client::Codex => format!(
            "In ~/.codex/config.toml, then start it with EDGECODER_KEY={key} in the environment:\n\n\
             model = \"{model}\"\nmodel_provider = \"edgecoder\"\n\n[model_providers.edgecoder]\n\
             name = \"EdgeCoder\"\nbase_url = \"{url}/v1\"\nenv_key = \"EDGECODER_KEY\"\nwire_api = \"responses\""
        ),
        Client::Continue => format!(
            "In ~/.continue/config.yaml:\n\nmodels:\n  - name: EdgeCoder\n    provider: openai\n    model: {model}\n    \
             apiBase: {url}/v1\n    apiKey: {key}\n    roles: [chat, edit, apply, autocomplete]"
        ),
        Client::Opencode => format!(
            "In opencode.json of the project:\n\n{{\n  \"provider\": {{\n    \"edgecoder\": {{\n      \
             \"npm\": \"@ai-sdk/openai-compatible\",\n      \"options\": {{ \"baseURL\": \"{url}/v1\", \"apiKey\": \"{key}\" }},\n      \
             \"models\": {{ \"{model}\": {{}} }}\n    }}\n  }},\n  \"model\": \"edgecoder/{model}\"\n}}"
        ),
        Client::Zed => format!(
            "In Zed's settings.json, and {key} as its API key in the agent's settings:\n\n{{\n  \"language_models\": {{\n    \
             \"openai_compatible\": {{\n      \"EdgeCoder\": {{\n        \"api_url\": \"{url}/v1\",\n        \
             \"available_models\": [{{ \"name\": \"{model}\", \"max_tokens\": 8192 }}]\n      }}\n    }}\n  }}\n}}"
        ),
        Client::Cursor | Client::Vscode | Client::Windsurf => format!(
            "In its settings of models, as OpenAI-compatible provider:\n\n  base URL  {url}/v1\n  API key   {key}\n  \
             model     {model}\n\nVS Code's own chat also takes Ollama as provider: {url}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_client_is_told_address_key_and_model() {
        let door = Door { url: "http://127.0.0.1:4304", key: "the-key", model: "the-model" };
        for client in Client::value_variants() {
            let told = settings(*client, &door);
            for part in [door.url, door.key, door.model] {
                assert!(told.contains(part), "{client:?} is not told {part}: {told}");
            }
        }
    }

    #[test]
    fn what_is_written_says_the_same_and_only_once() {
        let door = Door { url: "http://127.0.0.1:4304", key: "the-key", model: "the-model" };
        let home = Path::new("/home/a");
        for client in Client::value_variants() {
            let Some(file) = write::file(*client, home, Path::new("/project")) else { continue };
            assert!(file.is_absolute());
            let written = write::merged(*client, "", &door).unwrap().unwrap();
            for part in [door.url, door.model] {
                assert!(written.contains(part), "{client:?} is not told {part}: {written}");
            }
            assert_eq!(write::merged(*client, &written, &door).unwrap(), None, "{client:?}");
        }
        let taken = write::merged(Client::Continue, "models:\n  - name: mine\n", &door);
        assert!(taken.is_err());
    }

    #[test]
    fn what_is_json_parses() {
        let door = Door { url: "http://127.0.0.1:4304", key: "k", model: "m" };
        for client in [Client::Opencode, Client::Zed] {
            let told = settings(client, &door);
            let json = &told[told.find("\n\n").unwrap()..];
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
        }
    }
}
