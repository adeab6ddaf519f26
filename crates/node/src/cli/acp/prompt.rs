//! One prompt: the node's events become updates, what waits for a person becomes a question, and cancelling hangs up.

use edgecoder_net::{ChatEvents, IdeClient};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::server::fault;
use super::updates::{Question, Teller, question};
use super::wire::{Editor, Fault, INTERNAL_ERROR};

/// What a person may choose. Nothing is allowed for more than the one action that was shown.
const ALLOW: &str = "allow";
const REJECT: &str = "reject";

/// A prompt on its way.
pub(super) struct Prompting<'a> {
    pub(super) editor: &'a Editor,
    pub(super) door: &'a IdeClient,
    pub(super) session: &'a str,
    pub(super) teller: Teller,
}

impl Prompting<'_> {
    /// Runs to its end, or until it is cancelled.
    pub(super) async fn run(mut self, words: String, cancel: &CancellationToken) -> Result<Value, Fault> {
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok("cancelled"),
            outcome = self.follow(&words) => outcome,
        };
        for update in self.teller.give_up() {
            self.editor.update(self.session, update).await;
        }
        outcome.map(|reason| json!({"stopReason": reason}))
    }

    async fn follow(&mut self, words: &str) -> Result<&'static str, Fault> {
        let body = json!({"sessionId": self.session, "messages": [{"role": "user", "content": words}]});
        let mut events = self.door.chat(&body).await.map_err(|error| fault(&error))?;
        while let Some(event) = next(&mut events).await? {
            if let Some(update) = self.teller.tell(&event) {
                self.editor.update(self.session, update).await;
            }
            if let Some(question) = question(&event) {
                self.decide(question, &mut events).await?;
            }
            match event["type"].as_str() {
                Some("done") => return Ok(stop_reason(&event)),
                Some("error") => return Err(broken(&event)),
                _ => {}
            }
        }
        Err(Fault::new(INTERNAL_ERROR, "the node ended the answer without saying why"))
    }

    /// Shows the whole action, asks, and passes the answer on. No answer is a no.
    async fn decide(&mut self, question: Question, events: &mut ChatEvents) -> Result<(), Fault> {
        for _ in 0..question.differences {
            let Some(event) = next(events).await? else { break };
            if let Some(update) = self.teller.tell(&event) {
                self.editor.update(self.session, update).await;
            }
        }
        let option = |id: &str, name: &str, kind: &str| json!({"optionId": id, "name": name, "kind": kind});
        let params = json!({
            "sessionId": self.session,
            "toolCall": {
                "toolCallId": question.id, "title": question.title, "kind": question.kind, "status": "pending",
                "rawInput": question.input, "content": self.teller.shown(&question.id),
            },
            "options": [option(ALLOW, "Allow", "allow_once"), option(REJECT, "Reject", "reject_once")],
        });
        let answer = self.editor.ask("session/request_permission", params).await.unwrap_or_default();
        let outcome = &answer["outcome"];
        let approved = outcome["outcome"] == "selected" && outcome["optionId"] == ALLOW;
        let decision = json!({"id": question.id, "approved": approved});
        match self.door.post("/v1/ide/tool-approval", &decision).await {
            // It timed out meanwhile: the stream says so.
            Err(edgecoder_net::Error::Refused { code: edgecoder_protocol::ErrorCode::NotFound, .. })
            | Ok(_) => Ok(()),
            Err(error) => Err(fault(&error)),
        }
    }
}

async fn next(events: &mut ChatEvents) -> Result<Option<Value>, Fault> {
    events.next().await.map_err(|error| fault(&error))
}

fn stop_reason(done: &Value) -> &'static str {
    match done["reason"].as_str() {
        Some("length") => "max_tokens",
        Some("limit") => "max_turn_requests",
        _ => "end_turn",
    }
}

fn broken(event: &Value) -> Fault {
    let words = event["message"].as_str().unwrap_or("the answer broke off");
    let node_code = event["code"].as_str().map(str::to_owned);
    Fault { node_code, ..Fault::new(INTERNAL_ERROR, words) }
}
