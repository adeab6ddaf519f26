//! Prompts for one function. The strings are those of the tiny model's training; a word more or less costs
//! more than any explanation gains.

use crate::edit::put_function::names;
use crate::syntax::split_top;
use crate::target::tests::Example;
use crate::target::{Intent, Request, Target};

/// The request as the model knows requests.
pub fn code(request: &Request, target: &Target, example: Option<&Example>) -> String {
    let mut text = worded(request, target);
    if let Some(example) = example {
        text.push_str(&format!("\nExample: {} == {}", example.call, example.want));
    }
    text
}

fn worded(request: &Request, target: &Target) -> String {
    let wording = request.wording.trim();
    let Some(name) = &target.function else { return wording.to_owned() };
    let params = target.params.as_deref().map(bare);
    let describes = request.describes && request.intent == Intent::Write;
    if let (false, Some(doc), Some(params)) = (describes, &target.docstring, &params) {
        let doc = doc.lines().next().unwrap_or(doc).trim();
        return format!("def {name}({params}):\n    \"\"\"{doc}\"\"\"");
    }
    match (whole_word(wording, name), &params) {
        (Some(at), Some(params)) => {
            let end = at + name.len();
            let class = target.class.as_deref().map(|class| format!("{class}."));
            let start =
                class.filter(|class| wording[..at].ends_with(class.as_str())).map_or(at, |c| at - c.len());
            let signed = wording[end..].starts_with('(');
            let call = if signed { name.clone() } else { format!("{name}({params})") };
            format!("{}{call}{}", &wording[..start], &wording[end..])
        }
        (Some(_), None) => wording.to_owned(),
        (None, _) => format!("{}. Call it {name}", wording.trim_end_matches(['.', ' '])),
    }
}

/// Where `name` stands by itself: a short one may also be a part of other words.
fn whole_word(text: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .map(|(at, _)| at)
        .find(|at| !text[..*at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

/// What was asked, what came, and what its test said.
pub fn repair(code_request: &str, code: &str, headline: &str) -> String {
    format!("{code_request}\n\n```python\n{}\n```\nTest failed: {headline}", code.trim())
}

/// The start of the answer when the signature is known.
pub fn prefill(target: &Target) -> Option<String> {
    let (name, params) = (target.function.as_ref()?, target.params.as_deref()?);
    Some(format!("```python\ndef {name}({}):\n", bare(params)))
}

/// Parameters without types, as in training; defaults stay, they mean something.
fn bare(params: &str) -> String {
    let bare = |param: &&str| {
        let name = param.split([':', '=']).next().unwrap_or(param).trim();
        match split_top(param, "=")[..] {
            [_, default] => format!("{name}={}", default.trim()),
            _ => name.to_owned(),
        }
    };
    if names(params).is_empty() {
        return String::new();
    }
    split_top(params, ",")
        .iter()
        .filter(|param| !param.trim().is_empty())
        .map(bare)
        .collect::<Vec<_>>()
        .join(", ")
}
