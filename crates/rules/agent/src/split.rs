//! Splitting a task into functions: the prompt and the reading of the answer. Used by whoever decomposes.

use serde::{Deserialize, Serialize};

use crate::budget::{TOKENS_PER_MESSAGE, estimate};
use crate::{Error, Message, Profile, Prompt, Role};

/// Tokens for the answer; six functions, the most the tiny model was trained on, need fewer.
const ANSWER_TOKENS: u32 = 320;
/// Most parts taken from one answer.
pub const MAX_PARTS: usize = 10;

/// One function of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Position as the model numbered it.
    #[serde(default)]
    pub id: u32,
    /// The function's name.
    pub function: String,
    /// The request for this function alone.
    pub task: String,
}

/// The prompt for splitting `request`; none when it does not fit the window, because half a request would be
/// split into half the work without anybody noticing.
pub fn prompt(profile: &Profile, request: &str, context_tokens: u32, seed: u64) -> Option<Prompt> {
    let system = &profile.systems.split;
    let window = context_tokens.min(profile.context_tokens);
    let max_tokens = ANSWER_TOKENS.max(profile.max_output_tokens.min(1024)).min(window * 5 / 8);
    let used = estimate(system) + estimate(request) + 3 * TOKENS_PER_MESSAGE;
    (used + max_tokens <= window).then(|| Prompt {
        messages: vec![Message::new(Role::System, system.clone()), Message::new(Role::User, request.trim())],
        prefill: None,
        temperature: profile.temperatures.first,
        seed,
        max_tokens,
        stop: profile.stop.clone(),
    })
}

/// Reads the answer: a JSON list, perhaps fenced, perhaps with talk around it.
pub fn parse(answer: &str) -> Result<Vec<Part>, Error> {
    let refuse = |reason: &str| Error::Split(reason.to_owned());
    let start = answer.find('[').ok_or_else(|| refuse("the answer contains no list"))?;
    let end = answer.rfind(']').filter(|end| *end > start).ok_or_else(|| refuse("the list has no end"))?;
    let parts: Vec<Part> =
        serde_json::from_str(&answer[start..=end]).map_err(|error| Error::Split(error.to_string()))?;
    if parts.is_empty() || parts.len() > MAX_PARTS {
        return Err(Error::Split(format!("{} parts, 1 to {MAX_PARTS} make sense", parts.len())));
    }
    let mut names = std::collections::BTreeSet::new();
    for part in &parts {
        if part.task.trim().is_empty() || !crate::syntax::is_identifier(&part.function) {
            return Err(Error::Split(format!("part {:?} has no task or no function name", part.function)));
        }
        if !names.insert(part.function.as_str()) {
            return Err(Error::Split(format!("the function {} occurs twice", part.function)));
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_found_in_any_wrapping() {
        let list = r#"[{"id": 1, "function": "f", "task": "Write a function f(x) that returns x."},
 {"id": 2, "function": "g", "task": "Write a function g(x) that returns 2."}]"#;
        for answer in [list.to_owned(), format!("```json\n{list}\n```"), format!("Here it is: {list} Done.")]
        {
            let names: Vec<String> = parse(&answer).unwrap().into_iter().map(|part| part.function).collect();
            assert_eq!(names, ["f", "g"]);
        }
    }

    #[test]
    fn what_is_no_split_is_refused() {
        for answer in [
            "",
            "[",
            "][",
            "[]",
            "[1, 2]",
            r#"[{"function": "f f", "task": "x"}]"#,
            r#"[{"function": "f", "task": " "}]"#,
            r#"[{"function": "f", "task": "x"}, {"function": "f", "task": "y"}]"#,
        ] {
            assert!(matches!(parse(answer), Err(Error::Split(_))), "{answer}");
        }
    }

    #[test]
    fn a_request_that_does_not_fit_is_not_cut() {
        let tiny = Profile::for_model("edgecoder-tiny");
        assert!(prompt(&tiny, "Write f(x) that returns x and g(x) that returns 2.", 512, 1).is_some());
        assert_eq!(prompt(&tiny, &"word ".repeat(400), 512, 1), None);
    }
}
