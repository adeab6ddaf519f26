//! `edgecoder ledger verify|show`. Records are checked here, not only where they are kept.

use std::collections::BTreeMap;

use clap::Subcommand;
use edgecoder_base::NodeId;
use edgecoder_ledger::Verifier;
use edgecoder_net::ApiClient;
use edgecoder_protocol::api::ledger::{LedgerVerdict, MAX_PAGE};

use super::session::{Need, with_client};
use super::{Context, JsonArgs};
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every record's hash and every checkpoint's signature
    Verify(JsonArgs),
    /// Show records
    Show {
        /// Start after this position
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        /// Show at most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// Print one JSON record a line
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(context: &Context, command: LedgerCommand) -> Result<Exit, Error> {
    match command {
        LedgerCommand::Verify(args) => {
            let check = async |client: &ApiClient| report(context, &verify(client).await?, args.json);
            with_client(context, Need::Queue, check).await
        }
        LedgerCommand::Show { after, limit, json } => {
            let list = async |client: &ApiClient| show(context, client, after, limit, json).await;
            with_client(context, Need::Queue, list).await
        }
    }
}

/// The node's own verdict, and ours on the records it hands out.
async fn verify(client: &ApiClient) -> Result<LedgerVerdict, Error> {
    let theirs = client.ledger_verify().await?;
    if !theirs.ok {
        return Ok(theirs);
    }
    let identity = client.identity().await?;
    let mut chains: BTreeMap<NodeId, Verifier> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = client.ledger_page(after, MAX_PAGE).await?;
        for entry in &page.records {
            let of = &entry.coordinator_id;
            let key = (*of == identity.peer_id).then_some(identity.public_key_pem);
            let chain = chains.entry(of.clone()).or_insert_with(|| Verifier::new(of.clone(), key));
            if let Err(fault) = chain.entry(entry) {
                return Ok(LedgerVerdict { ok: false, reason: Some(fault.to_string()), ..theirs });
            }
        }
        match page.next {
            Some(next) if next > after => after = next,
            Some(_) | None => return Ok(theirs),
        }
    }
}

fn report(context: &Context, verdict: &LedgerVerdict, json: bool) -> Result<Exit, Error> {
    let out = context.out;
    if json {
        out.line(serde_json::to_string(verdict).unwrap_or_default());
    }
    if !verdict.ok {
        return Err(Error::Ledger(verdict.reason.clone().unwrap_or_default()));
    }
    if !json {
        let good = out.paint(Style::Good, "the ledger verifies");
        out.line(format_args!("{good}: {} records, {} checkpoints", verdict.entries, verdict.checkpoints));
    }
    Ok(Exit::Done)
}

async fn show(
    context: &Context,
    client: &ApiClient,
    after: u64,
    limit: u32,
    json: bool,
) -> Result<Exit, Error> {
    let page = client.ledger_page(after, limit.clamp(1, MAX_PAGE)).await?;
    for entry in &page.records {
        if json {
            context.out.line(serde_json::to_string(entry).unwrap_or_default());
            continue;
        }
        let at = edgecoder_base::Timestamp::from_millis(entry.issued_at_ms);
        let task = entry.task_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let (sequence, event, actor) = (entry.sequence, &entry.event_type, &entry.actor_id);
        let line = format!("{sequence:>4}  {event:<14}  {task:<37}  {at}  {actor}");
        context.out.line(context.out.fit(&harmless(&line)));
    }
    if let Some(next) = page.next {
        context.out.note(format_args!("more: edgecoder ledger show --after {next}"));
    }
    Ok(Exit::Done)
}
