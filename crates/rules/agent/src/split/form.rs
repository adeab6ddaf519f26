//! The form that an answer to a split request is held to, where the engine can: a JSON schema for models that know
//! one when they see it, a grammar in the very spelling that the smallest models were trained on.

use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::{MAX_FILES, MAX_PARTS};
use crate::Profile;
use crate::profile::Flow;

/// Most characters of what a part asks for, behind its signature: a model that repeats itself comes to an end.
const MAX_TASK_CHARS: usize = 240;

/// `name(first, second)`, with nothing but names and their types between the brackets: a signature, not a call.
static SIGNATURE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const PARAMETER: &str = r"[A-Za-z_]\w*(?:: ?[A-Za-z_][\w\[\], ]*?)?";
    Regex::new(&format!(r"\b([A-Za-z_]\w*)\(((?:{PARAMETER})(?:, ?{PARAMETER})*|)\)")).ok()
});

/// What an answer is held to.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// A JSON schema.
    Schema(Value),
    /// A grammar in llama.cpp's GBNF, starting at `root`.
    Grammar(String),
}

impl Form {
    /// The form for the parts of `request`.
    pub fn of(profile: &Profile, request: &str) -> Self {
        match profile.flow {
            Flow::Repository => Self::Schema(schema()),
            Flow::Function => Self::Grammar(grammar(&signatures(request))),
        }
    }
}

fn schema() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let part = json!({
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "function": text,
            "task": text,
            "after": {"type": "array", "items": {"type": "integer"}, "maxItems": MAX_PARTS},
            "files": {"type": "array", "items": text, "maxItems": MAX_FILES},
        },
        "required": ["id", "function", "task"],
        "additionalProperties": false,
    });
    json!({"type": "array", "items": part, "minItems": 1, "maxItems": MAX_PARTS})
}

/// Name and whole text of every function that `request` asks for by its signature, in its order, each once.
fn signatures(request: &str) -> Vec<(&str, &str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for signature in SIGNATURE.iter().flat_map(|signature| signature.captures_iter(request)) {
        let (Some(whole), Some(name)) = (signature.get(0), signature.get(1)) else { continue };
        let new = found.iter().all(|(known, _)| *known != name.as_str());
        let before = last_word(&request[..whole.start()]);
        // "a module with f(x), g(y)" lists what it asks for; once something is asked for, "with h(z)" tells how
        let listed = found.is_empty() && before == "with";
        if new && (listed || !mentioned(&before)) {
            found.push((name.as_str(), whole.as_str()));
        }
    }
    found
}

/// The last word of `text` in lower case; nothing when it ends otherwise.
fn last_word(text: &str) -> String {
    let words = text.trim_end_matches([' ', '`']);
    words.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether what comes after the word `before` is spoken of and not asked for: "returns f(x)", "by calling f(x)".
fn mentioned(before: &str) -> bool {
    const LEADING_TO_A_MENTION: &[&str] = &[
        "apply", "applies", "applying", "as", "by", "call", "calling", "calls", "equals", "for", "from",
        "in", "is", "like", "of", "on", "return", "returns", "than", "through", "to", "use", "uses", "using",
        "with",
    ];
    LEADING_TO_A_MENTION.contains(&before)
}

/// One to ten parts, one to a line. Where the request writes signatures, the parts are these, in their order: a small
/// model that copies ten names by heart forgets one, or spells it its own way.
fn grammar(signatures: &[(&str, &str)]) -> String {
    let mut rules = format!(
        "character ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" [\"\\\\/n]\n\
         text ::= character{{1,{MAX_TASK_CHARS}}}\n\
         number ::= [1-9] | \"10\"\n",
    );
    if (1..=MAX_PARTS).contains(&signatures.len()) {
        for (at, (name, signature)) in signatures.iter().enumerate() {
            part(&mut rules, at, &format!("\"{name}\""), &format!("\"Write a function {signature} \" text"));
        }
        let parts: Vec<String> = (0..signatures.len()).map(|at| format!("part{at}")).collect();
        let _ = writeln!(rules, "root ::= \"[\" {} \"]\"", parts.join(" \",\\n \" "));
    } else {
        part(&mut rules, 0, "[A-Za-z_] [A-Za-z0-9_]*", "text");
        let _ = writeln!(rules, "root ::= \"[\" part0 (\",\\n \" part0){{0,{}}} \"]\"", MAX_PARTS - 1);
    }
    rules
}

fn part(rules: &mut String, at: usize, name: &str, task: &str) {
    let _ = writeln!(
        rules,
        r#"part{at} ::= "{{\"id\": " number ", \"function\": \"" {name} "\", \"task\": \"" {task} "\"}}""#
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_told_from_calls_and_talk() {
        let check = |request: &str, expected: &[&str]| {
            let found: Vec<_> = signatures(request).into_iter().map(|(_, signature)| signature).collect();
            assert_eq!(found, expected, "{request}");
        };
        check("Write add(a, b) that adds them and twice(n: int) for 2n.", &["add(a, b)", "twice(n: int)"]);
        check("add(a,b): sum, e.g. add(2, 3) is 5\n- nothing() -> None", &["add(a,b)", "nothing()"]);
        check("join(parts: list[str], end: str = \"\") joins", &[]);
        check("f(x) returns f(x) doubled (as a number)", &["f(x)"]);
        check(
            "Write mean(xs) by calling `total(xs)`, and spread(xs) which returns top(xs) - low",
            &["mean(xs)", "spread(xs)"],
        );
        check("a function (with care) that counts", &[]);
        check("Make a module with f(x) that returns x, g(y) that works with h(y)", &["f(x)", "g(y)"]);
    }

    #[test]
    fn the_smallest_models_answer_in_their_spelling() {
        let tiny = Profile::for_model("edgecoder-tiny");
        let Form::Grammar(grammar) = Form::of(&tiny, "Write f(x) that returns x, g(y) that returns 2.")
        else {
            panic!("no grammar")
        };
        insta::assert_snapshot!(grammar);
        let Form::Grammar(free) = Form::of(&tiny, "Write two functions, one for sums.") else {
            panic!("no grammar")
        };
        insta::assert_snapshot!(free);
    }
}
