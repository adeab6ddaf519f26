//! What was mended in a call, by name, so that an event can say it and a corpus can count it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One kind of mending. Each keeps the only sensible reading; none chooses between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// An argument that is no object was taken as the only parameter.
    SoleParameter,
    /// A key or a word stood without quotes.
    BareWord,
    /// A comment was left out.
    Comment,
    /// Two strings joined by `+`.
    Concatenation,
    /// The call's closing mark was missing.
    MissingCloseMark,
    /// The call's opening mark was missing.
    MissingOpenMark,
    /// JSON within a string, once more than the form says.
    DoubleEncoding,
    /// `{{` where `{` was meant.
    DoubledBrace,
    /// A choice in another case.
    Choice,
    /// An escape that JSON does not know.
    Escape,
    /// Commas that separate nothing.
    ExtraComma,
    /// A closing bracket too many, or one too early.
    ExtraCloser,
    /// Arguments beside the name instead of below `arguments`.
    FlatArguments,
    /// A quote within a string.
    InnerQuote,
    /// A closing bracket was missing.
    MissingCloser,
    /// A comma was missing.
    MissingComma,
    /// The quote at the end of a string was missing.
    MissingQuote,
    /// A line end within a string.
    RawLine,
    /// A null for a parameter that may be left out.
    NullDropped,
    /// A number written in another way.
    Number,
    /// `True`, `None`, `undefined`.
    Literal,
    /// A parameter's name in another case or with a slip.
    ParameterName,
    /// `=` between key and value.
    Separator,
    /// Single quotes or backticks around a string.
    SingleQuotes,
    /// Typographic quotes.
    SmartQuotes,
    /// The tool's name in another case, with a namespace or with a slip.
    ToolName,
    /// The tool's name as key of its arguments.
    NameAsKey,
    /// Three quotes around a string.
    TripleQuotes,
    /// A value of another type that says the same.
    Type,
    /// A value put into, or taken out of, a list.
    Wrapping,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_value(self).ok();
        f.write_str(text.as_ref().and_then(|value| value.as_str()).unwrap_or("repair"))
    }
}
