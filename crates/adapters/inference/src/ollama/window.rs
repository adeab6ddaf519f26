//! How large a window to ask for, and how few tokens a prompt can have. Pure, so that tables can show it.

use serde_json::Value;

use crate::{CountRequest, TextPrompt};

/// A window larger than this costs more memory and time than our prompts ever use; the settings may ask for more.
const USUAL_TOKENS: u32 = 32_768;
/// Used when a model does not say what it was trained for.
const UNKNOWN_TOKENS: u32 = 4_096;
/// Smaller windows hold no work worth doing; a model that does not fit with it will say so itself.
const LEAST_TOKENS: u32 = 2_048;
/// Windows come in such steps, so that a little less free memory does not load the model again.
const STEP_TOKENS: u32 = 1_024;
/// Bytes of a number in the cache of keys and values: 16 bits.
const CACHE_BYTES: u64 = 2;

/// What `/api/show` tells of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Tokens it was trained for.
    pub(super) trained_tokens: Option<u32>,
    /// Memory a token of its window takes, bytes.
    pub(super) token_bytes: Option<u64>,
}

impl Shown {
    pub(super) fn read(answer: &Value) -> Self {
        let known = answer.get("model_info");
        let family = known.and_then(|known| known.get("general.architecture")?.as_str()).unwrap_or_default();
        let number = |name: &str| known?.get(format!("{family}.{name}"))?.as_u64();
        // Some models have other numbers of heads in every layer.
        let heads = known.and_then(|known| known.get(format!("{family}.attention.head_count_kv"))).and_then(
            |heads| match heads.as_array() {
                Some(layers) => layers.iter().map(Value::as_u64).sum::<Option<u64>>(),
                None => Some(heads.as_u64()?.saturating_mul(number("block_count")?)),
            },
        );
        let half = || number("embedding_length")?.checked_div(number("attention.head_count")?);
        let width = |name| number(name).or_else(half);
        let widths = width("attention.key_length")
            .zip(width("attention.value_length"))
            .map(|(key, value)| key.saturating_add(value));
        let bytes =
            heads.zip(widths).map(|(heads, widths)| heads.saturating_mul(widths).saturating_mul(CACHE_BYTES));
        Self {
            trained_tokens: number("context_length").and_then(|tokens| u32::try_from(tokens).ok()),
            token_bytes: bytes.filter(|bytes| *bytes > 0),
        }
    }
}

/// The window to ask for: what the person set, else what the model was trained for, bounded by the memory for it
/// and by what our prompts use. Never more than the model was trained for.
pub(super) fn choose(configured: Option<u32>, shown: &Shown, window_bytes: Option<u64>) -> u32 {
    let trained = shown.trained_tokens.unwrap_or(UNKNOWN_TOKENS);
    if let Some(tokens) = configured {
        return shown.trained_tokens.map_or(tokens, |trained| tokens.min(trained));
    }
    let affordable = window_bytes
        .zip(shown.token_bytes)
        .map_or(USUAL_TOKENS, |(bytes, token)| u32::try_from(bytes / token).unwrap_or(u32::MAX));
    let affordable = (affordable / STEP_TOKENS * STEP_TOKENS).max(LEAST_TOKENS);
    trained.min(USUAL_TOKENS).min(affordable)
}

/// The fewest tokens a prompt can have: no usual tokenizer joins two words, so words are a bound that is never
/// too high. A server that says it read fewer has cut the prompt.
pub(super) fn fewest_tokens(prompt: &CountRequest) -> u32 {
    let texts =
        prompt.messages.iter().map(|message| message.content.as_str()).chain(prompt.prefill.as_deref());
    let more: [&str; 2] = match &prompt.text {
        Some(TextPrompt::Continue { text }) => [text, ""],
        Some(TextPrompt::Infill { prefix, suffix }) => [prefix, suffix],
        None => ["", ""],
    };
    let words: usize = texts.chain(more).map(words).sum();
    u32::try_from(words).unwrap_or(u32::MAX)
}

/// Runs of Latin letters. Other scripts write without spaces, and their tokens may span what looks like words.
fn words(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Message;

    #[test]
    fn a_models_shape_is_read_from_what_the_server_shows() {
        let qwen = json!({"model_info": {
            "general.architecture": "qwen2", "qwen2.context_length": 32768, "qwen2.block_count": 28,
            "qwen2.embedding_length": 3584, "qwen2.attention.head_count": 28, "qwen2.attention.head_count_kv": 4,
        }});
        let shown = Shown { trained_tokens: Some(32_768), token_bytes: Some(28 * 4 * 256 * 2) };
        assert_eq!(Shown::read(&qwen), shown);
        let uneven = json!({"model_info": {
            "general.architecture": "x", "x.attention.head_count_kv": [8, 0, 2], "x.attention.key_length": 64,
            "x.attention.value_length": 32, "x.context_length": 9_000_000_000_u64,
        }});
        assert_eq!(Shown::read(&uneven), Shown { trained_tokens: None, token_bytes: Some(10 * 96 * 2) });
        let nothing = Shown { trained_tokens: None, token_bytes: None };
        for answer in [json!({}), json!({"model_info": null}), json!({"model_info": {"x.block_count": "4"}})]
        {
            assert_eq!(Shown::read(&answer), nothing, "{answer}");
        }
    }

    #[test]
    fn a_window_is_bounded_by_the_person_the_model_and_the_memory() {
        let shown = |trained| Shown { trained_tokens: trained, token_bytes: Some(1_000) };
        for (configured, trained, memory, expected) in [
            (None, Some(131_072), None, USUAL_TOKENS),
            (None, Some(8_192), None, 8_192),
            (None, None, None, UNKNOWN_TOKENS),
            (None, Some(131_072), Some(10_000_000), 9_216),
            (None, Some(131_072), Some(1), LEAST_TOKENS),
            (None, Some(512), Some(1), 512),
            (Some(65_536), Some(131_072), Some(1), 65_536),
            (Some(65_536), Some(8_192), None, 8_192),
            (Some(65_536), None, None, 65_536),
        ] {
            let chosen = choose(configured, &shown(trained), memory);
            assert_eq!(chosen, expected, "{configured:?} {trained:?} {memory:?}");
        }
    }

    #[test]
    fn words_are_never_more_than_tokens() {
        let count = |text: &str| {
            fewest_tokens(&CountRequest { messages: vec![Message::user(text)], ..CountRequest::default() })
        };
        for (text, words) in [
            ("", 0),
            ("fn main() { println!(\"hi\"); }", 4),
            ("                        x", 1),
            ("1234567890 3.14", 0),
            ("\u{4f60}\u{597d}\u{4e16}\u{754c}", 0),
            ("snake_case_name camelCase", 4),
        ] {
            assert_eq!(count(text), words, "{text:?}");
        }
    }
}
