//! The name a model is installed under: short, typed by people, safe in any file name but for its colon.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{CatalogError, quoted};

/// Longest name, bytes.
const LONGEST: usize = 100;

/// Name of an installed model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

impl ModelName {
    /// The name made of any text: what cannot stand in a name becomes `-`.
    pub fn made_of(text: &str) -> Result<Self, CatalogError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
        let tame: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).take(LONGEST).collect();
        tame.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).parse()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = CatalogError;
    fn from_str(text: &str) -> Result<Self, CatalogError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':');
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if starts && text.len() <= LONGEST && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CatalogError::Name { text: quoted(text) })
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = CatalogError;
    fn try_from(text: String) -> Result<Self, CatalogError> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["qwen3:0.6b", "a", "Qwen2.5-Coder_7B.Q4_K_M", &"x".repeat(LONGEST)] {
            assert_eq!(good.parse::<ModelName>().unwrap().as_str(), good);
        }
        for bad in ["", ".hidden", "-x", "a/b", "a b", "ä", "a\n", &"x".repeat(LONGEST + 1)] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad}");
        }
        assert_eq!(ModelName::made_of("my model/7b (new)").unwrap().as_str(), "my-model-7b--new-");
        assert_eq!(ModelName::made_of("../../x").unwrap().as_str(), "x");
        assert!(ModelName::made_of("…").is_err());
    }
}
