//! The corpus of tool calls as models write them: at least 98 of 100 damaged calls are recovered with the
//! arguments they had, none becomes prose, and no prose becomes a call.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use edgecoder_agent::tool_call::{Reading, Scanner, Tool, read};
use serde::Deserialize;
use serde_json::{Map, Value};

const TOOLS: &str = include_str!("tool_calls/tools.json");
const FILES: [(&str, &str); 3] = [
    ("generated", include_str!("tool_calls/generated.jsonl")),
    ("written", include_str!("tool_calls/written.jsonl")),
    ("tiny model", include_str!("tool_calls/tiny.jsonl")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    text: String,
    expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Calls(Vec<Wanted>),
    /// The kind of the reason, or `any`.
    Malformed(String),
    Prose,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Wanted {
    name: String,
    arguments: Map<String, Value>,
}

fn tools() -> Vec<Tool> {
    serde_json::from_str(TOOLS).unwrap()
}

fn cases() -> impl Iterator<Item = (&'static str, Case)> {
    FILES.iter().flat_map(|(file, text)| {
        text.lines()
            .map(move |line| (*file, serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))))
    })
}

fn as_expected(reading: &Reading, expected: &Expected) -> bool {
    match (reading, expected) {
        (Reading::Calls { calls, .. }, Expected::Calls(wanted)) => {
            calls.len() == wanted.len()
                && calls.iter().zip(wanted).all(|(call, wanted)| {
                    call.name == wanted.name
                        && without_nulls(&call.arguments) == without_nulls(&wanted.arguments)
                })
        }
        (Reading::Malformed { reason, .. }, Expected::Malformed(kind)) => {
            kind == "any" || serde_json::to_value(reason).unwrap()["kind"] == *kind
        }
        (Reading::Prose, Expected::Prose) => true,
        _ => false,
    }
}

/// A null for a parameter that may be null and one left out say the same.
fn without_nulls(arguments: &Map<String, Value>) -> Map<String, Value> {
    arguments
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[test]
fn the_corpus_is_recovered_and_no_call_becomes_prose() {
    let tools = tools();
    let (mut damaged, mut recovered, mut others, mut right) = (0, 0, 0, 0);
    let (mut lost, mut invented) = (0, 0);
    let mut wrong = Vec::new();
    for (file, case) in cases() {
        let reading = read(&case.text, &tools);
        let good = as_expected(&reading, &case.expect);
        let wanted_call = matches!(case.expect, Expected::Calls(_));
        let wanted_prose = matches!(case.expect, Expected::Prose);
        lost += usize::from(!wanted_prose && reading == Reading::Prose);
        invented += usize::from(wanted_prose && !good);
        if wanted_call {
            damaged += 1;
            recovered += usize::from(good);
        } else {
            others += 1;
            right += usize::from(good);
        }
        if !good {
            wrong.push(format!("{file} {}\n{}\n  {reading:?}", case.id, case.text));
        }
    }
    println!(
        "{recovered} of {damaged} calls recovered; {right} of {others} other texts told apart; {lost} taken as prose"
    );
    for case in &wrong {
        println!("--- {case}");
    }
    assert_eq!((lost, invented), (0, 0), "calls taken as prose, prose taken as calls");
    assert!(damaged >= 400 && others >= 100, "the corpus has {damaged} calls and {others} others");
    assert!(recovered * 100 >= damaged * 98, "{recovered} of {damaged} recovered");
    assert!(right * 100 >= others * 98, "{right} of {others} told apart");
}

/// The share of prose that a stream shows before its end: text is not held back longer than its marks ask for.
#[test]
fn prose_streams_while_it_is_written() {
    let tools = tools();
    let (mut shown, mut all) = (0, 0);
    for (_, case) in
        cases().filter(|(file, case)| *file == "written" && matches!(case.expect, Expected::Prose))
    {
        let mut scanner = Scanner::new(&tools);
        case.text.char_indices().for_each(|(at, c)| _ = scanner.push(&case.text[at..at + c.len_utf8()]));
        shown += scanner.certain();
        all += case.text.len();
    }
    println!("{shown} of {all} bytes shown");
    // short answers of nothing but JSON are held to their end; text is not
    assert!(shown * 10 >= all * 7, "{shown} of {all} bytes shown before the end");
}

#[test]
fn a_stream_never_shows_a_part_of_a_call() {
    let tools = tools();
    for (file, case) in cases() {
        let whole = read(&case.text, &tools);
        for size in [1, 2, 3, 7, 29, 1000] {
            let mut scanner = Scanner::new(&tools);
            let mut shown = String::new();
            let chars: Vec<char> = case.text.chars().collect();
            for piece in chars.chunks(size) {
                shown += scanner.push(&piece.iter().collect::<String>());
            }
            let (reading, rest) = scanner.finish();
            assert_eq!(reading, whole, "{file} {}", case.id);
            assert_eq!(shown.clone() + &rest, case.text, "{file} {}", case.id);
            for leak in ["\"arguments\"", "<tool_call", "<function=", "[TOOL_CALLS", "TOOL read"] {
                let prose = matches!(whole, Reading::Prose);
                let thought = case.text.contains("</think>");
                assert!(
                    prose || thought || !shown.contains(leak),
                    "{file} {} shows {leak}:\n{shown}",
                    case.id
                );
            }
        }
    }
}
