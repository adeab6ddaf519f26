//! Tools that come from elsewhere: whatever can be named, described, classed and called is offered to the model beside
//! the companion's own tools. A client of MCP servers is the textbook case.

use std::fmt;
use std::path::{Path, PathBuf};

use edgecoder_agent::session::ApprovalClass;
use edgecoder_agent::tool_call::Tool;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

/// A tool that somebody else performs.
#[derive(Debug, Clone, PartialEq)]
pub struct Borrowed {
    /// Name, description and JSON Schema, as the model is told. Names that an own tool has are left out, visibly.
    pub tool: Tool,
    /// What a call could do at worst. Nothing below [`ApprovalClass::Network`] unless nothing leaves this process.
    pub class: ApprovalClass,
}

/// One call of a borrowed tool. It was read, held against the schema, and approved where the settings ask for that.
#[derive(Clone, PartialEq)]
pub struct BorrowedCall {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The project's root.
    pub project: PathBuf,
}

impl fmt::Debug for BorrowedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowedCall").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where borrowed tools come from.
pub trait Toolbox: Send + Sync + fmt::Debug {
    /// The tools that are there now for a project; asked once for each message of a person.
    fn tools<'a>(&'a self, project: &'a Path) -> BoxFuture<'a, Vec<Borrowed>>;

    /// Performs a call. Both outcomes are texts for the model; they are clipped by the caller. Dropping the future or
    /// cancelling `stop` ends it.
    fn call(&self, call: BorrowedCall, stop: CancellationToken) -> BoxFuture<'_, Result<String, String>>;
}

/// An empty box.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTools;

impl Toolbox for NoTools {
    fn tools<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, Vec<Borrowed>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn call(&self, call: BorrowedCall, _: CancellationToken) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(std::future::ready(Err(format!("there is no tool {}", call.name))))
    }
}
