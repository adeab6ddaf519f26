//! A companion over a scratch project, and a thinker that says its lines.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use edgecoder_base::{BlobHash, Blobs, Timestamp};
use edgecoder_companion::{
    ApprovalRules, Chat, Companion, Config, Deps, Error, Event, Ruling, Thinker, Thought, TokenUsage,
    Toolbox, Turn, Uttered,
};
use edgecoder_protocol::ErrorCode;
use edgecoder_sandbox::Sandbox;
use edgecoder_workspace::Trees;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// One answer of the script.
pub(crate) enum Line {
    Says(&'static str),
    Calls(&'static str, Value),
    TooLong,
    /// Says a word and then nothing.
    Hangs,
}

/// Says its lines in order and remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    pub(crate) lines: Arc<Mutex<VecDeque<Line>>>,
    pub(crate) asked: Arc<Mutex<Vec<Thought>>>,
    pub(crate) window: Option<u32>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        Self { lines: Arc::new(Mutex::new(lines.into_iter().collect())), ..Self::default() }
    }
}

impl Thinker for Scripted {
    fn window(&self, _: String) -> BoxFuture<'_, Result<u32, Error>> {
        std::future::ready(Ok(self.window.unwrap_or(32_768))).boxed()
    }

    fn think(
        &self,
        thought: Thought,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Uttered, Error>>, Error>> {
        self.asked.lock().push(thought);
        let line = self.lines.lock().pop_front().unwrap_or(Line::Says("done"));
        let usage = TokenUsage { prompt_tokens: 10, output_tokens: 5, model_ms: 1 };
        let done = Uttered::Done { usage, cut: false, card: json!({"route": "local"}) };
        let said = match line {
            Line::Says(text) => vec![Uttered::Text(text.to_owned()), done],
            Line::Calls(name, arguments) => {
                let arguments = arguments.as_object().cloned().unwrap_or_else(Map::new);
                vec![
                    Uttered::Call {
                        id: format!("call_{}", self.asked.lock().len()),
                        name: name.to_owned(),
                        arguments,
                    },
                    done,
                ]
            }
            Line::TooLong => {
                let error = Error::new(ErrorCode::ContextOverflow, "too long");
                return std::future::ready(Err(error)).boxed();
            }
            Line::Hangs => {
                let first = stream::iter([Ok(Uttered::Text("hm".to_owned()))]);
                return std::future::ready(Ok(first.chain(stream::pending()).boxed())).boxed();
            }
        };
        std::future::ready(Ok(stream::iter(said.into_iter().map(Ok)).boxed())).boxed()
    }
}

#[derive(Debug)]
struct DirBlobs(PathBuf);

impl Blobs for DirBlobs {
    fn contains(&self, hash: &BlobHash) -> bool {
        self.0.join(hash.to_string()).is_file()
    }
    fn read(&self, hash: &BlobHash) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.join(hash.to_string()))
    }
    fn write(&self, bytes: &[u8]) -> io::Result<BlobHash> {
        let hash = BlobHash::of(bytes);
        if !self.contains(&hash) {
            std::fs::write(self.0.join(hash.to_string()), bytes)?;
        }
        Ok(hash)
    }
    fn place(&self, hash: &BlobHash, to: &Path) -> io::Result<()> {
        std::fs::copy(self.0.join(hash.to_string()), to).map(drop)
    }
}

/// The companion, its project, and what it keeps.
pub(crate) struct Rig {
    pub(crate) companion: Companion,
    pub(crate) home: TempDir,
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn entropy() -> u128 {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    u128::from(DRAWN.fetch_add(1, Ordering::Relaxed))
}

fn jail() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let jail = tests.parent().and_then(Path::parent).unwrap().join("edgecoder-jail");
    assert!(jail.is_file(), "build the launcher first: cargo build -p edgecoder-sandbox");
    jail
}

pub(crate) const ALLOW_ALL: ApprovalRules = ApprovalRules {
    read: Ruling::Allow,
    write: Ruling::Allow,
    execute: Ruling::Allow,
    network: Ruling::Allow,
    protected: Ruling::Ask,
};

impl Rig {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, |_, _| ())
    }

    pub(crate) fn with(files: &[(&str, &str)], change: impl FnOnce(&mut Config, &mut Deps)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for folder in ["project", "blobs", "data"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        for (path, text) in files {
            let path = at("project").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let sandbox =
            edgecoder_sandbox::Config { jail: Some(jail()), ..edgecoder_sandbox::Config::default() };
        let trees = Trees::new(at("trees")).unwrap();
        let blobs = Arc::new(DirBlobs(at("blobs")));
        let mut deps = Deps::new(Sandbox::new(sandbox).unwrap(), trees, blobs, now, entropy);
        let mut config = Config::new(at("data/sessions"));
        config.forbidden = vec![at("data")];
        change(&mut config, &mut deps);
        Self { companion: Companion::new(config, deps), home }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.project().join(path)).ok()
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(self.project()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn repository(&self) {
        self.git(&["init", "-q", "-b", "main"]);
        self.git(&["config", "user.name", "Ada"]);
        self.git(&["config", "user.email", "ada@example.org"]);
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", "first"]);
    }

    pub(crate) fn ask(&self, text: &str) -> Chat {
        let messages = vec![Turn::Person { text: text.to_owned() }];
        let project = Some(self.project());
        Chat { session: None, messages, model: "m".to_owned(), project, mode: None }
    }

    pub(crate) async fn start(&self, chat: Chat, thinker: &Scripted) -> BoxStream<'static, Event> {
        self.companion.chat(chat, Arc::new(thinker.clone())).await.unwrap()
    }

    /// A whole chat in which a person answers every question with `approve`.
    pub(crate) async fn chat(&self, lines: impl IntoIterator<Item = Line>, approve: bool) -> Seen {
        self.seen(self.ask("go"), &Scripted::new(lines), approve).await
    }

    pub(crate) async fn seen(&self, chat: Chat, thinker: &Scripted, approve: bool) -> Seen {
        let mut events = self.start(chat, thinker).await;
        let mut seen = Seen::default();
        while let Some(event) = events.next().await {
            if let Event::ToolCall { id, requires_approval: true, .. } = &event {
                self.companion.decide(id, approve).unwrap();
            }
            seen.0.push(event);
        }
        seen
    }
}

/// What a client saw.
#[derive(Debug, Default)]
pub(crate) struct Seen(pub(crate) Vec<Event>);

impl Seen {
    /// Every result, as `Ok` or `Err`.
    pub(crate) fn results(&self) -> Vec<Result<String, String>> {
        let result = |event: &Event| {
            let Event::ToolResult { result, error, .. } = event else { return None };
            Some(error.clone().map_or_else(|| Ok(result.clone().unwrap_or_default()), Err))
        };
        self.0.iter().filter_map(result).collect()
    }

    /// Class and title of every action.
    pub(crate) fn actions(&self) -> Vec<(String, String, bool)> {
        let action = |event: &Event| {
            let Event::ToolCall { class, title, requires_approval, .. } = event else { return None };
            Some((class.as_str().to_owned(), title.clone(), *requires_approval))
        };
        self.0.iter().filter_map(action).collect()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(Event::name).collect()
    }
}

/// Tools of somebody else.
#[derive(Debug, Default)]
pub(crate) struct Box(pub(crate) BTreeMap<&'static str, edgecoder_companion::ApprovalClass>);

impl Toolbox for Box {
    fn tools<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, Vec<edgecoder_companion::Borrowed>> {
        let tools = self.0.iter().map(|(name, class)| edgecoder_companion::Borrowed {
            tool: edgecoder_companion::Tool {
                name: (*name).to_owned(),
                description: String::new(),
                parameters: json!({"type": "object"}),
            },
            class: *class,
        });
        std::future::ready(tools.collect()).boxed()
    }

    fn call(
        &self,
        call: edgecoder_companion::BorrowedCall,
        _: tokio_util::sync::CancellationToken,
    ) -> BoxFuture<'_, Result<String, String>> {
        std::future::ready(Ok(format!("{} was called with {}", call.name, Value::Object(call.arguments))))
            .boxed()
    }
}
