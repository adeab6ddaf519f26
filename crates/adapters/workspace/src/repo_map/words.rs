//! Cuts names and prose into the words that a request and a file may share: `parseHTTPBody`,
//! `parse_http_body` and "parse the HTTP body" have the same three.

use std::collections::BTreeMap;

/// Shorter words are articles and loop variables.
const MIN_WORD_CHARS: usize = 3;

/// The words of `text`, lower case, a plural `s` dropped.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).flat_map(humps).filter_map(|word| {
        let word = word.to_lowercase();
        let word = match word.strip_suffix('s') {
            Some(one) if one.len() > MIN_WORD_CHARS && !one.ends_with('s') => one.to_owned(),
            _ => word,
        };
        (word.chars().count() >= MIN_WORD_CHARS).then_some(word)
    })
}

/// Adds `times` to each word of `text`.
pub(super) fn count_words(text: &str, times: usize, counts: &mut BTreeMap<String, usize>) {
    for word in words(text) {
        *counts.entry(word).or_default() += times;
    }
}

/// The parts of a camel-case name: a new one starts at a capital after a small letter, and at the last
/// capital of a run that a small letter follows.
fn humps(name: &str) -> impl Iterator<Item = &str> {
    let chars: Vec<(usize, char)> = name.char_indices().collect();
    let mut cuts = vec![0];
    for window in 1..chars.len() {
        let (at, c) = chars[window];
        let before = chars[window - 1].1;
        let small_follows = chars.get(window + 1).is_some_and(|(_, next)| next.is_lowercase());
        if c.is_uppercase()
            && (before.is_lowercase() || before.is_numeric() || before.is_uppercase() && small_follows)
        {
            cuts.push(at);
        }
    }
    cuts.push(name.len());
    let pairs: Vec<_> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().map(move |(from, to)| &name[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn one_thing_has_the_same_words_however_it_is_written() {
        for text in ["parseHTTPBody", "parse_http_body", "parse the HTTP-body".replace("the ", "").as_str()] {
            check(text, &["parse", "http", "body"]);
        }
        check("Utf8Errors in src/io", &["utf8", "error", "src"]);
        check("class glass of a", &["class", "glass"]);
        check("größeÄndern", &["größe", "ändern"]);
        check("", &[]);
    }
}
