//! Committed documents are those that the code would write.

use std::path::Path;

fn check(path: &str, fresh: &str) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let committed = std::fs::read_to_string(place).unwrap_or_default();
    assert!(committed == fresh, "{path} is stale: run `cargo xtask openapi`");
}

#[test]
fn the_doors_descriptions_are_fresh() {
    for (door, text) in edgecoder_http::openapi_documents() {
        check(&format!("openapi/{door}.json"), &text);
    }
}

#[test]
fn the_page_of_errors_is_fresh() {
    check("docs/reference/errors.md", &edgecoder_http::errors_page());
}
