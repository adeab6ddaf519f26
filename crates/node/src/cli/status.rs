//! `edgecoder status`: the node, its doors, its queue, its workers.

use serde_json::json;

use super::Context;
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};

pub(super) async fn run(context: &Context, as_json: bool) -> Result<Exit, Error> {
    let client = context.client()?;
    let (health, status, capacity) =
        (client.health().await?, client.status().await?, client.capacity().await?);
    let node = if context.coordinator.is_none() { context.data.running()? } else { None };
    if as_json {
        let all = json!({ "node": node, "health": health, "status": status, "capacity": capacity });
        context.out.line(all);
        return Ok(Exit::Done);
    }
    let out = context.out;
    match &node {
        Some(node) => {
            let name = out.paint(Style::Strong, &node.node);
            out.line(format_args!(
                "{name}  process {}  since {}  version {}",
                node.pid, node.started_at, node.version
            ));
            for (role, url) in &node.doors {
                out.line(format_args!("  {role:<12} {url}"));
            }
        }
        None => out.line(format_args!("{}  version {}", client.address(), health.version)),
    }
    for (what, why) in &health.waiting_for {
        out.line(harmless(&format!("  waiting for {what}: {why}")));
    }
    let tasks: Vec<_> = status.tasks.iter().map(|(state, count)| format!("{state} {count}")).collect();
    let tasks = if tasks.is_empty() { "none yet".to_owned() } else { tasks.join(", ") };
    out.line(format_args!("queue: {} attempts open, tasks: {tasks}", status.queued));
    out.line(format_args!("workers: {}", capacity.agents.len()));
    for agent in &capacity.agents {
        let model = agent.active_model.as_ref().or_else(|| agent.local_model_catalog.first());
        let level = agent.sandbox_level.map_or_else(|| "no sandbox".to_owned(), |level| level.to_string());
        out.line(harmless(&format!(
            "  {}  {}/{} attempts  {}  {level}",
            agent.agent_id,
            agent.leases,
            agent.max_concurrent_tasks,
            model.map_or("no model yet", String::as_str),
        )));
    }
    Ok(Exit::Done)
}
