//! The shorter ways over the desk: texts as vectors, and how long a prompt is.

use std::sync::Arc;

use edgecoder_routing::{Model, Needs, Wish};
use edgecoder_worker::{EmbedRequest, Embeddings};

use super::ask::Ask;
use super::card::Card;
use super::desk::Desk;
use super::prompt;
use crate::Error;

impl Desk {
    /// Texts as vectors, by the place that the router chooses.
    pub(super) async fn embed(&self, model: &str, inputs: Vec<String>) -> Result<(Embeddings, Card), Error> {
        let needs = Needs { embeddings: true, ..Needs::default() };
        let wish = Wish { needs, ..Wish::new(Model::of(model), self.rules.tier) };
        let candidates = self.candidates().await;
        let decision = self.decide(&wish, &candidates)?;
        let chosen = candidates.into_iter().find(|candidate| candidate.place.id == decision.chosen);
        let chosen = chosen.ok_or_else(super::desk::broken_off)?;
        let mut card = Card::of(&decision, self.rules.tier, chosen.place.latency);
        card.model = chosen.place.models.first().cloned().unwrap_or_default();
        card.model_hash = chosen.model_hash;
        card.window = chosen.place.window_tokens;
        Ok((chosen.engine.embed(EmbedRequest { inputs, model: None }).await?, card))
    }

    /// Tokens of the prompt that would be read.
    pub(super) async fn count(&self, ask: &Ask) -> Result<u32, Error> {
        let candidates = self.candidates().await;
        let wish = Wish::new(Model::of(&ask.model), self.rules.tier);
        let decision = self.decide(&wish, &candidates)?;
        let chosen = candidates.iter().find(|candidate| candidate.place.id == decision.chosen);
        let engine = chosen.map_or_else(|| self.inference.engine(), |candidate| &candidate.engine);
        Ok(Arc::clone(engine).count_tokens(prompt::request(ask, false, 0, 1).prompt()).await?)
    }
}
