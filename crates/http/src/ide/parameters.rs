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
    /// Only these JSON values are taken, because they ask for what happens anyway; why no others.
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
        self.check(&object)?;
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

    fn check(&self, object: &Map<String, Value>) -> Result<(), Fault> {
        for (name, value) in object {
            let known = self.parameters.iter().find(|parameter| parameter.name == name);
            match known.map(|parameter| parameter.standing) {
                Some(Standing::Honoured | Standing::Idle(_)) => {}
                Some(Standing::Only(values, why)) => {
                    let taken = asks_nothing(value) || values.contains(&value.to_string().as_str());
                    if !taken {
                        let list = values.join(", ");
                        return Err(Fault::of(
                            name,
                            format!("`{name}`: only {list} is supported here: {why}"),
                        ));
                    }
                }
                Some(Standing::Refused(_)) if asks_nothing(value) => {}
                Some(Standing::Refused(why)) => return Err(Fault::unsupported(name, why)),
                None if self.unknown == Unknown::Ignored => {}
                None => {
                    let error = Error::new(ErrorCode::UnknownField, format!("Unknown parameter: '{name}'."));
                    return Err(Fault { error, field: Some(name.clone()) });
                }
            }
        }
        Ok(())
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
            only("c", &["\"auto\"", "1"], "no other"),
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
        check(r#"{"c": "other"}"#, Some("c: `c`: only \"auto\", 1 is supported"));
        check(r#"{"d": true}"#, Some("d: `d` is not supported here: not here"));
        check(r#"{"e": 1}"#, Some("e: Unknown parameter: 'e'."));
        check(r#"{"a": "text"}"#, Some("a: `a`: invalid type"));
        check("[]", Some("invalid type"));
        let open = Endpoint { unknown: Unknown::Ignored, ..ENDPOINT };
        assert!(open.read::<Body>(br#"{"e": 1}"#).is_ok());
    }
}
