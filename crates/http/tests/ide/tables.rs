//! The tables of parameters: each takes exactly what its request has fields for, and the committed page is fresh.

use std::collections::BTreeSet;
use std::path::Path;

use edgecoder_http::ide;
use edgecoder_protocol::ErrorCode;
use serde_json::json;

use crate::rig::{Rig, chat, request, says};

#[test]
fn the_conformance_page_is_fresh() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/ide-conformance.md");
    let committed = std::fs::read_to_string(place).unwrap_or_default();
    assert!(committed == ide::conformance_page(), "stale: run `cargo xtask openapi`");
}

#[test]
fn what_a_table_calls_supported_has_a_field_and_the_other_way_round() {
    let openapi = serde_json::to_value(ide::openapi()).unwrap();
    for (path, supported) in ide::supported_parameters() {
        let operation = &openapi["paths"][path]["post"];
        let reference =
            operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let name = reference.rsplit('/').next().unwrap();
        let fields = openapi["components"]["schemas"][name]["properties"].as_object().unwrap();
        let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        // Ollama's clients may say `name` for `model`.
        let supported: BTreeSet<&str> = supported.into_iter().filter(|name| *name != "name").collect();
        assert_eq!(supported, fields, "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_on_every_route() {
    let openapi = serde_json::to_value(ide::openapi()).unwrap();
    let rig = Rig::new(says("x"));
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for method in
            methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).chain(["OPTIONS".into()])
        {
            for (name, value) in [
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
                ("host", "evil.example:4304"),
            ] {
                let mut asked = request(&method, path, &chat(json!({})));
                asked.headers_mut().insert(name, value.parse().unwrap());
                let answer = rig.send(asked).await;
                assert_eq!(
                    answer.status,
                    ErrorCode::ForeignPage.status(),
                    "{method} {path} {name}: {}",
                    answer.text
                );
                assert!(!answer.headers.contains_key("access-control-allow-origin"));
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_is_allowed_is_allowed_by_name_and_never_by_a_star() {
    let config = ide::Config { origins: vec!["tauri://localhost".to_owned()], ..Default::default() };
    let rig = Rig::with(says("x"), &config, std::sync::Arc::new(ide::Nowhere));
    for method in ["POST", "OPTIONS"] {
        let mut asked = request(method, "/v1/chat/completions", &chat(json!({})));
        asked.headers_mut().insert("origin", "tauri://localhost".parse().unwrap());
        let answer = rig.send(asked).await;
        assert!(answer.status < 300, "{method}: {}", answer.text);
        assert_eq!(answer.headers["access-control-allow-origin"], "tauri://localhost");
        assert_eq!(answer.headers["vary"], "origin");
    }
}
