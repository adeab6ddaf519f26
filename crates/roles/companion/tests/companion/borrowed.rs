//! Tools of others: offered beside the own ones, and approved like them.

use std::sync::Arc;

use edgecoder_companion::ApprovalClass;
use serde_json::json;

use crate::rig::{Box, Line, Rig};

#[tokio::test]
async fn tools_of_others_are_offered_and_asked_about() {
    let tools = Box([("weather", ApprovalClass::Network), ("read_file", ApprovalClass::Network)].into());
    let rig = Rig::with(&[("a.py", "x\n")], |_, deps| deps.toolbox = Arc::new(tools));
    let call = || [Line::Calls("weather", json!({"place": "Ulm"}))];
    let rejected = rig.chat(call(), false).await;
    assert_eq!(rejected.names()[0], "status", "a name that is taken is told");
    assert_eq!(rejected.actions(), [("network".to_owned(), "weather {\"place\":\"Ulm\"}".to_owned(), true)]);
    assert!(rejected.results()[0].is_err());
    let done = rig.chat(call(), true).await;
    assert_eq!(done.results(), [Ok("weather was called with {\"place\":\"Ulm\"}".to_owned())]);
    let own = rig.chat([Line::Calls("read_file", json!({"path": "a.py"}))], false).await;
    assert_eq!(own.results(), [Ok("x".to_owned())]);
}

#[tokio::test]
async fn a_tool_that_nobody_has_is_an_error_for_the_model() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let seen = rig.chat([Line::Calls("format_disk", json!({}))], true).await;
    assert!(seen.results()[0].is_err());
    assert_eq!(seen.names(), ["tool_call", "tool_result", "text", "done"]);
}
