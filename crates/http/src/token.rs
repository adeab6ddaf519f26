//! A secret that callers must know. Kept and compared as a digest: equal time for every guess, and no branch
//! in which an unset token would open anything.

use edgecoder_base::Secret;
use edgecoder_base::hash::sha256_hex;
use subtle::ConstantTimeEq as _;

/// What a caller must show.
#[derive(Clone)]
pub(crate) struct Token(Option<String>);

impl Token {
    /// An empty secret is one that nobody knows.
    pub(crate) fn new(secret: &Secret<String>) -> Self {
        let secret = secret.expose();
        Self((!secret.is_empty()).then(|| sha256_hex(secret.as_bytes())))
    }

    pub(crate) fn is(&self, shown: &str) -> bool {
        let shown = sha256_hex(shown.as_bytes());
        self.0.as_ref().is_some_and(|digest| digest.as_bytes().ct_eq(shown.as_bytes()).into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_opens_and_an_unset_one_opens_nothing() {
        let token = Token::new(&Secret::new("abc".to_owned()));
        assert!(token.is("abc"));
        for wrong in ["", "ab", "abcd", "ABC", "abc\n"] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
        assert!(!Token::new(&Secret::new(String::new())).is(""));
    }
}
