//! `docs/reference/ide-conformance.md`: which parameter of which route does what, written from the tables that requests
//! are checked against.

use std::fmt::Write as _;

use super::parameters::{Endpoint, Nested, Parameter, Standing, Unknown};
use super::{anthropic, chat, ollama, openai};

/// Parameters that have a table of their own, by dialect.
const NESTED: &[(&str, &[Nested])] = &[("Ollama", &[ollama::options::OPTIONS])];

/// Every route with parameters, by dialect.
const DIALECTS: &[(&str, &[Endpoint])] = &[
    (
        "OpenAI",
        &[
            openai::chat::ENDPOINT,
            openai::completions::ENDPOINT,
            openai::responses::ENDPOINT,
            openai::embeddings::ENDPOINT,
        ],
    ),
    ("Anthropic", &[anthropic::messages::ENDPOINT, anthropic::messages::COUNT]),
    (
        "Ollama",
        &[
            ollama::chat::ENDPOINT,
            ollama::generate::ENDPOINT,
            ollama::models::SHOW,
            ollama::models::EMBED,
            ollama::pull::ENDPOINT,
        ],
    ),
    ("EdgeCoder", &[chat::CHAT, chat::APPROVAL, chat::PROJECT, chat::OPEN, chat::MODE]),
];

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "# What the IDE door takes\n\n\
         Port 4304 speaks the dialects of OpenAI, Anthropic and Ollama, and has the routes of the companion. Each row is a parameter: *supported* does what it\n\
         says, *idle* is taken and changes nothing (and why that is no loss), *only* takes the values (and lists of them) that\n\
         ask for what happens anyway, *refused* is an error in the dialect's own form when it asks for something. Empty values (`null`,\n\
         `false`, `\"\"`, `[]`, `{}`) ask for nothing. This page is generated from the tables that requests are checked\n\
         against: `cargo xtask openapi`.\n",
    );
    for (dialect, endpoints) in DIALECTS {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {dialect}\n");
        for endpoint in *endpoints {
            let Endpoint { method, path, unknown, parameters, notes } = *endpoint;
            section(&mut page, &format!("`{method} {path}`"), unknown, notes, parameters);
        }
        let nested = NESTED.iter().filter(|(of, _)| of == dialect).flat_map(|(_, nested)| *nested);
        for Nested { of, unknown, parameters, .. } in nested {
            section(&mut page, of, *unknown, &[], parameters);
        }
    }
    page
}

fn section(page: &mut String, title: &str, unknown: Unknown, notes: &[&str], parameters: &[Parameter]) {
    let unknown = match unknown {
        Unknown::Refused => "refused by name, as the original does",
        Unknown::Ignored => "ignored, as the original does",
    };
    // Writing to a string cannot fail.
    let _ = write!(page, "\n### {title}\n\nOther parameters are {unknown}.\n");
    for note in notes {
        let _ = write!(page, "\n- {note}");
    }
    let _ = write!(page, "\n\n| parameter | here | why |\n|---|---|---|\n");
    for Parameter { name, standing } in parameters {
        let _ = match standing {
            Standing::Honoured => writeln!(page, "| `{name}` | supported | |"),
            Standing::Idle(why) => writeln!(page, "| `{name}` | idle | {why} |"),
            Standing::Only(values, why) => {
                writeln!(page, "| `{name}` | only `{}` | {why} |", values.join("`, `"))
            }
            Standing::Refused(why) => writeln!(page, "| `{name}` | refused | {why} |"),
        };
    }
}

/// What each route says it supports, for the test that compares this with what it reads.
pub fn supported() -> Vec<(&'static str, Vec<&'static str>)> {
    let names = |endpoint: &Endpoint| {
        let supported = endpoint.parameters.iter().filter(|one| one.standing == Standing::Honoured);
        (endpoint.path, supported.map(|one| one.name).collect())
    };
    DIALECTS.iter().flat_map(|(_, endpoints)| endpoints.iter()).map(names).collect()
}
