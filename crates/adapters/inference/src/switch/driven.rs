//! An engine together with what must run for it to work, whatever kind it is: so that a swap treats a child
//! process and a server alike.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::isolate::{IsolatedEngine, Supervisor};
use crate::{Engine, EngineState};

/// How often a model server is asked whether it is there: often enough for a person who just started it.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// What must run until its token is cancelled.
pub type Run = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), String>> + Send>;

/// Tells where an engine stands, from memory.
pub(super) type State = Arc<dyn Fn() -> EngineState + Send + Sync>;

/// An engine, where it stands, and what must run for it to work.
pub struct Driven {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) state: State,
    pub(super) restarts: Arc<AtomicU64>,
    pub(super) run: Run,
}

impl Driven {
    /// An engine in a child process.
    pub fn child(engine: IsolatedEngine, supervisor: Supervisor) -> Self {
        let (seen, counted) = (engine.clone(), engine.clone());
        let restarts = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&restarts);
        let run: Run = Box::new(move |stop| {
            async move {
                tokio::select! {
                    biased;
                    ended = supervisor.run(stop) => ended.map_err(|error| error.to_string()),
                    () = count_restarts(counted, count) => Ok(()),
                }
            }
            .boxed()
        });
        Self { engine: Arc::new(engine), state: Arc::new(move || seen.state()), restarts, run }
    }

    /// A server, or anything that needs nobody to run it: it is asked from time to time how it does.
    pub fn server(engine: Arc<dyn Engine>) -> Self {
        let (tell, seen) = watch::channel(EngineState::Starting);
        let asked = Arc::clone(&engine);
        let run: Run = Box::new(move |stop| {
            async move {
                stop.run_until_cancelled(ask(&*asked, &tell)).await;
                Ok(())
            }
            .boxed()
        });
        let state: State = Arc::new(move || seen.borrow().clone());
        Self { engine, state, restarts: Arc::new(AtomicU64::new(0)), run }
    }

    /// The same, started only when `wanted` says so: a large model costs memory from then on.
    #[must_use]
    pub fn once(self, wanted: Arc<tokio::sync::Notify>) -> Self {
        let run = self.run;
        let run: Run = Box::new(move |stop| {
            async move {
                match stop.run_until_cancelled(wanted.notified()).await {
                    Some(()) => run(stop).await,
                    None => Ok(()),
                }
            }
            .boxed()
        });
        Self { run, ..self }
    }

    /// The engine's handle.
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.engine)
    }

    /// Where it stands, from memory.
    pub fn state(&self) -> EngineState {
        (self.state)()
    }

    /// What must run, where no switch owns the engine.
    pub fn into_run(self) -> Run {
        self.run
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driven({:?})", self.engine)
    }
}

/// Counts how often the child dies; ends with the supervisor.
async fn count_restarts(engine: IsolatedEngine, count: Arc<AtomicU64>) {
    let dead = |state: &EngineState| matches!(state, EngineState::Restarting { .. });
    while engine.until(dead).await.is_ok() {
        count.fetch_add(1, Ordering::Relaxed);
        if engine.until(|state| !dead(state)).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// Keeps what is known of a server fresh.
async fn ask(engine: &dyn Engine, tell: &watch::Sender<EngineState>) {
    loop {
        tell.send_replace(match engine.capabilities().await {
            Ok(capabilities) => EngineState::Ready(capabilities),
            Err(error) if error.is_retryable() => {
                EngineState::Restarting { reason: error.to_string(), pause: ASK_EVERY }
            }
            Err(error) => EngineState::Failed(error),
        });
        tokio::time::sleep(ASK_EVERY).await;
    }
}
