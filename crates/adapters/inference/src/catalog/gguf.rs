//! What a GGUF file says about itself, without its weights. The file may be hostile: every length is checked against
//! a bound before anything is read for it, and nothing but a few short values is kept.

mod reader;
mod tensor;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::CatalogError;
use reader::{Reader, Value};
use tensor::Tensors;

/// First bytes of every GGUF file.
pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
/// Versions that differ only in what we do not read; version 1 had 32-bit lengths and is extinct.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// Metadata of real models has some fifty entries.
const MAX_ENTRIES: u64 = 4096;
/// The largest models have a few thousand tensors.
const MAX_TENSORS: u64 = 100_000;
/// Tensor contents begin at a multiple of this, unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// What the header tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    /// Kind of network, as llama.cpp calls it.
    pub architecture: String,
    /// The model's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Number of weights.
    pub parameters: u64,
    /// How most weights are stored, like `Q4_K_M`.
    pub quantisation: String,
    /// Window it was trained for, tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// Memory that one token of context takes at 16 bits a value, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_bytes_per_token: Option<u64>,
    /// Whether it knows the form of a conversation.
    pub chat_template: bool,
    /// Kind of tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Licence, as the file names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Bytes a whole file has at least; a shorter one was cut.
    pub least_bytes: u64,
}

/// Why a header is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Something else than GGUF.
    #[error("it does not begin with GGUF")]
    Magic,
    /// A version we do not know.
    #[error("version {0} is not known")]
    Version(u32),
    /// It ends inside its header.
    #[error("it ends inside its header")]
    Cut,
    /// Larger than any real one.
    #[error("its header has more {0} than any real model")]
    Excess(&'static str),
    /// A type that does not exist.
    #[error("its header has a value of unknown type {0}")]
    UnknownType(u32),
    /// Numbers that make no sense.
    #[error("its header makes no sense: {0}")]
    Nonsense(&'static str),
    /// The disk or the network failed.
    #[error("it cannot be read: {0}")]
    Read(String),
    /// The weights are not all there.
    #[error("it has {found} bytes and should have {least} at least: it was cut")]
    Short {
        /// Bytes present.
        found: u64,
        /// Bytes needed.
        least: u64,
    },
}

/// Reads the header of `file`, and checks that the weights it announces are there.
pub fn read_file(path: &Path) -> Result<Card, CatalogError> {
    let unusable = |fault: Fault| CatalogError::NotAModel {
        what: path.display().to_string(),
        reason: fault.to_string(),
    };
    let file = File::open(path).map_err(CatalogError::io("read", path))?;
    let found = file.metadata().map_err(CatalogError::io("inspect", path))?.len();
    let card = read(std::io::BufReader::with_capacity(1 << 16, file)).map_err(unusable)?;
    if found < card.least_bytes {
        return Err(unusable(Fault::Short { found, least: card.least_bytes }));
    }
    Ok(card)
}

/// Reads a header from any stream of bytes.
pub fn read(input: impl Read) -> Result<Card, Fault> {
    let mut reader = Reader::new(input);
    if reader.bytes::<4>().map_err(|_| Fault::Magic)? != *MAGIC {
        return Err(Fault::Magic);
    }
    let version = reader.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(Fault::Version(version));
    }
    let (tensors, entries) = (reader.u64()?, reader.u64()?);
    if tensors > MAX_TENSORS {
        return Err(Fault::Excess("tensors"));
    }
    if entries > MAX_ENTRIES {
        return Err(Fault::Excess("metadata"));
    }
    let mut metadata = Metadata::default();
    for _ in 0..entries {
        let key = reader.key()?;
        let value = reader.value(kept(&key))?;
        metadata.take(key, value);
    }
    let tensors = Tensors::read(&mut reader, tensors)?;
    metadata.card(&tensors, reader.position())
}

/// Whether a value is worth keeping; templates and vocabularies are only noticed.
fn kept(key: &str) -> bool {
    key.starts_with("general.") || key == "tokenizer.ggml.model" || !key.starts_with("tokenizer.")
}

/// The few entries that the card is made of.
#[derive(Debug, Default)]
struct Metadata(Vec<(String, Value)>);

impl Metadata {
    fn take(&mut self, key: String, value: Value) {
        self.0.push((key, value));
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::Text(text) if !text.trim().is_empty() => Some(super::error::quoted(text.trim())),
            Value::Text(_) | Value::Number(_) | Value::Sum { .. } | Value::Other => None,
        }
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Sum { .. } | Value::Other => None,
        }
    }

    fn card(&self, tensors: &Tensors, header_bytes: u64) -> Result<Card, Fault> {
        let architecture =
            self.text("general.architecture").ok_or(Fault::Nonsense("no architecture is named"))?;
        let alignment = self.number("general.alignment").unwrap_or(ALIGNMENT);
        if !alignment.is_power_of_two() || alignment > 1 << 20 {
            return Err(Fault::Nonsense("the alignment is no small power of two"));
        }
        let of = |name: &str| self.number(&format!("{architecture}.{name}"));
        let start = header_bytes.next_multiple_of(alignment);
        let least = start.checked_add(tensors.end()).ok_or(Fault::Nonsense("tensors lie beyond any file"))?;
        let stated = self.number("general.file_type").and_then(tensor::file_type);
        Ok(Card {
            title: self.text("general.name"),
            parameters: tensors.parameters(),
            quantisation: stated.unwrap_or_else(|| tensors.dominant()).to_owned(),
            context_tokens: of("context_length").and_then(|tokens| u32::try_from(tokens).ok()),
            kv_bytes_per_token: self.kv_bytes_per_token(&architecture),
            chat_template: self.get("tokenizer.chat_template").is_some(),
            tokenizer: self.text("tokenizer.ggml.model"),
            license: self.text("general.license"),
            least_bytes: least,
            architecture,
        })
    }

    /// Keys and values of all layers, at two bytes each. Layers may differ in their number of heads.
    fn kv_bytes_per_token(&self, architecture: &str) -> Option<u64> {
        let key = |name: &str| format!("{architecture}.{name}");
        let layers = self.number(&key("block_count"))?;
        let heads = self.number(&key("attention.head_count"));
        let width = || self.number(&key("embedding_length"))?.checked_div(heads?);
        let key_width = self.number(&key("attention.key_length")).or_else(width)?;
        let value_width = self.number(&key("attention.value_length")).or_else(width)?;
        let heads_of_all_layers = match self.get(&key("attention.head_count_kv")) {
            Some(Value::Sum { total, count }) if *count == layers => *total,
            Some(Value::Number(heads)) => heads.checked_mul(layers)?,
            Some(Value::Text(_) | Value::Sum { .. } | Value::Other) => return None,
            None => heads?.checked_mul(layers)?,
        };
        heads_of_all_layers.checked_mul(key_width.checked_add(value_width)?)?.checked_mul(2)
    }
}

#[cfg(test)]
mod tests;
