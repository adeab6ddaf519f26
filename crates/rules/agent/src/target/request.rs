//! Reading a request: the function's name and signature, the file, and the words that remain for the model.

use std::sync::LazyLock;

use regex::Regex;

use crate::scope::is_test_path;
use crate::syntax::{closing, is_identifier, split_top};

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Write something new or fill a stub.
    Write,
    /// Mend what is there.
    Fix,
}

/// A request, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Write or fix.
    pub intent: Intent,
    /// The function's name.
    pub function: Option<String>,
    /// Its parameters as written.
    pub params: Option<String>,
    /// The class, from `Class.method`.
    pub class: Option<String>,
    /// The file.
    pub path: Option<String>,
    /// The request without the place and without "make the tests pass".
    pub wording: String,
    /// Whether the wording says what the function does.
    pub describes: bool,
}

#[expect(clippy::expect_used, reason = "a literal pattern either compiles in the first test or never")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a literal pattern")
}

/// A path with an extension, with the words that place something there.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:[,(]?\s*\b(?:in|into|to|inside|at|from|for|of|within|under)\s+)?(?:\b(?:the|a|new|existing|python|module|file|script)\s+)*[`'"]?(?:\./)?(?P<path>(?:\.?[\w-][\w.-]*/)*[\w-][\w.-]*\.(?:py|pyi|js|jsx|mjs|cjs|ts|tsx|rs|go|java|c|h|cc|cpp|hpp|rb|php|kt|swift|cs))\b[`'"]?\)?(?:\s+(?:file|module)\b)?"#,
    )
});
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:function|method|helper|routine|def|called|named|name(?:\s+it)?|call\s+it|implement|complete|finish|fix|repair|debug)\s+(?:called\s+|named\s+|the\s+(?:function|method)\s+|the\s+|a\s+function\s+)?[`']?(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)[`']?",
    )
});
static TICKED: LazyLock<Regex> = LazyLock::new(|| pattern(r"`(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)`"));
static OPENING: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)\("));
static FIX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\W*(?:please\s+)?(?:fix|repair|debug|correct|mend|resolve)\b|\b(?:bug|broken|wrong result|failing|fails)\b",
    )
});
static TESTS_PASS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:[.;,]\s*|\s+|^)(?:(?:so|such)\s+that|and|then|please|make\s+sure|ensure|until)?\s*(?:that\s+)?(?:make\s+|making\s+)?(?:all\s+)?(?:of\s+)?(?:the\s+)?(?:existing\s+|failing\s+|unit\s+)?tests?(?:\s+(?:in|from)\s+\S+)?\s+(?:must\s+|should\s+|will\s+|to\s+)?(?:pass(?:es)?|succeed|be\s+green|are\s+green)\b",
    )
});
static SPACES: LazyLock<Regex> = LazyLock::new(|| pattern(r"[ \t]{2,}"));
static DANGLING: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+([.,;:?!])(\s|$)"));

/// Words that stand where a name could and never are one.
const NOT_A_NAME: [&str; 44] = [
    "that",
    "which",
    "to",
    "a",
    "an",
    "the",
    "in",
    "of",
    "for",
    "with",
    "and",
    "or",
    "it",
    "this",
    "function",
    "method",
    "taking",
    "takes",
    "returning",
    "returns",
    "which",
    "by",
    "as",
    "from",
    "file",
    "module",
    "test",
    "tests",
    "failing",
    "bug",
    "bugs",
    "code",
    "python",
    "is",
    "all",
    "so",
    "on",
    "class",
    "if",
    "whose",
    "my",
    "our",
    "helper",
    "should",
];
/// Functions that a description calls by name without meaning the target.
const BUILTIN: [&str; 20] = [
    "len", "sum", "max", "min", "sorted", "range", "print", "int", "str", "float", "list", "dict", "set",
    "abs", "open", "input", "round", "zip", "map", "filter",
];

impl Request {
    /// Takes `text` apart.
    pub fn parse(text: &str) -> Self {
        let text = text.trim().replace("\r\n", "\n");
        let path = place(&text);
        let wording = wording(&text);
        let signature = signature(&wording);
        let (name, params) = match &signature {
            Some((name, params)) => (Some(name.clone()), Some(params.clone())),
            None => (bare_name(&wording), None),
        };
        let (class, function) = match name {
            Some(name) => match name.split_once('.') {
                Some((class, method)) => (Some(class.to_owned()), Some(method.to_owned())),
                None => (None, Some(name)),
            },
            None => (None, None),
        };
        let intent = if FIX.is_match(&text) { Intent::Fix } else { Intent::Write };
        let describes = describes(&wording, function.as_deref());
        Self { intent, function, params, class, path, wording, describes }
    }
}

fn place(text: &str) -> Option<String> {
    places(text)
        .map(|(_, path)| path.to_owned())
        .find(|path| !is_test_path(path) && edgecoder_base::snapshot::is_safe_path(path))
}

/// Every relative path with the words around it; the tail of a path that climbs or starts at the root is none.
fn places(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    PLACE.captures_iter(text).filter_map(|found| {
        let (whole, path) = (found.get(0)?, found.name("path")?);
        let before = text[..path.start()].trim_end_matches("./");
        let climbs = text[..path.start()].ends_with("../") || before.ends_with(['/', '.', '\\', '~']);
        (!climbs).then(|| (whole.range(), path.as_str()))
    })
}

fn wording(text: &str) -> String {
    let text = TESTS_PASS.replace_all(text, "");
    let mut out = String::new();
    let mut last = 0;
    for (whole, _) in places(&text) {
        out.push_str(&text[last..whole.start]);
        last = whole.end;
    }
    out.push_str(&text[last..]);
    let out = SPACES.replace_all(&out, " ");
    let out = DANGLING.replace_all(&out, "$1$2");
    let out =
        out.trim().trim_start_matches([':', ',', ';', '-', ' ']).trim_end_matches([',', ';', ':']).trim();
    // A request may begin with the function itself: `is_even(n): …` is a name, not a sentence.
    let word = out.split(' ').next().unwrap_or_default();
    if word.contains(['(', ':', '`']) || looks_like_code(word.trim_end_matches(['.', ','])) {
        return out.to_owned();
    }
    let mut chars = out.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect::<String>())
}

/// The first `name(params)` whose brackets hold parameters and not values.
fn signature(text: &str) -> Option<(String, String)> {
    for found in OPENING.captures_iter(text) {
        let (Some(name), Some(whole)) = (found.name("name"), found.get(0)) else { continue };
        let open = whole.end() - 1;
        let Some(close) = closing(&text[open..]) else { continue };
        let params = text[open + 1..open + close].trim();
        let ticked = text[..name.start()].ends_with(['`', '\'']);
        let introduced =
            text[..name.start()].trim_end_matches(['`', '\'', ' ']).rsplit([' ', '\n']).next().is_some_and(
                |word| matches!(word.to_lowercase().as_str(), "function" | "def" | "called" | "named"),
            );
        if BUILTIN.contains(&name.as_str()) && !ticked && !introduced {
            continue;
        }
        if NOT_A_NAME.contains(&name.as_str().to_lowercase().as_str()) || params.contains('\n') {
            continue;
        }
        if split_top(params, ",").iter().all(|param| params.is_empty() || is_parameter(param)) {
            return Some((name.as_str().to_owned(), params.to_owned()));
        }
    }
    None
}

fn is_parameter(param: &str) -> bool {
    let name = param.trim().trim_start_matches('*');
    let name = name.split([':', '=']).next().unwrap_or(name).trim();
    (is_identifier(name) && !matches!(name, "True" | "False" | "None")) || matches!(param.trim(), "*" | "/")
}

fn bare_name(text: &str) -> Option<String> {
    let fits = |name: &str| !NOT_A_NAME.contains(&name.to_lowercase().as_str());
    let ticked = TICKED.captures(text).and_then(|found| found.name("name")).map(|name| name.as_str());
    let named = NAMED
        .captures_iter(text)
        .filter_map(|found| found.name("name"))
        // after "implement" or "fix" a plain word is more often prose than a name
        .find(|name| {
            fits(name.as_str()) && (looks_like_code(name.as_str()) || is_introduced(text, name.range()))
        })
        .map(|name| name.as_str());
    ticked.filter(|name| fits(name)).or(named).map(str::to_owned)
}

fn looks_like_code(name: &str) -> bool {
    name.contains(['_', '.']) || name.chars().skip(1).any(char::is_uppercase)
}

/// "a function called area that …": the word before names it as a name, and a clause or nothing follows.
fn is_introduced(text: &str, name: std::ops::Range<usize>) -> bool {
    const FOLLOWS: [&str; 8] = ["that ", "which ", "to ", "taking ", "in ", "for ", "so ", "with "];
    let before = text[..name.start].trim_end_matches(['`', '\'', ' ']);
    let word = before.rsplit([' ', '\n']).next().unwrap_or("").to_lowercase();
    let after = text[name.end..].trim_start_matches(['`', '\'']);
    matches!(word.as_str(), "called" | "named" | "it" | "function" | "def" | "method")
        && (after.trim().is_empty()
            || after.starts_with(['.', ',', ':', '(', '\n'])
            || FOLLOWS.iter().any(|word| after.trim_start().starts_with(word)))
}

/// Whether more is said than what to do with which name.
fn describes(wording: &str, function: Option<&str>) -> bool {
    const EMPTY: [&str; 26] = [
        "implement",
        "complete",
        "finish",
        "fix",
        "write",
        "add",
        "create",
        "the",
        "a",
        "an",
        "function",
        "method",
        "please",
        "missing",
        "stub",
        "body",
        "of",
        "python",
        "named",
        "called",
        "bug",
        "in",
        "this",
        "make",
        "it",
        "work",
    ];
    let without_signature = match function.and_then(|name| wording.find(name).map(|at| (name, at))) {
        Some((name, at)) => {
            let rest = &wording[at + name.len()..];
            let skip = if rest.starts_with('(') { closing(rest).map_or(0, |close| close + 1) } else { 0 };
            format!("{} {}", &wording[..at], &rest[skip..])
        }
        None => wording.to_owned(),
    };
    without_signature
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !EMPTY.contains(&word.to_lowercase().as_str()))
        .count()
        >= 2
}
