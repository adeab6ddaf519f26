//! The handle: what the door may ask of the companion. Cheap to clone; the state behind it is small and bounded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgecoder_agent::session::{Mode, Turn};
use edgecoder_base::Timestamp;
use edgecoder_protocol::ErrorCode;
use edgecoder_workspace::project::overlap;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::approvals::Approvals;
use crate::error::blocking;
use crate::log::{self, Log, Record};
use crate::run::{self, Begun};
use crate::{Config, Deps, Error, Event, Thinker};

/// Exchanges at once: more than any engine has slots, few enough to bound what they hold.
const MOST_RUNNING: usize = 32;
/// Turns of a conversation that a client sends whole.
const MOST_TURNS: usize = 2_000;
/// Characters of a session's title.
const TITLE_CHARS: usize = 80;
/// Sessions listed at most.
const LISTED: usize = 100;

/// The owner's handle.
#[derive(Debug, Clone)]
pub struct Companion {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) approvals: Approvals,
    /// The project that is meant where a chat names none.
    project: Mutex<Option<PathBuf>>,
    /// Sessions in which an exchange runs, with how freely it works.
    running: Mutex<BTreeMap<String, Arc<Mutex<Mode>>>>,
    places: Arc<Semaphore>,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// A session that is kept; without one the conversation is the client's to keep.
    pub session: Option<String>,
    /// Without a session the whole conversation, else what is new. The last is the person's.
    pub messages: Vec<Turn>,
    /// The model, by the client's name for it.
    pub model: String,
    /// The project's root; without one the session's, else the one that was set.
    pub project: Option<PathBuf>,
    /// How freely it works, for this exchange.
    pub mode: Option<Mode>,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its name.
    pub id: String,
    /// Its project.
    pub project: PathBuf,
    /// The beginning of what the person said first; empty before that.
    pub title: String,
    /// When it was last used.
    pub used_at: Timestamp,
}

/// A session with everything that was said and seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Its name.
    pub id: String,
    /// Its project.
    pub project: PathBuf,
    /// How freely it works.
    pub mode: Mode,
    /// What the person said and saw, in order.
    pub seen: Vec<Seen>,
    /// What the model reads again.
    pub(crate) turns: Vec<Turn>,
}

/// One thing of a transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The person said it.
    Person(String),
    /// It happened.
    Event(Event),
}

/// An exchange that runs: its session is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    inner: Arc<Inner>,
    session: String,
    pub(crate) mode: Arc<Mutex<Mode>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.running.lock().remove(&self.session);
    }
}

impl Companion {
    /// The companion over what it works with; touches nothing yet.
    pub fn new(config: Config, deps: Deps) -> Self {
        let inner = Inner {
            config,
            deps,
            approvals: Approvals::default(),
            project: Mutex::default(),
            running: Mutex::default(),
            places: Arc::new(Semaphore::new(MOST_RUNNING)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The project that is meant where a chat names none.
    pub fn project(&self) -> Option<PathBuf> {
        self.inner.project.lock().clone()
    }

    /// Sets it, and returns the directory it is after links are resolved.
    pub async fn set_project(&self, root: PathBuf) -> Result<PathBuf, Error> {
        let root = self.checked(root).await?;
        *self.inner.project.lock() = Some(root.clone());
        Ok(root)
    }

    /// Decides on an action that waits. Its name holds the hash of what was shown of it.
    pub fn decide(&self, id: &str, approved: bool) -> Result<(), Error> {
        if self.inner.approvals.decide(id, approved) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::NotFound, "no action of that id waits: it was decided on, or given up"))
    }

    /// Names of the actions that wait, of all sessions.
    pub fn waiting(&self) -> Vec<String> {
        self.inner.approvals.names()
    }

    /// Begins a session that is kept.
    pub async fn open(&self, root: PathBuf, mode: Option<Mode>) -> Result<Transcript, Error> {
        let project = self.checked(root).await?;
        let deps = &self.inner.deps;
        let id = log::name((deps.entropy)());
        let opened = Record::Opened { project: project.clone(), at: (deps.clock)() };
        let (dir, name) = (self.inner.config.sessions.clone(), id.clone());
        blocking(move || {
            Log::begin(&dir, &name, &opened)?;
            mode.map_or(Ok(()), |mode| Log::open(&dir, &name)?.add(&Record::Mode(mode)))
        })
        .await??;
        Ok(Transcript { id, project, mode: mode.unwrap_or_default(), seen: Vec::new(), turns: Vec::new() })
    }

    /// Everything that was kept of a session.
    pub async fn transcript(&self, id: &str) -> Result<Transcript, Error> {
        let (dir, name) = (self.inner.config.sessions.clone(), id.to_owned());
        let records = blocking(move || log::read(&dir, &name)).await??;
        let running = self.inner.running.lock().get(id).map(|mode| *mode.lock());
        let mut transcript = Transcript::of(id, records)?;
        transcript.mode = running.unwrap_or(transcript.mode);
        Ok(transcript)
    }

    /// The sessions, the latest used first.
    pub async fn sessions(&self) -> Result<Vec<SessionView>, Error> {
        let dir = self.inner.config.sessions.clone();
        let listed = move || {
            let view = |(id, used_at): (String, Timestamp)| {
                let transcript = Transcript::of(&id, log::read(&dir, &id).ok()?).ok()?;
                let title = transcript.title();
                Some(SessionView { id, project: transcript.project, title, used_at })
            };
            log::names(&dir).into_iter().take(LISTED).filter_map(view).collect()
        };
        blocking(listed).await
    }

    /// Chooses how freely a session works, from its next action on.
    pub async fn set_mode(&self, id: &str, mode: Mode) -> Result<(), Error> {
        let (dir, name) = (self.inner.config.sessions.clone(), id.to_owned());
        blocking(move || Log::open(&dir, &name)?.add(&Record::Mode(mode))).await??;
        if let Some(running) = self.inner.running.lock().get(id) {
            *running.lock() = mode;
        }
        Ok(())
    }

    /// Starts an exchange. An error here means that nothing was begun. Dropping the stream ends the exchange.
    pub async fn chat(
        &self,
        chat: Chat,
        thinker: Arc<dyn Thinker>,
    ) -> Result<BoxStream<'static, Event>, Error> {
        if !matches!(chat.messages.last(), Some(Turn::Person { .. })) {
            return Err(Error::invalid("messages: the last one must be the user's"));
        }
        if chat.messages.len() > MOST_TURNS {
            return Err(Error::invalid(format!("messages: at most {MOST_TURNS}")));
        }
        let id = chat.session.clone().unwrap_or_else(|| log::name((self.inner.deps.entropy)()));
        let place = self.take_place(&id, chat.mode)?;
        let (turns, project, log) = match &chat.session {
            Some(session) => self.taken_up(session, &chat, &place).await?,
            None => {
                let named = chat.project.clone().or_else(|| self.project());
                let project = match named {
                    Some(root) => Some(self.checked(root).await?),
                    None => None,
                };
                (chat.messages, project, None)
            }
        };
        let (model, inner) = (chat.model, Arc::clone(&self.inner));
        Ok(run::start(Begun { inner, thinker, place, id, model, turns, project, log }))
    }

    async fn taken_up(
        &self,
        id: &str,
        chat: &Chat,
        place: &Place,
    ) -> Result<(Vec<Turn>, Option<PathBuf>, Option<Log>), Error> {
        let (dir, name) = (self.inner.config.sessions.clone(), id.to_owned());
        let (records, mut log) =
            blocking(move || Ok::<_, Error>((log::read(&dir, &name)?, Log::open(&dir, &name)?))).await??;
        let kept = Transcript::of(id, records)?;
        let project = self.checked(kept.project).await?;
        if let Some(named) = &chat.project
            && self.checked(named.clone()).await? != project
        {
            return Err(Error::invalid("projectRoot: the session is about another project"));
        }
        if chat.mode.is_none() {
            *place.mode.lock() = kept.mode;
        }
        let mut turns = kept.turns;
        for message in &chat.messages {
            log.add(&Record::Turn(message.clone()))?;
            turns.push(message.clone());
        }
        Ok((turns, Some(project), Some(log)))
    }

    fn take_place(&self, session: &str, mode: Option<Mode>) -> Result<Place, Error> {
        let full = || Error::new(ErrorCode::RateLimited, "too many chats run at once");
        let permit = Arc::clone(&self.inner.places).try_acquire_owned().map_err(|_| full())?;
        let mode = Arc::new(Mutex::new(mode.unwrap_or_default()));
        let mut running = self.inner.running.lock();
        if running.contains_key(session) {
            return Err(Error::new(ErrorCode::WrongState, "the session is busy: cancel what runs, or wait"));
        }
        running.insert(session.to_owned(), Arc::clone(&mode));
        drop(running);
        Ok(Place { inner: Arc::clone(&self.inner), session: session.to_owned(), mode, _permit: permit })
    }

    /// The directory that `root` names, if a model may work there.
    async fn checked(&self, root: PathBuf) -> Result<PathBuf, Error> {
        let forbidden = self.inner.config.forbidden.clone();
        blocking(move || allowed(&root, &forbidden)).await?
    }
}

fn allowed(root: &Path, forbidden: &[PathBuf]) -> Result<PathBuf, Error> {
    if !root.is_absolute() {
        return Err(Error::invalid("projectRoot: an absolute path is needed"));
    }
    let real = root.canonicalize().ok().filter(|real| real.is_dir());
    let Some(real) = real else {
        return Err(Error::invalid("projectRoot: there is no such directory"));
    };
    if real.parent().is_none() {
        return Err(Error::invalid("projectRoot: the whole file system is no project"));
    }
    if forbidden.iter().any(|own| overlap(&real, own)) {
        return Err(Error::new(ErrorCode::Forbidden, "projectRoot: the node's own data lies there"));
    }
    Ok(real)
}

impl Transcript {
    fn of(id: &str, records: Vec<Record>) -> Result<Self, Error> {
        let mut records = records.into_iter();
        let Some(Record::Opened { project, .. }) = records.next() else {
            return Err(Error::new(ErrorCode::Internal, "the session's log has no beginning"));
        };
        let (mut mode, mut seen, mut turns) = (Mode::default(), Vec::new(), Vec::new());
        for record in records {
            match record {
                Record::Opened { .. } => {}
                Record::Mode(chosen) => mode = chosen,
                Record::Event(event) => seen.push(Seen::Event(event)),
                Record::Turn(turn) => {
                    if let Turn::Person { text } = &turn {
                        seen.push(Seen::Person(text.clone()));
                    }
                    turns.push(turn);
                }
            }
        }
        Ok(Self { id: id.to_owned(), project, mode, seen, turns })
    }

    fn title(&self) -> String {
        let said = self.seen.iter().find_map(|seen| match seen {
            Seen::Person(text) => Some(text),
            Seen::Event(_) => None,
        });
        let line = said.and_then(|text| text.lines().find(|line| !line.trim().is_empty()));
        let clean = edgecoder_agent::session::shown::line(line.unwrap_or_default().trim());
        clean.chars().take(TITLE_CHARS).collect()
    }
}
