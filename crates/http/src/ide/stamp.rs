//! What every answer carries: an id, a time, the header of its route, and its usage.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use edgecoder_worker::TokenUsage;

use super::card::Card;

const ROUTE: HeaderName = HeaderName::from_static("x-edgecoder-route");

/// Name and time of an answer.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: i64,
}

/// `X-EdgeCoder-Route: local; node=…; model=…`.
pub(super) fn route_header(card: &Card) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let visible = |text: &str| text.chars().filter(|c| c.is_ascii_graphic() && *c != ';').collect::<String>();
    let text = format!("{}; node={}; model={}", card.route, visible(&card.node), visible(&card.model));
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(ROUTE, value);
    }
    headers
}

/// The cost of several answers to one prompt: it is counted once, as OpenAI does.
pub(super) fn together(usages: impl Iterator<Item = TokenUsage>) -> TokenUsage {
    usages.fold(TokenUsage::default(), |all, one| TokenUsage {
        prompt_tokens: all.prompt_tokens.max(one.prompt_tokens),
        output_tokens: all.output_tokens.saturating_add(one.output_tokens),
        model_ms: all.model_ms.max(one.model_ms),
    })
}
