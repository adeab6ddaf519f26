//! Arguments held against the tool's JSON Schema: the part of it that tool declarations use (type, properties,
//! required, enum, items, anyOf). A value of another type is changed only where it says the same.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::Tool;
use super::fuel::Fuel;
use super::lenient;
use super::malformed::Malformed;
use super::name::{Meant, meant};
use super::repair::Repair;
use crate::syntax::clip;

/// The parameters of a tool, by name.
pub(super) fn properties(tool: &Tool) -> Option<&Map<String, Value>> {
    tool.parameters.get("properties").and_then(Value::as_object)
}

/// Names of the parameters that must be given.
pub(super) fn required(tool: &Tool) -> impl Iterator<Item = &str> {
    tool.parameters.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The types that the schema of a parameter allows; empty if it does not say.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => {
            let choices = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
            choices.into_iter().flatten().flat_map(types).collect()
        }
    }
}

/// Makes `raw` the arguments of `tool`.
pub(super) fn fit(
    tool: &Tool,
    raw: Value,
    repairs: &mut BTreeSet<Repair>,
    fuel: &Fuel,
) -> Result<Map<String, Value>, Malformed> {
    let mut given = object(tool, raw, repairs, fuel)?;
    let Some(known) = properties(tool) else { return Ok(given) };
    rename(tool, known, &mut given, repairs)?;
    let mut fitted = Map::new();
    for (parameter, value) in given {
        let Some(schema) = known.get(&parameter) else {
            if tool.parameters.get("additionalProperties") == Some(&Value::Bool(false)) {
                let known = known.keys().cloned().collect();
                return Err(Malformed::UnknownParameter { tool: tool.name.clone(), parameter, known });
            }
            fitted.insert(parameter, value);
            continue;
        };
        let optional = !required(tool).any(|name| name == parameter);
        let typed = types(schema);
        if value.is_null() && optional && !typed.is_empty() && !typed.contains(&"null") {
            repairs.insert(Repair::NullDropped);
            continue;
        }
        let mut fitting = Fitting { tool, parameter: &parameter, repairs, fuel };
        let value = fitting.value(schema, value)?;
        fitted.insert(parameter, value);
    }
    match required(tool).find(|name| !fitted.contains_key(*name)) {
        Some(parameter) => {
            Err(Malformed::MissingParameter { tool: tool.name.clone(), parameter: parameter.to_owned() })
        }
        None => Ok(fitted),
    }
}

/// The object that `raw` is, or says: JSON in a string is one of the usual forms.
fn object(
    tool: &Tool,
    raw: Value,
    repairs: &mut BTreeSet<Repair>,
    fuel: &Fuel,
) -> Result<Map<String, Value>, Malformed> {
    let no_parameters = || Malformed::NoParameters { tool: tool.name.clone() };
    let mut value = raw;
    for layer in 0..4 {
        value = match value {
            Value::Object(map) => return Ok(map),
            Value::Null => return Ok(Map::new()),
            Value::String(text) if text.trim().is_empty() => return Ok(Map::new()),
            Value::Array(mut items) if items.len() == 1 && items[0].is_object() => {
                repairs.insert(Repair::Wrapping);
                items.swap_remove(0)
            }
            Value::Array(items) if items.is_empty() => {
                repairs.insert(Repair::Wrapping);
                return Ok(Map::new());
            }
            Value::String(text) if text.trim_start().starts_with(['{', '[', '"']) => {
                let text = text.trim();
                let inner = if text.starts_with('"') {
                    serde_json::from_str(text).map_err(|_| no_parameters())?
                } else {
                    let read = lenient::value(text, true, fuel)?;
                    if !text[read.end..].trim().is_empty() {
                        return Err(no_parameters());
                    }
                    repairs.extend(read.repairs);
                    read.value
                };
                if layer > 0 {
                    repairs.insert(Repair::DoubleEncoding);
                }
                inner
            }
            scalar @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                return sole(tool, scalar, repairs).ok_or_else(no_parameters);
            }
        };
    }
    Err(no_parameters())
}

/// A single value for a tool that has a single parameter.
fn sole(tool: &Tool, value: Value, repairs: &mut BTreeSet<Repair>) -> Option<Map<String, Value>> {
    let mut names = properties(tool)?.keys();
    let (Some(only), None) = (names.next(), names.next()) else { return None };
    repairs.insert(Repair::SoleParameter);
    Some(Map::from_iter([(only.clone(), value)]))
}

/// Gives parameters their declared names where a written one is near to exactly one that is missing.
fn rename(
    tool: &Tool,
    known: &Map<String, Value>,
    given: &mut Map<String, Value>,
    repairs: &mut BTreeSet<Repair>,
) -> Result<(), Malformed> {
    let missing: Vec<&str> =
        known.keys().map(String::as_str).filter(|name| !given.contains_key(*name)).collect();
    let strangers: Vec<String> = given.keys().filter(|name| !known.contains_key(*name)).cloned().collect();
    let mut taken = BTreeSet::new();
    for stranger in strangers {
        match meant(&stranger, &missing) {
            Meant::Exactly(at) | Meant::Nearly(at) => {
                let parameter = missing[at];
                if !taken.insert(parameter) {
                    let parameter = parameter.to_owned();
                    return Err(Malformed::Contradiction { tool: tool.name.clone(), parameter });
                }
                if let Some(value) = given.remove(&stranger) {
                    given.insert(parameter.to_owned(), value);
                    repairs.insert(Repair::ParameterName);
                }
            }
            Meant::Unsure(_) => {
                let known = known.keys().cloned().collect();
                return Err(Malformed::UnknownParameter {
                    tool: tool.name.clone(),
                    parameter: stranger,
                    known,
                });
            }
            Meant::Nothing => {}
        }
    }
    Ok(())
}

struct Fitting<'a> {
    tool: &'a Tool,
    parameter: &'a str,
    repairs: &'a mut BTreeSet<Repair>,
    fuel: &'a Fuel,
}

impl Fitting<'_> {
    fn value(&mut self, schema: &Value, value: Value) -> Result<Value, Malformed> {
        let wanted = types(schema);
        let value = if wanted.is_empty() || wanted.iter().any(|wanted| is(wanted, &value)) {
            value
        } else {
            // of several types none fits: changing the value would choose between them
            match wanted.iter().filter(|wanted| **wanted != "null").collect::<Vec<_>>()[..] {
                [wanted] => self.turned(wanted, schema, &value).ok_or_else(|| self.wrong(wanted, &value))?,
                _ => return Err(self.wrong(&wanted.join(" or "), &value)),
            }
        };
        let value = self.choice(schema, value)?;
        match value {
            Value::Array(items) => {
                let Some(schema) = schema.get("items") else { return Ok(Value::Array(items)) };
                items
                    .into_iter()
                    .map(|item| self.value(schema, item))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            Value::Object(map) => {
                let Some(inner) = schema.get("properties") else { return Ok(Value::Object(map)) };
                let fit = |(key, value)| match inner.get(&key) {
                    Some(schema) => self.value(schema, value).map(|value| (key, value)),
                    None => Ok((key, value)),
                };
                map.into_iter().map(fit).collect::<Result<_, _>>().map(Value::Object)
            }
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Ok(scalar),
        }
    }

    /// `value` as the type `wanted`, if that says the same.
    fn turned(&mut self, wanted: &str, schema: &Value, value: &Value) -> Option<Value> {
        let turned = match (wanted, value) {
            ("integer" | "number", Value::String(text)) => {
                serde_json::from_str(text.trim()).ok().and_then(|number: Value| {
                    if is(wanted, &number) {
                        Some(number)
                    } else {
                        whole(&number).filter(|_| wanted == "integer")
                    }
                })
            }
            ("integer", Value::Number(_)) => whole(value),
            ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            ("string", Value::Number(_) | Value::Bool(_)) => Some(Value::String(value.to_string())),
            ("string", Value::Array(items)) if items.len() == 1 && items[0].is_string() => {
                self.repairs.insert(Repair::Wrapping);
                return Some(items[0].clone());
            }
            ("array" | "object", Value::String(text)) if text.trim_start().starts_with(['[', '{']) => {
                let read = lenient::value(text.trim(), true, self.fuel).ok()?;
                self.repairs.insert(Repair::DoubleEncoding);
                self.repairs.extend(read.repairs);
                return Some(read.value).filter(|value| is(wanted, value));
            }
            ("array", Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Object(_)) => {
                let item = schema.get("items").map(types).unwrap_or_default();
                if !item.is_empty() && !item.iter().any(|item| is(item, value)) {
                    return None;
                }
                self.repairs.insert(Repair::Wrapping);
                return Some(Value::Array(vec![value.clone()]));
            }
            _ => None,
        }?;
        self.repairs.insert(Repair::Type);
        Some(turned)
    }

    fn choice(&mut self, schema: &Value, value: Value) -> Result<Value, Malformed> {
        let Some(choices) = schema.get("enum").and_then(Value::as_array) else { return Ok(value) };
        if choices.contains(&value) {
            return Ok(value);
        }
        let names: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        let written = value.as_str().unwrap_or_default().trim();
        let same: Vec<&&str> = names.iter().filter(|name| name.eq_ignore_ascii_case(written)).collect();
        if let [only] = same[..] {
            self.repairs.insert(Repair::Choice);
            return Ok(Value::String((*only).to_owned()));
        }
        Err(Malformed::NoChoice {
            tool: self.tool.name.clone(),
            parameter: self.parameter.to_owned(),
            choices: choices.iter().map(Value::to_string).collect(),
            found: clip(&value.to_string(), 60),
        })
    }

    fn wrong(&self, wanted: &str, value: &Value) -> Malformed {
        Malformed::WrongType {
            tool: self.tool.name.clone(),
            parameter: self.parameter.to_owned(),
            wanted: wanted.to_owned(),
            found: clip(&value.to_string(), 60),
        }
    }
}

/// Whether `value` is of the JSON Schema type `wanted`.
fn is(wanted: &str, value: &Value) -> bool {
    match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// `3.0` as 3.
#[expect(clippy::cast_possible_truncation, reason = "only whole numbers within 2^53 are cast")]
fn whole(number: &Value) -> Option<Value> {
    let number = number.as_f64()?;
    let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    exact.then(|| Value::Number(Number::from(number as i64)))
}
