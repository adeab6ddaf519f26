//! What a server offers, checked before anybody relies on it: names that engines take, words that steer nothing,
//! schemas that are what they say.

use serde_json::{Map, Value};

use crate::limits::{MAX_DESCRIPTION_CHARS, MAX_NAME_BYTES, MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, MAX_TOOLS};
use crate::words::{clipped, harmless};

/// One tool, fit to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// Its name: ASCII letters, digits, `_` and `-`.
    pub name: String,
    /// What it says it does, harmless and clipped.
    pub description: String,
    /// The schema of its arguments: of type `object`.
    pub schema: Map<String, Value>,
}

/// All of them, and what was left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offer {
    /// Tools to offer on.
    pub tools: Vec<Offered>,
    /// Tools that cannot be, each with the reason.
    pub left_out: Vec<String>,
}

impl Offer {
    /// Takes one more tool, or says why not.
    pub(crate) fn take(&mut self, name: &str, description: &str, schema: &Map<String, Value>) {
        match self.checked(name, description, schema) {
            Ok(tool) => self.tools.push(tool),
            // What is left out may be endless too.
            Err(why) if self.left_out.len() < MAX_TOOLS => {
                let name = clipped(&harmless(name), MAX_NAME_BYTES);
                self.left_out.push(format!("{name:?}: {why}"));
            }
            Err(_) => {}
        }
    }

    fn checked(
        &self,
        name: &str,
        description: &str,
        schema: &Map<String, Value>,
    ) -> Result<Offered, &'static str> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(legal) {
            return Err("the name is not 1 to 40 letters, digits, `_` or `-`");
        }
        if self.tools.iter().any(|tool| tool.name == name) {
            return Err("another tool has that name");
        }
        if self.tools.len() == MAX_TOOLS {
            return Err("the server has more than 32 tools");
        }
        Ok(Offered {
            name: name.to_owned(),
            description: clipped(&harmless(description), MAX_DESCRIPTION_CHARS),
            schema: schema_of(schema)?,
        })
    }
}

fn schema_of(schema: &Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let is_object = schema.get("type").is_none_or(|kind| kind == "object");
    let properties = schema.get("properties").is_none_or(Value::is_object);
    let required = schema.get("required").is_none_or(Value::is_array);
    if !(is_object && properties && required) {
        return Err("its schema does not describe an object");
    }
    if serde_json::to_string(schema).map_or(usize::MAX, |text| text.len()) > MAX_SCHEMA_BYTES {
        return Err("its schema is longer than 8 KiB");
    }
    let mut schema = schema.clone();
    schema.insert("type".to_owned(), Value::from("object"));
    tamed(Value::Object(schema), MAX_SCHEMA_DEPTH)
        .and_then(|schema| if let Value::Object(schema) = schema { Some(schema) } else { None })
        .ok_or("its schema is deeper than 12 levels")
}

/// The same value with harmless texts; none when it is too deep.
fn tamed(value: Value, depth: usize) -> Option<Value> {
    let below = depth.checked_sub(1)?;
    Some(match value {
        Value::String(text) => Value::String(harmless(&text)),
        Value::Array(list) => {
            Value::Array(list.into_iter().map(|one| tamed(one, below)).collect::<Option<_>>()?)
        }
        Value::Object(object) => {
            let fields = object.into_iter().map(|(name, one)| Some((harmless(&name), tamed(one, below)?)));
            Value::Object(fields.collect::<Option<_>>()?)
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn offered(name: &str, description: &str, schema: Value) -> Offer {
        let mut offer = Offer::default();
        offer.take(name, description, schema.as_object().unwrap());
        offer
    }

    #[test]
    fn what_is_not_what_it_says_is_left_out_with_the_reason() {
        let check = |name: &str, schema: Value, reason: &str| {
            let offer = offered(name, "", schema);
            assert!(offer.tools.is_empty() && offer.left_out[0].contains(reason), "{offer:?}");
        };
        check("", json!({}), "the name");
        check("a b", json!({}), "the name");
        check("x\u{1b}]0;title\u{7}", json!({}), "the name");
        check(&"x".repeat(41), json!({}), "the name");
        check("a", json!({"type": "string"}), "an object");
        check("a", json!({"type": "object", "properties": []}), "an object");
        check("a", json!({"type": "object", "required": "all"}), "an object");
        check("a", json!({"description": "x".repeat(9_000)}), "8 KiB");
        let deep = (0..20).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}));
        check("a", deep, "deeper");
    }

    #[test]
    fn words_are_tamed_and_doubles_and_too_many_are_refused() {
        let schema = json!({"properties": {"a\u{202e}": {"description": "x\u{1b}[2J"}}});
        let offer = offered("read", &"\u{1b}y".repeat(400), schema);
        let tool = &offer.tools[0];
        assert!(tool.description.ends_with("… [cut]") && !tool.description.contains('\u{1b}'));
        assert_eq!(
            tool.schema,
            *json!({"type": "object", "properties": {"a\u{fffd}": {"description": "x\u{fffd}[2J"}}})
                .as_object()
                .unwrap()
        );
        let mut offer = Offer::default();
        let empty = Map::new();
        offer.take("a", "", &empty);
        offer.take("a", "", &empty);
        assert_eq!((offer.tools.len(), offer.left_out.len()), (1, 1));
        for number in 0..100 {
            offer.take(&format!("t{number}"), "", &empty);
        }
        assert_eq!((offer.tools.len(), offer.left_out.len()), (MAX_TOOLS, MAX_TOOLS));
    }
}
