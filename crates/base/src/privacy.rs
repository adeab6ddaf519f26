//! Where a task's content may go.

use serde::{Deserialize, Serialize};

/// Privacy tiers, narrowest first: a task may run on nodes of its tier or a narrower one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyTier {
    /// This machine only.
    Local,
    /// My own machines.
    #[default]
    Devices,
    /// Machines of people I invited.
    Invited,
    /// Anyone's. Never claimed to be secret.
    Public,
}

impl std::fmt::Display for PrivacyTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Devices => "devices",
            Self::Invited => "invited",
            Self::Public => "public",
        })
    }
}

impl std::str::FromStr for PrivacyTier {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            "devices" => Ok(Self::Devices),
            "invited" => Ok(Self::Invited),
            "public" => Ok(Self::Public),
            _ => Err(format!("unknown privacy tier {text:?}: use local, devices, invited or public")),
        }
    }
}
