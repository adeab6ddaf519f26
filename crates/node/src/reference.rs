//! The pages of `docs/reference` about this program, made from what they describe; a test says when one is stale.

use std::fmt::Write as _;

use clap::CommandFactory;
use serde_json::Value;

use crate::cli::Cli;
use crate::config::schema;
use crate::env::{ELSEWHERE, NOT_SETTINGS, PREFIX, PUBLISHED, Reading};

const MADE: &str = "This page is generated: `edgecoder __reference docs/reference`.\n";

/// File names and contents.
pub(crate) fn pages() -> [(&'static str, String); 3] {
    [("cli.md", cli()), ("configuration.md", configuration()), ("environment.md", environment())]
}

fn cli() -> String {
    let mut text = format!("# Command line\n\n{MADE}");
    let mut root = Cli::command().term_width(100);
    root.build();
    describe(&mut text, &mut root, "edgecoder");
    text
}

fn describe(text: &mut String, command: &mut clap::Command, path: &str) {
    let help = command.clone().term_width(100).bin_name(path).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n## `{path}`\n\n```\n{}\n```\n", lines.join("\n").trim_end());
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set()) {
        let path = format!("{path} {}", sub.get_name());
        describe(text, sub, &path);
    }
}

fn configuration() -> String {
    let schema = schema();
    let mut text = format!(
        "# Settings\n\n{MADE}\nRead from `edgecoder.toml` in the working directory, else in the data directory, or from the file\n\
         named by `--config` or `EDGECODER_CONFIG`; then from the environment ([environment.md](environment.md)); then\n\
         from flags. The later wins. `edgecoder config print` shows where each value comes from.\n"
    );
    for (section, body) in entries(&schema, "/properties") {
        let _ = write!(text, "\n## `[{section}]`\n\n| setting | default | what it is |\n|---|---|---|\n");
        let name = body.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        let fields = format!("/$defs/{}/properties", name.unwrap_or_default());
        let defaults = body.get("default").cloned().unwrap_or_default();
        for (key, field) in entries(&schema, &fields) {
            let default = defaults.get(key).map(|value| format!("`{value}`")).unwrap_or_default();
            let default = default.replace(std::env::consts::OS, "<this system>");
            let words = field.get("description").and_then(Value::as_str).unwrap_or_default();
            let words = words.replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(text, "| `{key}` | {default} | {words} |");
        }
    }
    text
}

fn entries<'a>(schema: &'a Value, pointer: &str) -> Vec<(&'a String, &'a Value)> {
    schema.pointer(pointer).and_then(Value::as_object).into_iter().flatten().collect()
}

fn environment() -> String {
    let mut text = format!(
        "# Environment\n\n{MADE}\nEvery setting of [configuration.md](configuration.md) may stand in the environment as\n\
         `{PREFIX}<SECTION>__<KEY>`, for example `{PREFIX}COORDINATOR__PORT`. The names below mean the same settings; where\n\
         two names of one setting disagree, nothing starts. An empty variable is an unset one.\n\n\
         | variable | setting | how it is read |\n|---|---|---|\n"
    );
    for known in PUBLISHED {
        let reading = match known.reading {
            Reading::Plain => "",
            Reading::Provider => "`edgecoder-local` is engine `local`, `ollama-local` is engine `ollama`",
            Reading::Inverted => "`1` switches off, `0` on",
            Reading::OllamaHost => "scheme and port may be missing, as for Ollama itself",
            Reading::Pem => "line ends may be written `\\n`",
            Reading::JsonTexts => "a JSON object, name to PEM",
        };
        let _ = writeln!(text, "| `{}` | `{}` | {reading} |", known.name, known.key);
    }
    text.push_str("\nRead, but no settings:\n\n| variable | what becomes of it |\n|---|---|\n");
    for name in NOT_SETTINGS {
        let what = if *name == "EDGECODER_CONFIG" {
            "the settings file to read"
        } else {
            "set by older installers; ignored"
        };
        let _ = writeln!(text, "| `{name}` | {what} |");
    }
    text.push_str(
        "| `NO_COLOR` | no colour |\n| `OTEL_EXPORTER_OTLP_HEADERS` | sent to the collector with spans |\n",
    );
    text.push_str("\nOf earlier versions, not honoured yet; they may be set and change nothing:\n\n| variable | belongs to |\n|---|---|\n");
    for (name, part) in ELSEWHERE {
        let _ = writeln!(text, "| `{name}` | {part} |");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_page_is_stale() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
        for (name, text) in super::pages() {
            let kept = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                kept == text,
                "docs/reference/{name} is stale: run `edgecoder __reference docs/reference`"
            );
        }
    }
}
