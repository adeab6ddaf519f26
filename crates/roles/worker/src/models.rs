//! Owner of which model has the place of the engine: swaps, fetches, what was found on this machine, and the
//! history of it. One swap and one fetch at a time; everybody else reads a snapshot.

mod catalog_shelf;
mod choice;
mod handle;
mod history;
mod look;
mod measure;
mod resolve;
mod shelf;
mod spec;

use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::Clock;
use edgecoder_inference::discover::Place;
use edgecoder_inference::{Capabilities, Error, Switch};
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use catalog_shelf::CatalogShelf;
pub use choice::{Choice, Measured};
pub use edgecoder_inference::discover::{Found, ServerKind};
pub use history::{ModelsView, Pull, PullStatus, Swapped, Swapping};
pub use shelf::{EngineMaker, ModelShelf, OllamaShelf, ShelfModel, ShelfPull, ShelfPullStep};
pub use spec::{EngineSpec, Provider, Refusal};

use look::Providers;

/// Commands waiting for the owner; it never waits for anything slow.
const COMMANDS: usize = 16;
/// Longest time a caller waits for a swap; the swap itself goes on, and the state tells how it ended.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How the role is set up.
#[derive(Debug, Clone)]
pub struct ModelsConfig {
    /// What has the place at the start.
    pub first: EngineSpec,
    /// Whether another provider that is found at the start may take the place at once.
    pub choose: bool,
    /// Providers, the preferred first.
    pub order: Vec<String>,
    /// The model wanted of a provider that has several.
    pub wanted: Option<String>,
    /// Places to look at for model servers.
    pub places: Vec<Place>,
}

/// What the role needs.
#[derive(Debug, Clone)]
pub struct ModelsDeps {
    /// The engine whose place is given.
    pub switch: Switch,
    /// What builds engines.
    pub maker: Arc<dyn EngineMaker>,
    /// Where models are kept, the preferred first.
    pub shelves: Vec<Arc<dyn ModelShelf>>,
    /// The time.
    pub clock: Clock,
}

/// How a swap that was asked for stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SwapAnswer {
    /// What had the place.
    pub previous: EngineSpec,
    /// What has it now.
    pub active: EngineSpec,
    /// How it stands.
    pub state: SwapState,
}

/// How a swap stands.
#[derive(Debug, Clone, PartialEq)]
pub enum SwapState {
    /// It is done.
    Ready,
    /// The model is being loaded; the present one answers meanwhile.
    Loading,
    /// The model is being fetched, and takes the place afterwards.
    Pulling,
    /// It failed; the present one stays.
    Failed(String),
}

#[derive(Debug)]
enum Command {
    Swap { to: EngineSpec, why: String, reply: oneshot::Sender<Result<u64, Refusal>> },
    Pull { shelf: usize, model: String, then_use: bool, reply: oneshot::Sender<Result<(), Refusal>> },
}

/// Slow work that came to its end.
enum Done {
    Swapped { outcome: Result<Capabilities, Error> },
    PullBegun { outcome: Result<ShelfPull, Error> },
    Chosen(Option<Choice>),
}

/// The handle; cheap to clone.
#[derive(Debug, Clone)]
pub struct ModelsHandle {
    deps: ModelsDeps,
    order: Vec<String>,
    wanted: Option<String>,
    providers: Arc<Providers>,
    /// Sizes as the last list told them, so that a status needs to ask nobody.
    sizes: Arc<Mutex<Vec<(EngineSpec, String)>>>,
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<ModelsView>,
}

/// The owner.
#[derive(Debug)]
pub struct Models {
    handle: ModelsHandle,
    choose: bool,
    inbox: mpsc::Receiver<Command>,
    view: watch::Sender<ModelsView>,
    work: JoinSet<Done>,
    pull: Option<Fetching>,
}

/// The fetch that runs.
struct Fetching {
    shelf: usize,
    model: String,
    then_use: bool,
    steps: Option<ShelfPull>,
}

impl std::fmt::Debug for Fetching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fetching({})", self.model)
    }
}

impl Models {
    /// The owner; nothing is contacted yet.
    pub fn build(config: ModelsConfig, deps: ModelsDeps) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (publish, view) = watch::channel(ModelsView::new(config.first));
        let providers = Arc::new(Providers::new(config.places));
        let ModelsConfig { choose, order, wanted, .. } = config;
        let sizes = Arc::default();
        let handle = ModelsHandle { deps, order, wanted, providers, sizes, commands, view };
        Self { handle, choose, inbox, view: publish, work: JoinSet::new(), pull: None }
    }

    /// The handle.
    pub fn handle(&self) -> ModelsHandle {
        self.handle.clone()
    }

    /// Owns the models until `shutdown`; a fetch that runs then is taken up by the next one.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let (handle, choose) = (self.handle.clone(), self.choose);
        self.work.spawn(async move { Done::Chosen(handle.first_look(choose).await) });
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(done) = self.work.join_next() => match done {
                    Ok(done) => self.finished(done),
                    Err(error) => tracing::error!(%error, "work on models failed unexpectedly"),
                },
                Some(step) = next_step(&mut self.pull) => self.stepped(step),
                Some(command) = self.inbox.recv() => self.command(command),
            }
        }
    }

    fn command(&mut self, command: Command) {
        // Whoever asked may have gone; what was asked is done all the same.
        match command {
            Command::Swap { to, why, reply } => drop(reply.send(self.begin_swap(to, why))),
            Command::Pull { shelf, model, then_use, reply } => {
                drop(reply.send(self.begin_pull(shelf, model, then_use)));
            }
        }
    }

    fn begin_swap(&mut self, to: EngineSpec, why: String) -> Result<u64, Refusal> {
        if let Some(running) = &self.view.borrow().swapping {
            return Err(Refusal::Busy(format!("{} is being loaded", running.to.model)));
        }
        let driven = self.handle.deps.maker.make(&to)?;
        let now = (self.handle.deps.clock)();
        let mut number = 0;
        self.view.send_modify(|view| number = view.begin_swap(to, why, now));
        let switch = self.handle.deps.switch.clone();
        self.work.spawn(async move { Done::Swapped { outcome: switch.swap(driven).await } });
        Ok(number)
    }

    fn begin_pull(&mut self, shelf: usize, model: String, then_use: bool) -> Result<(), Refusal> {
        if let Some(running) = &mut self.pull {
            if running.model == model && running.shelf == shelf {
                running.then_use |= then_use;
                return Ok(());
            }
            return Err(Refusal::Busy(format!("{} is being fetched", running.model)));
        }
        let from = self.handle.deps.shelves.get(shelf).cloned();
        let from = from.ok_or_else(|| Refusal::NotFound(model.clone()))?;
        let now = (self.handle.deps.clock)();
        self.view.send_modify(|view| view.begin_pull(&model, from.provider(), now));
        self.pull = Some(Fetching { shelf, model: model.clone(), then_use, steps: None });
        self.work.spawn(async move { Done::PullBegun { outcome: from.pull(model).await } });
        Ok(())
    }

    fn finished(&mut self, done: Done) {
        let now = (self.handle.deps.clock)();
        match done {
            Done::Swapped { outcome } => {
                let outcome = outcome.map(|_| ()).map_err(|error| error.to_string());
                self.view.send_modify(|view| view.end_swap(outcome, now));
            }
            Done::PullBegun { outcome: Ok(steps) } => {
                if let Some(pull) = &mut self.pull {
                    pull.steps = Some(steps);
                }
            }
            Done::PullBegun { outcome: Err(error) } => self.end_pull(Err(error)),
            Done::Chosen(Some(choice)) => {
                tracing::info!(model = choice.spec.model, reason = choice.reason, "engine chosen");
                if let Err(refusal) = self.begin_swap(choice.spec, choice.reason) {
                    tracing::warn!(%refusal, "the chosen engine cannot be used");
                }
            }
            Done::Chosen(None) => {}
        }
    }

    fn stepped(&mut self, step: Option<Result<ShelfPullStep, Error>>) {
        match step {
            Some(Ok(step)) if step.done => self.end_pull(Ok(())),
            Some(Ok(step)) => self.view.send_modify(|view| view.step_pull(&step)),
            Some(Err(error)) => self.end_pull(Err(error)),
            None => self.end_pull(Err(Error::Unreachable { reason: "the fetch just stopped".into() })),
        }
    }

    fn end_pull(&mut self, outcome: Result<(), Error>) {
        let Some(Fetching { shelf, model, then_use, .. }) = self.pull.take() else { return };
        let fetched = outcome.is_ok();
        let words = outcome.err().map(|error| error.to_string());
        if let Some(reason) = &words {
            tracing::warn!(model, reason, "fetching a model failed");
        }
        self.view.send_modify(|view| view.end_pull(words));
        let Some(shelf) = self.handle.deps.shelves.get(shelf).filter(|_| fetched && then_use) else { return };
        if let Err(refusal) = self.begin_swap(shelf.spec(&model), "fetched on request".to_owned()) {
            self.view.send_modify(|view| view.end_pull(Some(refusal.to_string())));
        }
    }
}

/// The next step of the fetch that runs; waits for ever when none does.
async fn next_step(pull: &mut Option<Fetching>) -> Option<Option<Result<ShelfPullStep, Error>>> {
    match pull.as_mut().and_then(|pull| pull.steps.as_mut()) {
        Some(steps) => Some(steps.next().await),
        None => std::future::pending().await,
    }
}
