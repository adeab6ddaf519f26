//! What holds for every text: reading never panics, a well-formed call of any form is read as it was written,
//! a stream cut anywhere is read like the whole, and hostile text costs a bounded time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use edgecoder_agent::tool_call::{
    Call, Course, Dialect, MAX_BYTES, Malformed, Next, Reading, Repair, Scanner, Tool, declare, read,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn tools() -> Vec<Tool> {
    serde_json::from_str(include_str!("tool_calls/tools.json")).unwrap()
}

/// Pieces of calls in every form, and of what surrounds them.
fn scraps() -> impl Strategy<Value = String> {
    let scraps = vec![
        "<tool_call>",
        "</tool_call>",
        "\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        ":",
        ",",
        "\"name\": ",
        "\"arguments\": ",
        "read_file",
        "search",
        "\"read_file\"",
        "[TOOL_CALLS]",
        "[ARGS]",
        "<|python_tag|>",
        "<function=",
        "search>",
        "<parameter=",
        "query>",
        "</parameter>",
        "</function>",
        "```",
        "```json\n",
        "```python\n",
        "TOOL ",
        "END",
        "path: ",
        "<<<",
        ">>>",
        "<think>",
        "</think>",
        "\\",
        "“",
        "”",
        "é",
        "True",
        "1",
        "-",
        "(",
        ")",
        "path=",
        " ",
        "x",
        "//",
        "/*",
        "*/",
        "\\u",
        "<arg_key>",
        "<arg_value>",
        "\"path\": \"a.py\"",
        "{\"name\": \"search\", \"arguments\": {\"query\": \"x\"}}",
        "prose. ",
        "<",
        "</",
        "<tools>",
        "｜",
    ];
    vec(prop_oneof![9 => proptest::sample::select(scraps).prop_map(str::to_owned), 1 => ".{0,5}"], 0..40)
        .prop_map(|parts| parts.concat())
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ -~äé“☕\n\t\\\\\"'{}<>\\[\\]]{0,40}").unwrap()
}

fn arguments() -> impl Strategy<Value = (String, Map<String, Value>)> {
    let map = |value: Value| value.as_object().cloned().unwrap_or_default();
    prop_oneof![
        (text(), any::<i32>()).prop_map(move |(path, limit)| (
            "read_file".to_owned(),
            map(json!({"path": path, "limit": limit}))
        )),
        (text(), text()).prop_map(move |(path, content)| (
            "write_file".to_owned(),
            map(json!({"path": path, "content": content}))
        )),
        (text(), any::<bool>()).prop_map(move |(query, case)| (
            "search".to_owned(),
            map(json!({"query": query, "case_sensitive": case}))
        )),
        (text(), text(), text()).prop_map(move |(path, old, new)| {
            ("edit_file".to_owned(), map(json!({"path": path, "edits": [{"old": old, "new": new}]})))
        }),
    ]
}

fn written(form: usize, name: &str, arguments: &Map<String, Value>) -> String {
    let value = Value::Object(arguments.clone());
    let call = json!({"name": name, "arguments": value});
    match form {
        0 => call.to_string(),
        1 => format!("<tool_call>\n{call}\n</tool_call>"),
        2 => format!("[TOOL_CALLS][{call}]"),
        3 => format!("[TOOL_CALLS]{name}[ARGS]{value}"),
        4 => format!("<|python_tag|>{}", json!({"name": name, "parameters": value})),
        5 => json!([{"type": "function", "function": {"name": name, "arguments": value.to_string()}}])
            .to_string(),
        6 => format!("```json\n{}\n```", serde_json::to_string_pretty(&call).unwrap()),
        _ => {
            let pair = |(key, value): (&String, &Value)| format!("{key}={value}");
            let value = arguments.iter().map(pair).collect::<Vec<_>>().join(", ");
            format!("[{name}({})]", value.replace("=true", "=True").replace("=false", "=False"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_text_makes_reading_panic(text in scraps()) {
        let reading = read(&text, &tools());
        if let Reading::Calls { calls, .. } = &reading {
            prop_assert!(!calls.is_empty() && calls.iter().all(|call| tools().iter().any(|tool| tool.name == call.name)));
        }
        let _ = read(&text, &[]);
    }

    #[test]
    fn a_stream_cut_anywhere_is_read_like_the_whole(text in scraps(), cuts in vec(1_usize..20, 1..20)) {
        let tools = tools();
        let mut scanner = Scanner::new(&tools);
        let mut shown = String::new();
        let mut chars = text.chars().peekable();
        for size in cuts.iter().cycle() {
            if chars.peek().is_none() {
                break;
            }
            let piece: String = chars.by_ref().take(*size).collect();
            shown += scanner.push(&piece);
        }
        let certain = scanner.certain();
        let (reading, rest) = scanner.finish();
        prop_assert_eq!(&(shown + &rest), &text);
        if let Reading::Malformed { at, reason } = &reading {
            prop_assert!(*reason == Malformed::InThinking || certain <= *at, "{} shown, malformed at {}", certain, at);
        }
        prop_assert_eq!(reading, read(&text, &tools));
    }

    #[test]
    fn a_marked_text_is_never_prose(before in "[a-z .\n]{0,30}", scraps in scraps()) {
        // within closed thinking a mark is refused too, but by another rule
        let text = format!("{before}<tool_call>{scraps}").replace("think>", "");
        prop_assert_ne!(read(&text, &tools()), Reading::Prose);
    }

    #[test]
    fn a_well_formed_call_is_read_as_written((name, arguments) in arguments(), form in 0_usize..8) {
        let text = written(form, &name, &arguments);
        let reading = read(&text, &tools());
        let Reading::Calls { calls, prose } = reading else {
            return Err(TestCaseError::fail(format!("{text}\n{reading:?}")));
        };
        prop_assert_eq!(prose, "");
        prop_assert_eq!(&calls, &[Call { name, arguments, repairs: calls[0].repairs.clone() }]);
        let as_python = form == 7 && calls[0].repairs == [Repair::Literal];
        prop_assert!(calls[0].repairs.is_empty() || as_python, "{:?}", calls[0].repairs);
    }
}

#[test]
fn hostile_repetition_is_read_in_bounded_time() {
    let tools = tools();
    for scrap in [
        "{\"name\":",
        "[",
        "{\"a\":[",
        "<tool_call>",
        "{\"name\": \"search\", ",
        "read_file({",
        "<think>",
        "```json\n{",
        "\"{'",
        "[{\"name\": \"x\"},",
        "search(\n",
    ] {
        let text = scrap.repeat(16_000 / scrap.len());
        let reading = read(&text, &tools);
        assert!(!matches!(reading, Reading::Calls { .. }), "{scrap}");
    }
    let long =
        "{\"name\": \"search\", \"arguments\": {\"query\": \"x\"}}".to_owned() + &" ".repeat(MAX_BYTES);
    assert!(matches!(read(&long, &tools), Reading::Malformed { reason: Malformed::TooLong { .. }, .. }));
    assert_eq!(read(&"word ".repeat(MAX_BYTES / 4), &tools), Reading::Prose);
}

#[test]
fn an_unreadable_call_is_asked_for_once_more_and_then_in_plain_text() {
    let tools = tools();
    let mut course = Course::default();
    let broken = || read("<tool_call>{\"name\": \"fly\", \"arguments\": {}}</tool_call>", &tools);
    let Next::AskAgain { message, dialect: Dialect::Native, .. } = course.next(broken(), &tools) else {
        panic!("no retry");
    };
    assert_eq!(
        message,
        "Your tool call was not performed: there is no tool \"fly\"; there are: read_file, write_file, search, run_command, edit_file, list_files. Write the whole call again."
    );
    let Next::AskAgain { message, dialect: Dialect::Text, .. } = course.next(broken(), &tools) else {
        panic!("no text protocol");
    };
    assert!(message.contains("TOOL name\nparameter: value\nEND"), "{message}");
    let answer = read("TOOL search\nquery: main\nEND", &tools);
    assert!(matches!(course.next(answer, &tools), Next::Perform(calls) if calls[0].name == "search"));
    assert_eq!(course.dialect(), Dialect::Text, "it stays with what worked");
    assert!(matches!(course.next(broken(), &tools), Next::GiveUp(Malformed::UnknownTool { .. })));
}

#[test]
fn a_good_call_restores_the_retry() {
    let tools = tools();
    let mut course = Course::default();
    for _ in 0..3 {
        let broken = read("[TOOL_CALLS][{", &tools);
        assert!(matches!(course.next(broken, &tools), Next::AskAgain { dialect: Dialect::Native, .. }));
        let good = read("{\"name\": \"list_files\", \"arguments\": {}}", &tools);
        assert!(matches!(course.next(good, &tools), Next::Perform(_)));
    }
    assert_eq!(course.next(read("Done.", &tools), &tools), Next::Prose);
}

#[test]
fn the_text_protocol_is_declared_in_few_words() {
    let words = declare(&tools()[..2], Dialect::Text);
    assert_eq!(
        words,
        "You may call these tools:\nread_file(limit?: integer, offset?: integer, path: string): Reads a text file.\nwrite_file(content: string, path: string): Writes a whole file.\nTo call one, write only these lines:\nTOOL name\nparameter: value\nEND\nA value of several lines stands between <<< and >>>:\ncontent: <<<\nfirst line\nsecond line\n>>>\n"
    );
}

#[test]
fn repairs_are_named() {
    let check = |text: &str, repairs: &[Repair]| match read(text, &tools()) {
        Reading::Calls { calls, .. } => assert_eq!(calls[0].repairs, repairs, "{text}"),
        other @ (Reading::Prose | Reading::Malformed { .. }) => panic!("{text}: {other:?}"),
    };
    check("{\"name\": \"read_file\", \"arguments\": {\"path\": \"a\"}}", &[]);
    check("{\"name\": \"read_file\", \"arguments\": {\"path\": \"a\",}}", &[Repair::ExtraComma]);
    check("{'name': 'read_file', 'arguments': {'path': 'a'}}", &[Repair::SingleQuotes]);
    check("{name: \"read_file\", arguments: {path: \"a\"}}", &[Repair::BareWord]);
    check(
        "{\"name\": \"ReadFile\", \"arguments\": {\"path\": \"a\", \"limit\": \"3\"}}",
        &[Repair::ToolName, Repair::Type],
    );
    check("{\"name\": \"read_file\", \"arguments\": {\"path\": \"a\"", &[Repair::MissingCloser]);
    check(
        "<tool_call>{\"name\": \"read_file\", \"arguments\": {\"path\": \"a\"}}",
        &[Repair::MissingCloseMark],
    );
    assert_eq!(Repair::ExtraComma.to_string(), "extra_comma");
}
