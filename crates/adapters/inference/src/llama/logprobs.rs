//! How likely a token was, from the model's raw numbers of one step.

use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;

use crate::TokenLogprob;

/// The chosen token's likelihood and that of the `alternatives` likeliest.
pub(crate) fn logprob(
    vocab: &LlamaVocab<'_>,
    logits: &[f32],
    chosen: LlamaToken,
    alternatives: u32,
) -> TokenLogprob {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    let all = most + sum.ln();
    let told = |token: LlamaToken, logit: f32| {
        let bytes = vocab.token_to_piece(token, true, None);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        TokenLogprob { text, bytes, logprob: logit - all, alternatives: Vec::new() }
    };
    let own = usize::try_from(chosen.0).ok().and_then(|place| logits.get(place)).copied().unwrap_or(most);
    let top = likeliest(logits, usize::try_from(alternatives).unwrap_or(0));
    let alternatives = top.into_iter().map(|(id, logit)| told(LlamaToken(id), logit)).collect();
    TokenLogprob { alternatives, ..told(chosen, own) }
}

/// The `count` largest, largest first; of equals the first.
fn likeliest(logits: &[f32], count: usize) -> Vec<(i32, f32)> {
    let mut top: Vec<(i32, f32)> = Vec::with_capacity(count + 1);
    if count == 0 {
        return top;
    }
    for (id, &logit) in (0..).zip(logits) {
        if top.len() == count && top.last().is_some_and(|&(_, least)| logit <= least) {
            continue;
        }
        let place = top.partition_point(|&(_, larger)| larger >= logit);
        top.insert(place, (id, logit));
        top.truncate(count);
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_first() {
        let logits = [0.5, 2.0, -1.0, 2.0, 1.0];
        for (count, expected) in [(0, vec![]), (1, vec![1]), (3, vec![1, 3, 4]), (9, vec![1, 3, 4, 0, 2])] {
            let ids: Vec<_> = likeliest(&logits, count).into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids, expected, "{count}");
        }
    }
}
