//! Reference documents made from the code: each is committed, and a test fails when one is stale.

use std::fmt::Write as _;

use edgecoder_protocol::ErrorCode;

use crate::{control, coordinator, ide, inference, portal};

/// The description of each door as pretty JSON, by the door's name.
pub fn openapi_documents() -> Vec<(&'static str, String)> {
    let doors = [
        ("coordinator", coordinator::openapi()),
        ("inference", inference::openapi()),
        ("control", control::openapi()),
        ("ide", ide::openapi()),
        ("portal", portal::openapi()),
    ];
    let text = |openapi: &utoipa::openapi::OpenApi| openapi.to_pretty_json().unwrap_or_default() + "\n";
    doors.iter().map(|(name, openapi)| (*name, text(openapi))).collect()
}

/// `docs/reference/errors.md`.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Every door answers a refusal or an error with this body; `error` repeats `code` for older clients, and\n\
         `request_id` (also the header `x-request-id`) names the request in the node's log:\n\n\
         ```json\n\
         {\"code\": \"lease_lost\", \"error\": \"lease_lost\", \"message\": \"…\", \"request_id\": \"req_…\"}\n\
         ```\n\n\
         Codes are never renamed or removed. This page is generated: `cargo xtask openapi`.\n\n\
         | code | status | what to do |\n|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{code}` | {} | {} |", code.status(), code.advice());
    }
    page
}
