//! `[mcp]`: the person's own MCP servers, whose tools are lent to the companion.

use std::collections::BTreeMap;
use std::time::Duration;

use edgecoder_base::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// Longest name of a server: with the tool's behind it, one that every engine takes.
const MAX_NAME_BYTES: usize = 20;
/// Most servers: the tools of all stand in every prompt.
const MAX_SERVERS: usize = 8;
/// Longest time for a call, seconds.
const MAX_TIMEOUT_S: u32 = 3_600;

/// `[mcp]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct McpConfig {
    /// Servers by name, each started in the sandbox when a session first asks for tools: without network, and without
    /// any file of yours. At most 8.
    pub(crate) servers: BTreeMap<String, McpServerConfig>,
}

/// `[mcp.servers.<name>]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct McpServerConfig {
    /// The program, by name or path.
    pub(crate) command: String,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Variables it sees, besides the sandbox's own.
    #[serde(serialize_with = "names_only")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) env: BTreeMap<String, Secret<String>>,
    /// Longest time for one call, seconds.
    pub(crate) timeout_s: u32,
}

impl Default for McpServerConfig {
    fn default() -> Self {
        Self { command: String::new(), args: Vec::new(), env: BTreeMap::new(), timeout_s: 60 }
    }
}

/// Variables of servers are where their keys stand.
fn names_only<S: Serializer>(
    env: &BTreeMap<String, Secret<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(env.keys().map(|name| (name, super::sections::HIDDEN)))
}

impl McpServerConfig {
    /// Longest time for one call.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s.into())
    }
}

impl McpConfig {
    /// What does not fit, by key.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut say = |key: String, words: String| found.push((key, words));
        if self.servers.len() > MAX_SERVERS {
            say("mcp.servers".to_owned(), format!("has more than {MAX_SERVERS} servers"));
        }
        for (name, server) in &self.servers {
            let key = format!("mcp.servers.{name}");
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(legal) {
                say(key.clone(), "is named with 1 to 20 small letters, digits and `-`".to_owned());
            }
            if server.command.is_empty() {
                say(format!("{key}.command"), "names the program".to_owned());
            }
            if !(1..=MAX_TIMEOUT_S).contains(&server.timeout_s) {
                say(format!("{key}.timeout_s"), format!("must be 1 to {MAX_TIMEOUT_S}"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let config: McpConfig = toml::from_str(text).unwrap();
        let found: Vec<String> = config.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn servers_have_names_commands_and_times() {
        check("[servers.clock]\ncommand = 'python3'\nargs = ['-m', 'x']\nenv = { TZ = 'UTC' }", &[]);
        check("[servers.clock]", &["mcp.servers.clock.command"]);
        check("[servers.Big_One]\ncommand = 'x'", &["mcp.servers.Big_One"]);
        check("[servers.a]\ncommand = 'x'\ntimeout_s = 0", &["mcp.servers.a.timeout_s"]);
        let many: String = (0..9).map(|n| format!("[servers.s{n}]\ncommand = 'x'\n")).collect();
        check(&many, &["mcp.servers"]);
    }

    #[test]
    fn what_variables_hold_is_not_printed() {
        let config: McpConfig =
            toml::from_str("[servers.a]\ncommand = 'x'\nenv = { KEY = 'secret' }").unwrap();
        let shown = toml::to_string(&config).unwrap();
        assert!(shown.contains("KEY") && !shown.contains("secret"), "{shown}");
    }
}
