//! What can answer: one engine of one node, as last seen.

use std::fmt;

use edgecoder_base::PrivacyTier;
use serde::{Deserialize, Serialize};

use crate::Latency;

/// A node by its id; this machine's own has one like every other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlaceId(pub String);

impl fmt::Display for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose machine it is, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// This one.
    Local,
    /// Another one of mine.
    Device,
    /// Of somebody I invited.
    Invited,
    /// Anybody's.
    Public,
}

impl Reach {
    /// The published name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Device => "device",
            Self::Invited => "invited",
            Self::Public => "public",
        }
    }

    /// Whether content of this tier may go there.
    pub fn allowed_by(self, tier: PrivacyTier) -> bool {
        let narrowest = match self {
            Self::Local => PrivacyTier::Local,
            Self::Device => PrivacyTier::Devices,
            Self::Invited => PrivacyTier::Invited,
            Self::Public => PrivacyTier::Public,
        };
        narrowest <= tier
    }
}

/// What a request needs besides plain answers, or what a place can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Texts as vectors.
    pub embeddings: bool,
    /// Filling a gap.
    pub infill: bool,
    /// Answers held to a schema.
    pub grammar: bool,
    /// How likely each token was.
    pub logprobs: bool,
}

impl Needs {
    /// The first need that `offered` lacks, by its name.
    pub const fn lacking(self, offered: Self) -> Option<&'static str> {
        if self.embeddings && !offered.embeddings {
            Some("embeddings")
        } else if self.infill && !offered.infill {
            Some("filling a gap")
        } else if self.grammar && !offered.grammar {
            Some("answers that follow a schema")
        } else if self.logprobs && !offered.logprobs {
            Some("logprobs")
        } else {
            None
        }
    }
}

/// One engine that may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub id: PlaceId,
    /// Whose it is.
    pub reach: Reach,
    /// Models it answers for, the usual one first.
    pub models: Vec<String>,
    /// Why it cannot answer now; nothing when it can.
    pub trouble: Option<String>,
    /// Tokens of prompt and answer together.
    pub window_tokens: u32,
    /// Answers in the making, ours and others'.
    pub running: u32,
    /// Answers it works on at a time; more wait.
    pub slots: u32,
    /// How soon its first words came.
    pub latency: Latency,
    /// What it can do.
    pub offers: Needs,
}

impl Place {
    /// Answers that wait for a slot before a new one.
    pub const fn waiting(&self) -> u32 {
        self.running.saturating_sub(self.slots)
    }
}
