//! The built-in list of well-known models: what can be suggested and pulled by name without asking anybody.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::source::{Pick, Source};

/// A model of the list. Sizes are approximate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The short name that can be pulled.
    pub name: String,
    /// Repository at Hugging Face.
    pub repo: String,
    /// Licence.
    pub license: String,
    /// Which does better at code; only the order counts.
    pub order: u32,
    /// Weights.
    pub parameters: u64,
    /// Weights that one token touches, where they are fewer.
    #[serde(default)]
    pub active_parameters: Option<u64>,
    /// Window, tokens.
    pub context_tokens: u32,
    /// Memory of one token of context, bytes.
    pub kv_bytes_per_token: u64,
    /// Approximate bytes by quantisation.
    pub sizes: BTreeMap<String, u64>,
}

impl Known {
    /// The source of one of its files.
    pub fn source(&self, quant: Option<&str>) -> Source {
        let pick = quant.map_or(Pick::Usual, |quant| Pick::Quant(quant.to_owned()));
        Source::HuggingFace { repo: self.repo.clone(), revision: "main".to_owned(), pick }
    }
}

#[derive(Debug, Deserialize)]
struct List {
    model: Vec<Known>,
}

/// All of them.
pub fn known() -> &'static [Known] {
    static LIST: LazyLock<Vec<Known>> = LazyLock::new(|| {
        // Part of the program; a test reads it.
        toml::from_str::<List>(include_str!("known.toml")).map(|list| list.model).unwrap_or_default()
    });
    &LIST
}

/// The source that `NAME` or `NAME:QUANT` stands for.
pub(super) fn source_of(text: &str) -> Option<Source> {
    let (name, quant) = text.split_once(':').map_or((text, None), |(name, quant)| (name, Some(quant)));
    let model = known().iter().find(|model| model.name.eq_ignore_ascii_case(name))?;
    let quant = quant.map(str::to_ascii_uppercase);
    if quant.as_ref().is_some_and(|quant| !model.sizes.contains_key(quant)) {
        // What the list does not have, the repository may.
        return format!("hf:{}:{}", model.repo, quant?).parse().ok();
    }
    Some(model.source(quant.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sound() {
        assert!(known().len() >= 6);
        let mut names = std::collections::BTreeSet::new();
        let mut orders = std::collections::BTreeSet::new();
        for model in known() {
            assert!(names.insert(&model.name) && orders.insert(model.order), "{}", model.name);
            assert!(model.active_parameters.is_none_or(|active| active < model.parameters));
            for (quant, bytes) in &model.sizes {
                let source = model.source(Some(quant));
                assert_eq!(source.to_string().parse::<Source>().unwrap(), source);
                // Between two and nine bits a weight, but for small models with large vocabularies.
                let bits = bytes * 80 / model.parameters;
                assert!((20..130).contains(&bits), "{} {quant}: {bits}", model.name);
            }
        }
    }

    #[test]
    fn a_short_name_is_a_source() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(source_of(text).map(|source| source.to_string()).as_deref(), expected, "{text}");
        };
        check("qwen2.5-coder-7b", Some("hf:Qwen/Qwen2.5-Coder-7B-Instruct-GGUF"));
        check("Qwen2.5-Coder-7B:q8_0", Some("hf:Qwen/Qwen2.5-Coder-7B-Instruct-GGUF:Q8_0"));
        check("qwen2.5-coder-7b:Q5_K_M", Some("hf:Qwen/Qwen2.5-Coder-7B-Instruct-GGUF:Q5_K_M"));
        check("qwen2.5-coder-7b:what", None);
        check("unheard-of", None);
    }
}
