//! The five tools: what each takes, what it says about itself, and how a call is read.

use std::path::PathBuf;

use edgecoder_base::{PrivacyTier, TaskId};
use rmcp::handler::server::common::{schema_for_input, schema_for_output};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answers::{AppliedView, OutcomeView, StateView};

/// Longest that `result` waits: below the time after which clients usually give up on a silent answer they asked to
/// hear progress of.
pub(super) const MAX_WAIT_S: u32 = 300;
/// Longest verification command, as on the command line.
const MAX_VERIFY_S: u64 = 86_400;
/// Most attempts side by side, as on the command line.
const MAX_SAMPLES: u8 = 32;

/// Arguments of `submit`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// What is wanted, in plain words.
    pub request: String,
    /// The repository: an absolute path on the node's machine. Over standard streams the working directory, unless
    /// given.
    #[serde(default)]
    pub repo: Option<PathBuf>,
    /// Command that exits with 0 when the work is right, like `pytest -q`. Without one nothing of the user's proves the
    /// result.
    #[serde(default)]
    pub verify: Option<String>,
    /// Seconds that command may take.
    #[serde(default = "verify_timeout_s")]
    pub verify_timeout_s: u64,
    /// Attempts to make side by side.
    #[serde(default = "samples")]
    pub samples: u8,
    /// Globs of the paths a patch may touch; all, unless given.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Whether a patch may change tests and their configuration.
    #[serde(default)]
    pub allow_tests: bool,
    /// Whether a patch may change manifests and lock files of package managers.
    #[serde(default)]
    pub allow_dependencies: bool,
    /// Whether to ask for a split into subtasks.
    #[serde(default)]
    pub split: bool,
    /// How far the content may travel: `local`, `devices` (the user's own), `invited` or `public`.
    #[serde(default)]
    #[schemars(with = "Tier")]
    pub privacy: PrivacyTier,
    /// Model that must do the work.
    #[serde(default)]
    pub model: Option<String>,
}

/// The privacy tiers as a schema.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum Tier {
    Local,
    Devices,
    Invited,
    Public,
}

fn verify_timeout_s() -> u64 {
    300
}

fn samples() -> u8 {
    1
}

/// Arguments of `status` and `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// The task's id, as `submit` answered it.
    #[schemars(with = "String")]
    pub(super) id: TaskId,
}

/// Arguments of `result`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fetch {
    /// The task's id, as `submit` answered it.
    #[schemars(with = "String")]
    pub(super) id: TaskId,
    /// Seconds to wait for the end, 0 to 300. A task that is not ready then is no error.
    #[serde(default)]
    pub(super) wait_s: u32,
}

/// Arguments of `apply`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The task's id, as `submit` answered it.
    #[schemars(with = "String")]
    pub id: TaskId,
    /// The working directory: an absolute path on the node's machine. Over standard streams the working directory of
    /// the server, unless given.
    #[serde(default)]
    pub repo: Option<PathBuf>,
    /// Says that a person has read the review notes of `result`; a patch with notes is applied only then.
    #[serde(default)]
    pub accept_notes: bool,
}

/// A call that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Submit(Submit),
    Status(Named),
    Result(Fetch),
    Cancel(Named),
    Apply(Apply),
}

/// Why a call cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// No such tool: the client's mistake.
    Tool,
    /// Arguments that do not fit, in words the model can mend them by.
    Arguments(String),
}

impl Call {
    pub(super) fn read(name: &str, arguments: Option<JsonObject>) -> Result<Self, Unreadable> {
        let arguments = arguments.unwrap_or_default();
        let call = match name {
            "submit" => Self::Submit(parse(arguments)?),
            "status" => Self::Status(parse(arguments)?),
            "result" => Self::Result(parse(arguments)?),
            "cancel" => Self::Cancel(parse(arguments)?),
            "apply" => Self::Apply(parse(arguments)?),
            _ => return Err(Unreadable::Tool),
        };
        call.in_bounds().map_err(|why| Unreadable::Arguments(why.to_owned()))?;
        Ok(call)
    }

    fn in_bounds(&self) -> Result<(), &'static str> {
        match self {
            Self::Submit(submit) if submit.request.trim().is_empty() => Err("`request` says nothing"),
            Self::Submit(submit) if !(1..=MAX_SAMPLES).contains(&submit.samples) => {
                Err("`samples` is 1 to 32")
            }
            Self::Submit(submit) if !(1..=MAX_VERIFY_S).contains(&submit.verify_timeout_s) => {
                Err("`verify_timeout_s` is 1 to 86400")
            }
            Self::Result(fetch) if fetch.wait_s > MAX_WAIT_S => Err("`wait_s` is 0 to 300"),
            Self::Submit(_) | Self::Status(_) | Self::Result(_) | Self::Cancel(_) | Self::Apply(_) => Ok(()),
        }
    }
}

fn parse<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Unreadable> {
    serde_path_to_error::deserialize(serde_json::Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let words = error.inner().to_string();
        Unreadable::Arguments(if path == "." { words } else { format!("`{path}`: {words}") })
    })
}

/// What the client is told.
pub(super) fn offered() -> Vec<Tool> {
    let hints = || ToolAnnotations::new().open_world(false);
    vec![
        tool::<Submit, StateView>(
            "submit",
            "Ask for a change of a repository. Models write candidates side by side, the user's verification command \
             judges each in a sandbox, and a proven patch waits for review. Nothing in the repository is changed. \
             Answers at once with the task's id; the work takes minutes.",
            // The content may travel as far as the privacy tier allows.
            hints().read_only(false).destructive(false).idempotent(false).open_world(true),
        ),
        tool::<Named, StateView>(
            "status",
            "How a task stands, and what to do next.",
            hints().read_only(true),
        ),
        tool::<Fetch, OutcomeView>(
            "result",
            "What came of a task: the proven patch as a diff, the review notes, the counted tests; or why there is \
             none. Can wait for the end.",
            hints().read_only(true),
        ),
        tool::<Named, StateView>(
            "cancel",
            "Stop a task and everything that works on it. What was not finished is lost.",
            hints().read_only(false).destructive(true).idempotent(true),
        ),
        tool::<Apply, AppliedView>(
            "apply",
            "Write a task's proven patch into the working directory: exactly onto the files it was made from, all or \
             nothing. Show the user the diff first. A patch with review notes needs `accept_notes`, which says that a \
             person has read them.",
            hints().read_only(false).destructive(true).idempotent(true),
        ),
    ]
}

fn tool<Input: JsonSchema + 'static, Output: JsonSchema + 'static>(
    name: &'static str,
    words: &'static str,
    annotations: ToolAnnotations,
) -> Tool {
    // A struct with named fields always has a schema; the test lists them.
    let input = schema_for_input::<Input>().unwrap_or_default();
    Tool::new(name, words, input)
        .with_raw_output_schema(schema_for_output::<Output>())
        .with_annotations(annotations)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(name: &str, arguments: Value, expected: Result<(), &str>) {
        let read = Call::read(name, arguments.as_object().cloned());
        match (read, expected) {
            (Ok(_), Ok(())) => {}
            (Err(Unreadable::Tool), Err("no tool")) => {}
            (Err(Unreadable::Arguments(words)), Err(part)) => {
                assert!(words.contains(part), "{name} {arguments}: {words}");
            }
            (read, _) => panic!("{name} {arguments}: {read:?}"),
        }
    }

    #[test]
    fn calls_are_read_and_what_does_not_fit_is_named() {
        check("submit", json!({"request": "mend it"}), Ok(()));
        check("submit", json!({"request": "mend it", "privacy": "local", "samples": 32}), Ok(()));
        check("submit", json!({}), Err("missing field `request`"));
        check("submit", json!({"request": " "}), Err("says nothing"));
        check("submit", json!({"request": "a", "samples": 0}), Err("`samples` is 1 to 32"));
        check("submit", json!({"request": "a", "samples": "x"}), Err("`samples`: invalid type"));
        check("submit", json!({"request": "a", "verify_timeout_s": 0}), Err("`verify_timeout_s`"));
        check("submit", json!({"request": "a", "privacy": "everywhere"}), Err("unknown variant"));
        check("submit", json!({"request": "a", "shell": true}), Err("unknown field `shell`"));
        check("status", json!({"id": "task_1"}), Ok(()));
        check("status", json!({"id": "../etc"}), Err("`id`"));
        check("result", json!({"id": "task_1", "wait_s": 300}), Ok(()));
        check("result", json!({"id": "task_1", "wait_s": 301}), Err("0 to 300"));
        check("cancel", json!({"id": "task_1"}), Ok(()));
        check("apply", json!({"id": "task_1", "accept_notes": true, "repo": "/x"}), Ok(()));
        check("apply", json!({"id": 1}), Err("`id`"));
        check("run_shell", json!({}), Err("no tool"));
    }

    #[test]
    fn every_tool_has_schemas_and_says_what_it_does() {
        let tools = offered();
        let hints = |name: &str| {
            let tool = tools.iter().find(|tool| tool.name == name).unwrap();
            let hints = tool.annotations.clone().unwrap();
            (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        };
        assert_eq!(hints("submit"), (Some(false), Some(false), Some(false), Some(true)));
        assert_eq!(hints("status"), (Some(true), None, None, Some(false)));
        assert_eq!(hints("result"), (Some(true), None, None, Some(false)));
        assert_eq!(hints("cancel"), (Some(false), Some(true), Some(true), Some(false)));
        assert_eq!(hints("apply"), (Some(false), Some(true), Some(true), Some(false)));
        assert_eq!(tools.len(), 5);
        for tool in &tools {
            assert_eq!(tool.input_schema["additionalProperties"], json!(false), "{}", tool.name);
            let properties = tool.input_schema["properties"].as_object().unwrap();
            assert!(properties.values().all(|one| one.get("description").is_some()), "{properties:?}");
            assert_eq!(tool.output_schema.as_ref().unwrap()["type"], "object");
        }
        // What a client puts into every prompt: a small model must have room left.
        let bytes = serde_json::to_string(&tools).unwrap().len();
        assert!(bytes < 12_000, "{bytes} bytes");
    }
}
