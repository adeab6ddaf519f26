//! What is asked, as far as it matters for the place.

use edgecoder_base::PrivacyTier;

use crate::{Needs, Prefix};

/// Name under which the router chooses freely.
pub const AUTO: &str = "edgecoder-auto";
/// Name of whatever this machine runs.
pub const LOCAL: &str = "edgecoder-local";
/// Name of whatever other machines run.
pub const SWARM: &str = "edgecoder-swarm";

/// Which model is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// Any, anywhere the tier allows.
    Auto,
    /// Any, on this machine.
    Local,
    /// Any, on other machines.
    Swarm,
    /// That one, anywhere the tier allows.
    Named(String),
}

impl Model {
    /// What a client's `model` means.
    pub fn of(name: &str) -> Self {
        match name {
            AUTO => Self::Auto,
            LOCAL => Self::Local,
            SWARM => Self::Swarm,
            name => Self::Named(name.to_owned()),
        }
    }
}

/// A request, as the router sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The model.
    pub model: Model,
    /// How far its words may travel.
    pub tier: PrivacyTier,
    /// Tokens of the prompt at least; a place whose window they fill is no use.
    pub prompt_tokens: u32,
    /// What it needs besides plain answers.
    pub needs: Needs,
    /// The conversation it goes on with.
    pub prefix: Option<Prefix>,
}

impl Wish {
    /// A plain request for `model`.
    pub const fn new(model: Model, tier: PrivacyTier) -> Self {
        let needs = Needs { embeddings: false, infill: false, grammar: false, logprobs: false };
        Self { model, tier, prompt_tokens: 0, needs, prefix: None }
    }
}
