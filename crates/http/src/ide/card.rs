//! "Why here": where an answer is made, why there, and why not elsewhere. One header and one field in every answer;
//! clients that are strict about fields tolerate it, because OpenAI's own answers gain fields too.

use edgecoder_base::{BlobHash, PrivacyTier};
use edgecoder_routing::{Decision, Latency};
use serde::Serialize;

/// The card.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub(super) struct Card {
    /// `local`, `device`, `invited` or `public`: whose machine it is.
    pub(super) route: &'static str,
    /// The node.
    pub(super) node: String,
    /// The model's real name.
    pub(super) model: String,
    /// BLAKE3 of the model's file, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) model_hash: Option<BlobHash>,
    /// Tokens of prompt and answer together.
    pub(super) window: u32,
    /// Tokens that this answer may have.
    pub(super) max_tokens: u32,
    /// Within which 95 of 100 first words came lately, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency_p95_ms: Option<u32>,
    /// How far the words may travel.
    #[schema(value_type = String)]
    pub(super) tier: PrivacyTier,
    /// Why there.
    pub(super) reason: String,
    /// Why not elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rejected: Vec<NotThere>,
    /// What happened on the way: what was mended in a tool call, asked again, or handed on to another node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// A place that was not taken.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub(super) struct NotThere {
    /// Whose machine.
    pub(super) route: &'static str,
    /// The node.
    pub(super) node: String,
    /// Why not.
    pub(super) reason: String,
}

impl Card {
    /// The card of a decision, before anything is known of the engine's answer.
    pub(super) fn of(decision: &Decision, tier: PrivacyTier, latency: Latency) -> Self {
        let rejected = decision.rejected.iter().map(|rejected| NotThere {
            route: rejected.reach.as_str(),
            node: rejected.id.to_string(),
            reason: rejected.why.to_string(),
        });
        Self {
            route: decision.reach.as_str(),
            node: decision.chosen.to_string(),
            model: String::new(),
            model_hash: None,
            window: 0,
            max_tokens: 0,
            latency_p95_ms: latency.p95_ms(),
            tier,
            reason: decision.why.words().to_owned(),
            rejected: rejected.collect(),
            notes: Vec::new(),
        }
    }
}
