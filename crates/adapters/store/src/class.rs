//! Rows of the queue that the same workers may take form a class. A look at the queue reads the first row of
//! each class and nothing else, so it costs the same however long the queue is, and whatever stands in it.

use edgecoder_base::{Level, PrivacyTier};
use edgecoder_protocol::work::WorkKind;
use edgecoder_tasks::QueueRow;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as NotAWord;

/// Classes of one look at most: their number is that of the models which waiting tasks demand by name, times few.
pub(crate) const MAX_CLASSES: u32 = 1_000;

/// All that decides who may take a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub(crate) kind: WorkKind,
    pub(crate) privacy: PrivacyTier,
    pub(crate) min_level: Level,
    pub(crate) model: Option<String>,
}

impl Class {
    pub(crate) fn of(row: &QueueRow) -> Self {
        Self { kind: row.kind, privacy: row.privacy, min_level: row.min_level, model: row.model.clone() }
    }

    /// As it is stored: words with a space between them, the model last because it may contain anything.
    pub(crate) fn to_text(&self) -> String {
        let Self { kind, privacy, min_level, model } = self;
        let kind = kind.as_str();
        match model {
            Some(model) => format!("{kind} {privacy} {min_level} {model}"),
            None => format!("{kind} {privacy} {min_level}"),
        }
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, NotAWord> {
        let mut words = text.splitn(4, ' ');
        Ok(Self {
            kind: word(words.next())?,
            privacy: word(words.next())?,
            min_level: word(words.next())?,
            model: words.next().map(str::to_owned),
        })
    }
}

fn word<'a, T: Deserialize<'a>>(text: Option<&'a str>) -> Result<T, NotAWord> {
    T::deserialize(text.unwrap_or_default().into_deserializer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_read_as_it_was_written() {
        for model in [None, Some(""), Some("a model: 7b Q4 ü")] {
            let class = Class {
                kind: WorkKind::Code,
                privacy: PrivacyTier::Invited,
                min_level: Level::D2,
                model: model.map(str::to_owned),
            };
            assert_eq!(Class::from_text(&class.to_text()), Ok(class));
        }
    }

    #[test]
    fn damaged_text_is_no_class() {
        for text in ["", "code", "code devices", "code devices S9", "paint devices S2 m"] {
            assert!(Class::from_text(text).is_err(), "{text:?}");
        }
    }
}
