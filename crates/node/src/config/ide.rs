//! `[ide]`: who may use the editors' door, and how far its words travel.

use std::net::IpAddr;

use edgecoder_base::{PrivacyTier, Secret};
use edgecoder_companion::{ApprovalRules, Ruling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sections::{LOOPBACK, hidden};

/// `[ide]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdeConfig {
    /// Address the door listens on.
    pub(crate) bind: IpAddr,
    /// Port of the door; 0 takes a free one.
    pub(crate) port: u16,
    /// What clients show as API key. Made and kept in the data directory where one is required and none is set.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    #[schemars(with = "Option<String>")]
    pub(crate) token: Option<Secret<String>>,
    /// Whether it is required also on this machine. Where `bind` is no loopback address it always is.
    pub(crate) require_token: bool,
    /// Host names under which clients reach the door, besides `localhost` and addresses.
    pub(crate) allowed_hosts: Vec<String>,
    /// Origins whose web pages may use the door, like `http://localhost:1420`. All others are refused.
    pub(crate) allowed_origins: Vec<String>,
    /// How far what editors send may travel: `local`, `devices`, `invited` or `public`.
    #[schemars(with = "String")]
    pub(crate) privacy_tier: PrivacyTier,
    /// Answers in the making on this machine beyond which other machines are preferred. Default: the engine's slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_local_running: Option<u32>,
    /// Time to the first word beyond which other machines are preferred, milliseconds.
    pub(crate) slow_ms: u32,
    /// What the companion may do without asking.
    pub(crate) approvals: ApprovalsConfig,
}

/// `[ide.approvals]`: what becomes of an action of the companion, by what it could do at worst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ApprovalsConfig {
    /// Looking at files without secrets: `ask`, `allow` or `deny`, as below.
    #[schemars(with = "String")]
    pub(crate) read: Ruling,
    /// Changing files, branches or history of the project.
    #[schemars(with = "String")]
    pub(crate) write: Ruling,
    /// Running a command in the sandbox.
    #[schemars(with = "String")]
    pub(crate) execute: Ruling,
    /// Letting something of the project leave this node's process.
    #[schemars(with = "String")]
    pub(crate) network: Ruling,
    /// Changing what runs by itself or decides what runs, or reading what looks like a secret. `allow` counts as `ask`.
    #[schemars(with = "String")]
    pub(crate) protected: Ruling,
    /// An action that nobody decides on for so long is rejected, seconds.
    pub(crate) timeout_s: u32,
}

impl Default for ApprovalsConfig {
    fn default() -> Self {
        let ApprovalRules { read, write, execute, network, protected } = ApprovalRules::default();
        Self { read, write, execute, network, protected, timeout_s: 300 }
    }
}

impl ApprovalsConfig {
    /// As the rules take them.
    pub(crate) const fn rules(&self) -> ApprovalRules {
        ApprovalRules {
            read: self.read,
            write: self.write,
            execute: self.execute,
            network: self.network,
            protected: self.protected,
        }
    }
}

impl Default for IdeConfig {
    fn default() -> Self {
        Self {
            bind: LOOPBACK,
            port: 4304,
            token: None,
            require_token: false,
            allowed_hosts: Vec::new(),
            // The desktop application's pages.
            allowed_origins: vec!["tauri://localhost".to_owned(), "https://tauri.localhost".to_owned()],
            privacy_tier: PrivacyTier::default(),
            max_local_running: None,
            slow_ms: 8_000,
            approvals: ApprovalsConfig::default(),
        }
    }
}

impl IdeConfig {
    /// Whether clients have to show the token.
    pub(crate) const fn requires_token(&self) -> bool {
        self.require_token || !self.bind.is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_opens_the_door_to_others_needs_a_token() {
        for (bind, asked, required) in [
            ("127.0.0.1", false, false),
            ("127.0.0.1", true, true),
            ("::1", false, false),
            ("0.0.0.0", false, true),
        ] {
            let config =
                IdeConfig { bind: bind.parse().unwrap(), require_token: asked, ..IdeConfig::default() };
            assert_eq!(config.requires_token(), required, "{bind} {asked}");
        }
    }
}
