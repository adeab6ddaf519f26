//! Which parameters each route takes: one table, from which requests are checked and the conformance page is written,
//! so that the page cannot say what the code does not do.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fault::Fault;
use crate::Error;
use edgecoder_protocol::ErrorCode;

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does what it says.
    Honoured,
    /// It is taken, and nothing follows from it here; why that is no loss.
    Idle(&'static str),
    /// Only these JSON values, and lists of them, are taken, because they ask for what happens anyway; why no others.
    Only(&'static [&'static str], &'static str),
    /// Refused; why.
    Refused(&'static str),
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) standing: Standing,
}

/// What stands in one parameter of several routes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nested {
    /// The parameter and its routes, for people.
    pub(super) of: &'static str,
    /// What stands before the names in errors.
    pub(super) within: &'static str,
    pub(super) unknown: Unknown,
    pub(super) parameters: &'static [Parameter],
}

/// What becomes of a parameter that no table names, as the original does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Refused,
    Ignored,
}

/// One route and what it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) unknown: Unknown,
    pub(super) parameters: &'static [Parameter],
    /// What else there is to know: differences that no parameter shows.
    pub(super) notes: &'static [&'static str],
}

pub(super) const fn honoured(name: &'static str) -> Parameter {
    Parameter { name, standing: Standing::Honoured }
}

pub(super) const fn idle(name: &'static str, why: &'static str) -> Parameter {
    Parameter { name, standing: Standing::Idle(why) }
}

pub(super) const fn only(
    name: &'static str,
    values: &'static [&'static str],
    why: &'static str,
) -> Parameter {
    Parameter { name, standing: Standing::Only(values, why) }
}

pub(super) const fn refused(name: &'static str, why: &'static str) -> Parameter {
    Parameter { name, standing: Standing::Refused(why) }
}

impl Endpoint {
    /// Reads a body as this route takes it.
    pub(super) fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Fault> {
        let object: Map<String, Value> = crate::body::parse(bytes)?;
        check(self.parameters, self.unknown, "", &object)?;
        // Most clients write out what they leave open.
        let said = object.into_iter().filter(|(_, value)| !value.is_null()).collect();
        serde_path_to_error::deserialize(Value::Object(said)).map_err(|error| {
            let path = error.path().to_string();
            let message = format!("`{path}`: {}", error.inner());
            if path == "." {
                Error::new(ErrorCode::InvalidRequest, error.inner().to_string()).into()
            } else {
                Fault::of(path, message)
            }
        })
    }
}

impl Nested {
    /// Refuses what is not taken here.
    pub(super) fn check(&self, object: &Map<String, Value>) -> Result<(), Fault> {
        check(self.parameters, self.unknown, self.within, object)
    }
}

fn check(
    parameters: &[Parameter],
    unknown: Unknown,
    within: &str,
    object: &Map<String, Value>,
) -> Result<(), Fault> {
    for (name, value) in object {
        let known = parameters.iter().find(|parameter| parameter.name == name);
        let name = || format!("{within}{name}");
        match known.map(|parameter| parameter.standing) {
            Some(Standing::Honoured | Standing::Idle(_)) => {}
            Some(Standing::Only(..) | Standing::Refused(_)) if asks_nothing(value) => {}
            Some(Standing::Only(values, _)) if is_of(values, value) => {}
            Some(Standing::Only(values, why)) => {
                let (name, list) = (name(), values.join(", "));
                let words = format!("`{name}`: only {list} is supported here: {why}");
                return Err(Fault::of(name, words));
            }
            Some(Standing::Refused(why)) => return Err(Fault::unsupported(name(), why)),
            None if unknown == Unknown::Ignored => {}
            None => {
                let error = Error::new(ErrorCode::UnknownField, format!("Unknown parameter: '{}'.", name()));
                return Err(Fault { error, field: Some(name()) });
            }
        }
    }
    Ok(())
}

/// Whether the value, or each value of a list, is one of those.
fn is_of(values: &[&str], value: &Value) -> bool {
    let one = |value: &Value| values.iter().any(|text| same(text, value));
    one(value) || value.as_array().is_some_and(|list| list.iter().all(one))
}

/// Numbers by what they are: many clients write 1 as 1.0.
fn same(text: &str, value: &Value) -> bool {
    match value.as_f64() {
        Some(number) => text.parse() == Ok(number),
        None => *value.to_string() == *text,
    }
}

/// Many clients send every parameter they know, empty.
fn asks_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: Endpoint = Endpoint {
        method: "POST",
        path: "/x",
        unknown: Unknown::Refused,
        parameters: &[
            honoured("a"),
            idle("b", "no loss"),
            only("c", &["\"auto\"", "1", "\"low\""], "no other"),
            refused("d", "not here"),
        ],
        notes: &[],
    };

    #[derive(Debug, serde::Deserialize)]
    struct Body {
        #[expect(dead_code, reason = "only what is refused matters here")]
        a: Option<u8>,
    }

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let outcome = ENDPOINT.read::<Body>(body.as_bytes());
        let words = outcome
            .err()
            .map(|fault| format!("{}: {}", fault.field.unwrap_or_default(), fault.error.message));
        match (words, expected) {
            (None, None) => {}
            (Some(words), Some(expected)) => assert!(words.contains(expected), "{body}: {words}"),
            (words, _) => panic!("{body}: {words:?}"),
        }
    }

    #[test]
    fn what_is_not_honoured_is_refused_by_name() {
        check(r#"{"a": 1, "b": {"x": 1}, "c": "auto", "d": null}"#, None);
        check(r#"{"a": null, "c": 1, "d": {}}"#, None);
        check(r#"{"c": 1.0}"#, None);
        check(r#"{"c": ["low", "auto"]}"#, None);
        check(r#"{"c": ["low", "high"]}"#, Some("c: `c`: only"));
        check(r#"{"c": 1.5}"#, Some("c: `c`: only"));
        check(r#"{"c": "other"}"#, Some("c: `c`: only \"auto\", 1, \"low\" is supported"));
        check(r#"{"d": true}"#, Some("d: `d` is not supported here: not here"));
        check(r#"{"e": 1}"#, Some("e: Unknown parameter: 'e'."));
        check(r#"{"a": "text"}"#, Some("a: `a`: invalid type"));
        check("[]", Some("invalid type"));
        let open = Endpoint { unknown: Unknown::Ignored, ..ENDPOINT };
        assert!(open.read::<Body>(br#"{"e": 1}"#).is_ok());
    }

    #[test]
    fn what_stands_within_a_parameter_is_refused_by_its_whole_name() {
        let Endpoint { unknown, parameters, .. } = ENDPOINT;
        let nested = Nested { of: "x", within: "options.", unknown, parameters };
        let refused =
            |body: Value| nested.check(body.as_object().unwrap()).err().and_then(|fault| fault.field);
        assert_eq!(refused(serde_json::json!({"a": 1, "d": null})), None);
        assert_eq!(refused(serde_json::json!({"d": 7})).as_deref(), Some("options.d"));
        assert_eq!(refused(serde_json::json!({"e": 7})).as_deref(), Some("options.e"));
    }
}
