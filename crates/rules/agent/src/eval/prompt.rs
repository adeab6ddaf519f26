//! How a problem is put to a model: in the words of its profile, for the smallest models exactly those of their
//! training.

use super::suite::Task;
use crate::budget::{TOKENS_PER_MESSAGE, estimate};
use crate::profile::{Flow, Profile};
use crate::prompt::function as words;
use crate::python::Outline;
use crate::step::{Message, Prompt, Role};
use crate::target::tests::Example;
use crate::target::{Intent, Request, Target};

/// How one sample is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// 0 is greedy.
    pub temperature: f32,
    /// Seed of the sampler.
    pub seed: u64,
}

/// The prompt for `task`; none if no useful one fits a window of `window` tokens, or for a repository, which is
/// the agent's.
pub fn ask(task: &Task, profile: &Profile, window: u32, draw: Draw) -> Option<Prompt> {
    let (user, prefill) = match (task, profile.flow) {
        (Task::Repository { .. }, _) => return None,
        (Task::Complete { prompt, entry_point, .. }, Flow::Function) => small_completion(prompt, entry_point),
        (Task::Request { request, entry_point, .. }, Flow::Function) => small_request(request, entry_point),
        (Task::Complete { prompt, .. }, Flow::Repository) => (
            format!(
                "Complete this function. Answer with the whole function.\n\n```python\n{}\n```",
                prompt.trim_end()
            ),
            None,
        ),
        (Task::Request { request, entry_point, .. }, Flow::Repository) => {
            let named = request.contains(entry_point.as_str());
            let name = if named { String::new() } else { format!("\nCall the function `{entry_point}`.") };
            (format!("{}{name}", request.trim()), None)
        }
    };
    let prefill = prefill.filter(|_| profile.prefill_signature);
    let system = &profile.systems.code;
    let texts = [system.as_str(), &user, prefill.as_deref().unwrap_or_default()];
    let used = texts.iter().fold(0_u32, |sum, text| sum.saturating_add(estimate(text) + TOKENS_PER_MESSAGE));
    let window = window.min(profile.context_tokens);
    // Small windows: the estimate is high, and an engine refuses what really does not fit.
    let room = window.saturating_sub(used).max(window / 4);
    let max_tokens = room.min(profile.max_output_tokens);
    (max_tokens > 0).then(|| Prompt {
        messages: vec![Message::new(Role::System, system), Message::new(Role::User, user)],
        prefill,
        temperature: draw.temperature,
        seed: draw.seed,
        max_tokens,
        stop: profile.stop.clone(),
    })
}

fn small_completion(prompt: &str, entry_point: &str) -> (String, Option<String>) {
    let outline = Outline::of(prompt);
    let found = outline.find(entry_point, None);
    let doc = found.and_then(|found| found.docstring.as_deref()).unwrap_or_default();
    let (text, example) = docstring(doc, entry_point);
    let target = Target {
        path: String::new(),
        function: Some(entry_point.to_owned()),
        params: found.map(|found| found.params.clone()),
        class: None,
        docstring: Some(text).filter(|text| !text.is_empty()),
        existing: None,
        because: "the suite names it",
    };
    let request = Request {
        intent: Intent::Write,
        function: Some(entry_point.to_owned()),
        params: None,
        class: None,
        path: None,
        wording: format!("Write the function {entry_point}"),
        describes: false,
    };
    (words::code(&request, &target, example.as_ref()), words::prefill(&target))
}

fn small_request(request: &str, entry_point: &str) -> (String, Option<String>) {
    let request = Request::parse(request);
    let target = Target {
        path: String::new(),
        function: Some(entry_point.to_owned()),
        params: request.params.clone().filter(|_| request.function.as_deref() == Some(entry_point)),
        class: None,
        docstring: None,
        existing: None,
        because: "the suite names it",
    };
    (words::code(&request, &target, None), words::prefill(&target))
}

/// The description of a docstring in one line, and its first example.
fn docstring(doc: &str, name: &str) -> (String, Option<Example>) {
    let mut lines = doc.lines().map(str::trim);
    let mut text = Vec::new();
    let mut example = None;
    while let Some(line) = lines.next() {
        if let Some(call) = line.strip_prefix(">>> ") {
            let want = lines.next().unwrap_or_default();
            if call.starts_with(&format!("{name}(")) && !want.is_empty() && !want.starts_with(">>>") {
                example = Some(Example { call: call.to_owned(), want: want.to_owned() });
            }
            break;
        }
        if !line.is_empty() {
            text.push(line);
        }
    }
    (text.join(" "), example)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw = Draw { temperature: 0.0, seed: 1 };

    #[test]
    fn a_tiny_model_is_asked_in_the_words_of_its_training() {
        let tiny = Profile::for_model("edgecoder-tiny");
        let complete = Task::Complete {
            prompt: "from typing import List\n\n\ndef halves(ns: List[int], k: int = 2) -> List[int]:\n    \"\"\" Return half\n    of every number.\n    >>> halves([2, 4])\n    [1, 2]\n    \"\"\"\n".into(),
            entry_point: "halves".into(),
            canonical_solution: None,
            test: "t".into(),
        };
        let prompt = ask(&complete, &tiny, 512, DRAW).unwrap();
        assert_eq!(
            prompt.messages[1].content,
            "def halves(ns, k=2):\n    \"\"\"Return half of every number.\"\"\"\nExample: halves([2, 4]) == [1, 2]"
        );
        assert_eq!(prompt.prefill.as_deref(), Some("```python\ndef halves(ns, k=2):\n"));
        let request = |request: &str| {
            let task = Task::Request {
                request: request.into(),
                entry_point: "f".into(),
                canonical_solution: None,
                test: "t".into(),
            };
            let prompt = ask(&task, &tiny, 512, DRAW).unwrap();
            (prompt.messages[1].content.clone(), prompt.prefill)
        };
        assert_eq!(
            request("Write a function f(a, b) that adds them."),
            ("Write a function f(a, b) that adds them.".into(), Some("```python\ndef f(a, b):\n".into()))
        );
        assert_eq!(request("Add two numbers."), ("Add two numbers. Call it f".into(), None));
    }

    #[test]
    fn other_models_are_asked_plainly_and_within_their_window() {
        let profile = Profile::for_model("qwen2.5-coder:7b");
        let task = Task::Request {
            request: "Add two numbers.".into(),
            entry_point: "add".into(),
            canonical_solution: None,
            test: "t".into(),
        };
        let prompt = ask(&task, &profile, 4096, DRAW).unwrap();
        assert_eq!(prompt.messages[1].content, "Add two numbers.\nCall the function `add`.");
        assert!(prompt.max_tokens <= 2048 && prompt.prefill.is_none());
        let repository = Task::Repository { repo: ".".into(), request: "r".into(), verify: "v".into() };
        assert_eq!(ask(&repository, &profile, 4096, DRAW), None);
    }
}
