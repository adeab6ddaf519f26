//! The conversation itself: which request of MCP is answered by what.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::TaskId;
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::tasks::TaskView;
use futures::FutureExt as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, CreateTaskResult, ErrorData,
    GetTaskParams, GetTaskResult, Implementation, JsonObject, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig, Tool, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use super::tools::{Call, Fetch, Unreadable};
use super::{Tasks, answers, progress, resources, states, tools};
use crate::Error;

/// Read by the model of the client, once.
const INSTRUCTIONS: &str = "EdgeCoder lets small models on the user's own machines write candidates for a change, and \
     proves one with the user's own test command. Use `submit` for a change that a command can judge, then `status` or \
     `result`; show the user the diff and the review notes, and `apply` only when they agree.";

/// The server; cheap to clone, and without a memory of its own.
#[derive(Debug, Clone)]
pub struct Server {
    tasks: Arc<dyn Tasks>,
}

impl Server {
    /// A server whose tools do their work through `tasks`.
    pub fn new(tasks: Arc<dyn Tasks>) -> Self {
        Self { tasks }
    }

    async fn outcome(&self, task: &TaskView) -> Result<CallToolResult, Error> {
        let diff = if task.result.is_some() { Some(self.tasks.diff(&task.id).await?) } else { None };
        let mut result = answers::outcome(task, diff);
        result.is_error = Some(task.ok == Some(false));
        Ok(result)
    }

    async fn result(
        &self,
        fetch: &Fetch,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, Error> {
        let within = Duration::from_secs(fetch.wait_s.into());
        let task = progress::wait(self.tasks.as_ref(), &fetch.id, within, context).await?;
        self.outcome(&task).await
    }

    async fn perform(
        &self,
        call: Call,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Error> {
        let answer = match call {
            Call::Submit(submit) => {
                let submitted = self.tasks.submit(submit).await?;
                if context.client_capabilities().is_some_and(|client| client.supports_tasks()) {
                    return Ok(CallToolResponse::Task(CreateTaskResult::new(states::begun(&submitted))));
                }
                answers::submitted(&submitted)
            }
            Call::Status(named) => answers::state(&self.tasks.task(&named.id).await?),
            Call::Result(fetch) => self.result(&fetch, context).await?,
            Call::Cancel(named) => answers::state(&self.tasks.cancel(&named.id).await?),
            Call::Apply(apply) => answers::applied(&self.tasks.apply(apply).await?),
        };
        Ok(answer.into())
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let can = ServerCapabilities::builder().enable_tools().enable_resources().enable_tasks().build();
        ServerConfig::new(can)
            .with_server_info(Implementation::new("edgecoder", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::offered()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::offered().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let answer = match Call::read(&request.name, request.arguments) {
            // Nobody else would answer the client, which would wait for ever.
            Ok(call) => match AssertUnwindSafe(self.perform(call, &context)).catch_unwind().await {
                Ok(answer) => answer,
                Err(_) => Err(Error::new(ErrorCode::Internal, "answering failed unexpectedly")),
            },
            Err(Unreadable::Arguments(words)) => Err(Error::new(ErrorCode::InvalidRequest, words)),
            Err(Unreadable::Tool) => {
                let words = format!("there is no tool {:?}", request.name);
                return Err(ErrorData::invalid_params(words, None));
            }
        };
        Ok(answer.unwrap_or_else(|error| answers::refused(&error).into()))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let newest = self.tasks.newest().await.map_err(|error| resources::failed(&error))?;
        Ok(resources::listed(&newest))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(resources::content(self.tasks.as_ref(), &request.uri).await?.into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let id = named(&request.task_id)?;
        let task = self.tasks.task(&id).await.map_err(|error| unknown(&error))?;
        let result = if states::is_settled(&task) {
            let answer = self.outcome(&task).await.map_err(|error| resources::failed(&error))?;
            Some(object(&answer)?)
        } else {
            None
        };
        Ok(GetTaskResult::new(states::detailed(&task, result)))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // Nothing is ever asked of a client, and answers to nothing are passed over, as the extension says.
        named(&request.task_id).map(|_| ())
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let id = named(&request.task_id)?;
        match self.tasks.cancel(&id).await {
            // Ended before the client knew: that is no mistake of its.
            Ok(_) | Err(Error { code: ErrorCode::WrongState, .. }) => Ok(()),
            Err(error) => Err(unknown(&error)),
        }
    }
}

fn named(id: &str) -> Result<TaskId, ErrorData> {
    TaskId::new(id).map_err(|error| ErrorData::invalid_params(error.to_string(), None))
}

/// A task that does not exist is a wrong parameter, as the extension has it.
fn unknown(error: &Error) -> ErrorData {
    if error.code == ErrorCode::NotFound {
        ErrorData::invalid_params(error.to_string(), None)
    } else {
        resources::failed(error)
    }
}

fn object(answer: &CallToolResult) -> Result<JsonObject, ErrorData> {
    match serde_json::to_value(answer) {
        Ok(serde_json::Value::Object(object)) => Ok(object),
        _ => Err(ErrorData::internal_error("the result cannot be written down", None)),
    }
}
