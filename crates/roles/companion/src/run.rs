//! One exchange on its way: the machine says what is next, the thinker thinks, the hands perform, a person decides, and
//! the client sees each of it. It lives in the stream it feeds: whoever drops that ends it.

use std::path::PathBuf;
use std::sync::Arc;

use edgecoder_agent::budget;
use edgecoder_agent::session::{
    ApprovalClass, Asked, Equipment, Exchange, Next, PastCall, Ruling, Turn, fit, frame, own_tools, shown,
};
use edgecoder_agent::tool_call::{Dialect, Tool, declare};
use edgecoder_protocol::ErrorCode;
use futures::channel::mpsc::{Receiver, Sender, channel};
use futures::stream::BoxStream;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _, stream};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::approvals::Decision;
use crate::companion::{Inner, Place};
use crate::event::{NumberedStep, PlanStatus, Usage};
use crate::hands::{Hands, Performed, Prepared};
use crate::log::{Log, Record};
use crate::{Borrowed, Error, Event, Thinker, Thought, Uttered};

/// Events between the exchange and the client's connection: the exchange waits for a client that does not keep up.
const IN_FLIGHT: usize = 16;
/// Times that a conversation the engine found too long is made smaller.
const SHRINKS: u32 = 3;
/// Actions that may follow from one call: a command, then what it wrote.
const FOLLOWING: u32 = 2;
/// Characters of a result at least and at most, however large the window.
const RESULT_CHARS: std::ops::RangeInclusive<usize> = 1_200..=24_000;

/// What an exchange begins with.
pub(crate) struct Begun {
    pub(crate) inner: Arc<Inner>,
    pub(crate) thinker: Arc<dyn Thinker>,
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) turns: Vec<Turn>,
    pub(crate) project: Option<PathBuf>,
    pub(crate) log: Option<Log>,
}

/// Starts it.
pub(crate) fn start(begun: Begun) -> BoxStream<'static, Event> {
    let (out, inbox): (Sender<Event>, Receiver<Event>) = channel(IN_FLIGHT);
    let work = async move {
        let stop = CancellationToken::new();
        let kept = begun.log.is_some().then(|| begun.id.clone());
        let run = Run {
            exchange: Exchange::new(begun.turns, begun.inner.config.limits),
            said: Said { out, log: begun.log, text: String::new() },
            inner: begun.inner,
            thinker: begun.thinker,
            place: begun.place,
            id: begun.id,
            kept,
            model: begun.model,
            hands: None,
            window: 0,
            tools: Vec::new(),
            borrowed: Vec::new(),
            usage: Usage::default(),
            card: Value::Null,
            _stop: stop.clone().drop_guard(),
            stop,
        };
        run.run(begun.project).await;
    };
    stream::select(inbox, work.into_stream().filter_map(|()| std::future::ready(None))).boxed()
}

/// The client went away, or the disk did.
enum Broken {
    Gone,
    Failed(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What the client sees and the log keeps.
struct Said {
    out: Sender<Event>,
    log: Option<Log>,
    /// Said and not yet kept: the log has whole paragraphs, not words.
    text: String,
}

impl Said {
    async fn event(&mut self, event: Event) -> Result<(), Broken> {
        if let Event::Text { content } = &event {
            self.text.push_str(content);
        } else {
            self.keep_text()?;
            self.keep(&Record::Event(event.clone()))?;
        }
        self.out.send(event).await.map_err(|_| Broken::Gone)
    }

    async fn status(&mut self, message: impl Into<String>) -> Result<(), Broken> {
        self.event(Event::Status { message: message.into() }).await
    }

    fn keep_text(&mut self) -> Result<(), Broken> {
        match std::mem::take(&mut self.text) {
            text if text.is_empty() => Ok(()),
            content => self.keep(&Record::Event(Event::Text { content })),
        }
    }

    fn keep(&mut self, record: &Record) -> Result<(), Broken> {
        self.log.as_mut().map_or(Ok(()), |log| Ok(log.add(record)?))
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        // Cut off in mid-sentence: what was seen is kept all the same.
        let _nobody_is_told = self.keep_text();
    }
}

struct Run {
    inner: Arc<Inner>,
    thinker: Arc<dyn Thinker>,
    place: Place,
    id: String,
    kept: Option<String>,
    model: String,
    exchange: Exchange,
    hands: Option<Hands>,
    window: u32,
    tools: Vec<Tool>,
    borrowed: Vec<Borrowed>,
    said: Said,
    usage: Usage,
    card: Value,
    stop: CancellationToken,
    _stop: DropGuard,
}

impl Run {
    async fn run(mut self, project: Option<PathBuf>) {
        let last = match self.go(project).await {
            Ok(reason) => Event::Done {
                reason,
                iterations: self.exchange.iterations(),
                usage: self.usage,
                session_id: self.kept.clone(),
                edgecoder: std::mem::take(&mut self.card),
            },
            Err(Broken::Failed(Error { code, message })) => Event::Error { code, message },
            Err(Broken::Gone) => return,
        };
        // The session is free before the client reads that it is over.
        let Self { mut said, place, .. } = self;
        drop(place);
        let _who_left_needs_no_end = said.event(last).await;
    }

    async fn go(&mut self, project: Option<PathBuf>) -> Result<edgecoder_agent::session::Ending, Broken> {
        self.window = self.thinker.window(self.model.clone()).await?;
        self.equip(project).await?;
        loop {
            match self.exchange.next() {
                Next::Think { tools } => self.think(tools).await?,
                Next::Perform(call) => self.perform(&call).await?,
                Next::Over(reason) => return Ok(reason),
            }
        }
    }

    async fn equip(&mut self, project: Option<PathBuf>) -> Result<(), Broken> {
        let Some(root) = project else { return Ok(()) };
        let deps = &self.inner.deps;
        let hands = Hands::new(&self.inner, root.clone()).await?;
        let with = Equipment {
            window_tokens: self.window,
            project: true,
            git: hands.is_repository(),
            tasks: deps.tasks.is_some(),
        };
        self.tools = own_tools(with);
        self.hands = Some(hands);
        if self.tools.is_empty() {
            let window = self.window;
            return self
                .said
                .status(format!("the model's window of {window} tokens has no room for tools; it only talks"))
                .await;
        }
        for borrowed in deps.toolbox.tools(&root).await {
            let name = &borrowed.tool.name;
            if self.tools.iter().any(|tool| &tool.name == name) {
                self.said
                    .status(format!("left out: another tool has the name {}", shown::line(name)))
                    .await?;
                continue;
            }
            self.tools.push(borrowed.tool.clone());
            self.borrowed.push(borrowed);
        }
        Ok(())
    }

    /// The model answers; what it says is told as it comes.
    async fn think(&mut self, tools: bool) -> Result<(), Broken> {
        let tools = if tools { self.tools.clone() } else { Vec::new() };
        let mut answer = self.answer(&tools).await?;
        let (mut text, mut calls) = (String::new(), Vec::new());
        while let Some(uttered) = answer.next().await {
            match uttered? {
                Uttered::Text(content) => {
                    text.push_str(&content);
                    self.said.event(Event::Text { content }).await?;
                }
                Uttered::Call { id, name, arguments } => calls.push(PastCall { id, name, arguments }),
                Uttered::Done { usage, cut, card } => {
                    self.usage.prompt_tokens += u64::from(usage.prompt_tokens);
                    self.usage.output_tokens += u64::from(usage.output_tokens);
                    self.card = card;
                    self.said.keep_text()?;
                    let turn = self.exchange.said(text, calls, usage, cut).clone();
                    return self.said.keep(&Record::Turn(turn));
                }
            }
        }
        Err(Error::new(ErrorCode::InferenceServiceUnavailable, "the answer broke off").into())
    }

    /// Starts an answer; a conversation that is too long is made smaller, visibly.
    async fn answer(&mut self, tools: &[Tool]) -> Result<BoxStream<'static, Result<Uttered, Error>>, Broken> {
        let mut room = self.window.saturating_sub(self.window / 4);
        if !tools.is_empty() {
            room = room.saturating_sub(budget::estimate(&declare(tools, Dialect::Native)));
        }
        for shrink in 0.. {
            let (mut turns, left_out) = fit(self.exchange.turns(), room);
            if left_out > 0 {
                self.said.status(format!("{left_out} earlier results were left out to save room")).await?;
            }
            if let Some(hands) = &self.hands
                && !self.tools.is_empty()
            {
                turns.insert(0, Turn::System { text: frame(hands.name()) });
            }
            let thought = Thought { model: self.model.clone(), turns, tools: tools.to_vec() };
            match self.thinker.think(thought).await {
                Err(error) if error.code == ErrorCode::ContextOverflow && shrink < SHRINKS => {
                    room -= room / 3;
                }
                other => return Ok(other?),
            }
        }
        Err(Broken::Gone)
    }

    async fn perform(&mut self, call: &PastCall) -> Result<(), Broken> {
        let text = match Asked::of(call) {
            Ok(Asked::Plan { steps }) => {
                let steps: Vec<NumberedStep> =
                    steps.into_iter().enumerate().map(|(index, step)| NumberedStep { index, step }).collect();
                self.said.event(Event::Plan { steps, status: PlanStatus::Executing }).await?;
                "The plan is shown.".to_owned()
            }
            asked => self.act(call, asked).await?,
        };
        let most = usize::try_from(self.window).unwrap_or(usize::MAX);
        let text = shown::clipped(&text, most.clamp(*RESULT_CHARS.start(), *RESULT_CHARS.end()));
        match self.exchange.performed(text).cloned() {
            Some(turn) => self.said.keep(&Record::Turn(turn)),
            None => Ok(()),
        }
    }

    /// Everything that one call leads to; the text is for the model.
    async fn act(&mut self, call: &PastCall, asked: Result<Asked, String>) -> Result<String, Broken> {
        let prepared = match &self.hands {
            None => Err("there is no project to work on".to_owned()),
            Some(hands) => match self.borrowed.iter().find(|borrowed| borrowed.tool.name == call.name) {
                Some(borrowed) => Ok(hands.borrow(call, borrowed.class)),
                None => match asked {
                    Ok(asked) => hands.prepare(asked).await,
                    Err(why) => Err(why),
                },
            },
        };
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(why) => Prepared::refused(call, why),
        };
        let mut told = Vec::new();
        for _ in 0..FOLLOWING {
            let (text, following) = self.action(call, prepared).await?;
            told.push(text);
            match following {
                Some(next) => prepared = next,
                None => break,
            }
        }
        Ok(told.join("\n"))
    }

    /// One action: shown, decided on, done.
    async fn action(
        &mut self,
        call: &PastCall,
        prepared: Prepared,
    ) -> Result<(String, Option<Prepared>), Broken> {
        let nonce = (self.inner.deps.entropy)();
        let id = format!("act_{nonce:032x}-{}", prepared.hash(&self.id));
        let ruling = self.inner.config.approvals.ruling(prepared.class, *self.place.mode.lock());
        let asks = ruling == Ruling::Ask && prepared.failed.is_none();
        // It waits before it is shown: whoever answers at once is heard.
        let pending = asks.then(|| self.inner.approvals.wait(&id));
        self.said
            .event(Event::ToolCall {
                id: id.clone(),
                tool: prepared.tool.clone().unwrap_or_else(|| call.name.clone()),
                args: call.arguments.clone(),
                requires_approval: asks,
                class: prepared.class,
                title: prepared.title.clone(),
                diffs: prepared.diffs.len(),
            })
            .await?;
        for diff in &prepared.diffs {
            self.said.event(Event::Diff { id: id.clone(), diff: diff.clone() }).await?;
        }
        let decided = match pending {
            None if ruling == Ruling::Deny => {
                Err(format!("actions of class {} are not allowed here", prepared.class.as_str()))
            }
            None => Ok(()),
            Some(None) => Err("too many actions wait for people".to_owned()),
            Some(Some(pending)) => match pending.decided(self.inner.config.approval_timeout).await {
                Decision::Approved => Ok(()),
                Decision::Rejected => Err("the person rejected this; do not try it again".to_owned()),
                Decision::TimedOut => Err("nobody approved this in time".to_owned()),
            },
        };
        let performed = match (decided, prepared.failed.clone(), &self.hands) {
            (_, Some(why), _) | (Err(why), None, _) => Performed::failed(why),
            (Ok(()), None, Some(hands)) => hands.perform(prepared.deed, &self.stop).await,
            (Ok(()), None, None) => Performed::failed("there is no project to work on".to_owned()),
        };
        self.tell(id, performed).await
    }

    async fn tell(&mut self, id: String, performed: Performed) -> Result<(String, Option<Prepared>), Broken> {
        let Performed { outcome, shell, following } = performed;
        if let Some(shell) = shell {
            let (stdout, stderr, exit_code) = (shell.stdout, shell.stderr, shell.exit_code);
            self.said.event(Event::ShellOutput { id: id.clone(), stdout, stderr, exit_code }).await?;
        }
        let (result, error) = match outcome.clone() {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        self.said.event(Event::ToolResult { id, result, error }).await?;
        let text = outcome.unwrap_or_else(|why| format!("Error: {why}"));
        Ok((text, following))
    }
}

impl Prepared {
    /// What nobody can do: shown all the same, so that a person sees what the model tries.
    fn refused(call: &PastCall, why: String) -> Self {
        Self {
            failed: Some(why),
            ..Self::of(
                ApprovalClass::Read,
                format!("{} (refused)", shown::line(&call.name)),
                crate::hands::Deed::Nothing,
            )
        }
    }
}
