//! Splitting a task into parts: the prompt, the form of the answer, and the reading of it. What a model proposes is
//! never trusted further than its schema: a graph with a cycle, a part outside the scope or an eleventh part is no
//! split at all.

mod form;

use std::collections::{BTreeMap, BTreeSet};

use edgecoder_base::{Scope, Verifier};
use serde::{Deserialize, Serialize};

use crate::budget::{TOKENS_PER_MESSAGE, estimate};
use crate::profile::Flow;
use crate::{Error, Message, Profile, Prompt, Role, scope};

pub use form::Form;

/// Tokens for the answer; ten functions, the most that are taken, need up to 480.
const ANSWER_TOKENS: u32 = 560;
/// Most parts taken from one answer.
pub const MAX_PARTS: usize = 10;
/// Most paths a part may name: a part that needs more is not a part.
const MAX_FILES: usize = 16;
/// Told to models that can order parts and name files, behind their system line.
const GRAPH: &str = " Optional per entry: \"after\": ids of entries that must be done before it; \"files\": paths it may \
                     change. At most 10 entries.";

/// One part of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Position as the model numbered it.
    #[serde(default)]
    pub id: u32,
    /// The function's name.
    pub function: String,
    /// The request for this part alone.
    pub task: String,
    /// Numbers of the parts that must be done before.
    #[serde(default)]
    pub after: Option<Vec<u32>>,
    /// Paths it may change; none: all that the task may.
    #[serde(default)]
    pub files: Vec<String>,
}

/// A part in its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The request for this part alone.
    pub task: String,
    /// Positions of earlier parts that must be done before.
    pub depends_on: Vec<usize>,
    /// What it may touch, within what the task may.
    pub scope: Scope,
}

/// The prompt for splitting `request`; none when it does not fit the window, because half a request would be
/// split into half the work without anybody noticing.
pub fn prompt(profile: &Profile, request: &str, context_tokens: u32, seed: u64) -> Option<Prompt> {
    let more = if names_graph(profile) { GRAPH } else { "" };
    let system = format!("{}{more}", profile.systems.split);
    let window = context_tokens.min(profile.context_tokens);
    let max_tokens = ANSWER_TOKENS.max(profile.max_output_tokens.min(1024)).min(window * 5 / 8);
    let used = estimate(&system) + estimate(request) + 3 * TOKENS_PER_MESSAGE;
    (used + max_tokens <= window).then(|| Prompt {
        messages: vec![Message::new(Role::System, system), Message::new(Role::User, request.trim())],
        prefill: None,
        temperature: profile.temperatures.first,
        seed,
        max_tokens,
        stop: profile.stop.clone(),
    })
}

/// Models of the function flow write the form they were trained on; other words confuse them.
fn names_graph(profile: &Profile) -> bool {
    profile.flow == Flow::Repository
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
    let mut names = BTreeSet::new();
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

/// Puts parts into an order in which each comes after those it depends on, and each into a scope within `asked`.
/// Without any word about order each part builds on the one before, since parts mostly go into the same file.
pub fn place(parts: Vec<Part>, asked: &Scope, verifier: Option<&Verifier>) -> Result<Vec<Placed>, Error> {
    let before =
        if parts.iter().any(|part| part.after.is_some()) { graph(&parts)? } else { chain(parts.len()) };
    let order = ordered(&before)?;
    let position: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(position, part)| (*part, position)).collect();
    let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
    let mut placed = Vec::with_capacity(order.len());
    for index in order {
        let Some(part) = parts.get_mut(index).and_then(Option::take) else { continue };
        let on = before.get(index).into_iter().flatten();
        let mut depends_on: Vec<usize> = on.filter_map(|on| position.get(on).copied()).collect();
        depends_on.sort_unstable();
        placed.push(Placed { depends_on, scope: narrowed(&part, asked, verifier)?, task: part.task });
    }
    Ok(placed)
}

fn chain(parts: usize) -> Vec<BTreeSet<usize>> {
    (0..parts).map(|index| index.checked_sub(1).into_iter().collect()).collect()
}

/// For each part the places of those before it.
fn graph(parts: &[Part]) -> Result<Vec<BTreeSet<usize>>, Error> {
    let mut places = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        if places.insert(part.id, index).is_some() {
            return Err(Error::Split(format!("two parts have the number {}", part.id)));
        }
    }
    let known = |part: &Part, id: &u32| {
        let place = places.get(id).copied();
        place.ok_or_else(|| Error::Split(format!("part {} comes after {id}, which is no part", part.id)))
    };
    let before = |part: &Part| part.after.iter().flatten().map(|id| known(part, id)).collect();
    parts.iter().map(before).collect()
}

/// The parts in an order that keeps every edge, otherwise as they were written; an error where edges go round.
fn ordered(before: &[BTreeSet<usize>]) -> Result<Vec<usize>, Error> {
    let mut order: Vec<usize> = Vec::with_capacity(before.len());
    while order.len() < before.len() {
        let free = |(index, on): &(usize, &BTreeSet<usize>)| {
            !order.contains(index) && on.iter().all(|on| order.contains(on))
        };
        let next = before.iter().enumerate().find(free).map(|(index, _)| index);
        order.push(
            next.ok_or_else(|| Error::Split("the parts depend on one another in a circle".to_owned()))?,
        );
    }
    Ok(order)
}

fn narrowed(part: &Part, asked: &Scope, verifier: Option<&Verifier>) -> Result<Scope, Error> {
    if part.files.is_empty() {
        return Ok(asked.clone());
    }
    if part.files.len() > MAX_FILES {
        return Err(Error::Split(format!("part {} names more than {MAX_FILES} files", part.id)));
    }
    let outside = part.files.iter().find(|path| !scope::may_touch(path, asked, verifier));
    match outside {
        Some(path) => Err(Error::Split(format!("part {} wants {path:?}, outside the task's scope", part.id))),
        // A path that stands in a scope as it is lifts the protection of tests and manifests: only a person may do
        // that. In braces it is a glob that matches this path alone.
        None => {
            let glob = |path: &String| {
                if asked.allow.contains(path) { path.clone() } else { format!("{{{path}}}") }
            };
            let allow = part.files.iter().map(glob).collect();
            Ok(Scope { allow, ..asked.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let eleven: Vec<_> =
            (0..11).map(|id| json!({"id": id, "function": format!("f{id}"), "task": "x"})).collect();
        let eleven = json!(eleven).to_string();
        for answer in [
            "",
            "[",
            "][",
            "[]",
            "[1, 2]",
            r#"[{"function": "f f", "task": "x"}]"#,
            r#"[{"function": "f", "task": " "}]"#,
            r#"[{"function": "f", "task": "x"}, {"function": "f", "task": "y"}]"#,
            r#"[{"function": "f", "task": "x", "after": "1"}]"#,
            eleven.as_str(),
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

    #[test]
    fn the_tiny_model_reads_the_words_it_was_trained_on() {
        let (tiny, large) = (Profile::for_model("edgecoder-tiny"), Profile::for_model("some-model"));
        let system = |profile: &Profile| prompt(profile, "f", 4_096, 1).unwrap().messages[0].content.clone();
        assert_eq!(system(&tiny), tiny.systems.split);
        assert!(matches!(Form::of(&tiny, "f"), Form::Grammar(_)));
        assert!(system(&large).contains("\"after\""));
        let Form::Schema(schema) = Form::of(&large, "f") else { panic!("no schema") };
        assert_eq!(schema["maxItems"], MAX_PARTS);
    }

    fn part(id: u32, after: Option<&[u32]>, files: &[&str]) -> Part {
        let files = files.iter().map(|path| (*path).to_owned()).collect();
        Part {
            id,
            function: format!("f{id}"),
            task: format!("t{id}"),
            after: after.map(<[u32]>::to_vec),
            files,
        }
    }

    #[test]
    fn parts_are_ordered_by_what_they_need() {
        let check = |parts: &[Part], expected: &[(&str, &[usize])]| {
            let placed = place(parts.to_vec(), &Scope::default(), None).unwrap();
            let seen: Vec<_> =
                placed.iter().map(|placed| (placed.task.as_str(), placed.depends_on.as_slice())).collect();
            assert_eq!(seen, expected);
        };
        check(&[part(0, None, &[])], &[("t0", &[])]);
        check(
            &[part(0, None, &[]), part(0, None, &[]), part(0, None, &[])],
            &[("t0", &[]), ("t0", &[0]), ("t0", &[1])],
        );
        let diamond = [
            part(4, Some(&[3, 2]), &[]),
            part(2, Some(&[1]), &[]),
            part(3, Some(&[1, 1]), &[]),
            part(1, None, &[]),
        ];
        check(&diamond, &[("t1", &[]), ("t2", &[0]), ("t3", &[0]), ("t4", &[1, 2])]);
    }

    #[test]
    fn what_goes_round_or_outside_is_no_plan() {
        let narrow = Scope { allow: vec!["src/**".to_owned()], ..Scope::default() };
        let verifier = Verifier::new("python src/judge.py");
        let refused = |parts: &[Part], words: &str| {
            let error = place(parts.to_vec(), &narrow, Some(&verifier)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}, not {words}");
        };
        refused(&[part(1, Some(&[2]), &[]), part(2, Some(&[1]), &[])], "circle");
        refused(&[part(1, Some(&[1]), &[])], "circle");
        refused(&[part(1, Some(&[7]), &[])], "no part");
        refused(&[part(1, Some(&[]), &[]), part(1, None, &[])], "two parts");
        for path in [
            "other/a.py",
            "../src/a.py",
            "/etc/passwd",
            "src/../other/a.py",
            "src/*.py",
            "src/test_a.py",
            "src/judge.py",
        ] {
            refused(&[part(1, None, &[path])], "outside");
        }
        let placed = place(vec![part(1, None, &["src/a.py"])], &narrow, None).unwrap();
        let narrowed = &placed[0].scope;
        assert_eq!(narrowed, &Scope { allow: vec!["{src/a.py}".to_owned()], ..narrow.clone() });
        for (path, may) in [("src/a.py", true), ("src/b.py", false), ("other/a.py", false)] {
            assert_eq!(scope::may_touch(path, narrowed, None), may, "{path}");
        }
        let named = place(vec![part(1, None, &["a.py"])], &Scope::default(), None).unwrap();
        assert!(!scope::may_touch("test_a.py", &named[0].scope, None));
    }
}
