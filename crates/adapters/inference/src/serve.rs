//! The child's side of the pipe: load a model, say so, then answer frames until standard input closes.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::frame::{Ask, MAX_LINE_BYTES, PROTOCOL, Tell, decode, encode};
use crate::llama::batcher::Batcher;
use crate::llama::model::Loaded;
use crate::{Capabilities, Error};

/// Lines read ahead of the decoding loop; the pipe itself holds the rest back.
const INBOX_LINES: usize = 64;

/// Longest silence between two steps; the parent waits many times longer before it thinks of a hang.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// What to serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeConfig {
    /// A GGUF file.
    pub model: PathBuf,
    /// Most tokens of one request, prompt and answer; never more than the model was trained for.
    pub context: Option<u32>,
    /// Threads that compute; default all the process may use.
    pub threads: Option<u32>,
    /// Requests decoded together; default four.
    pub slots: Option<u32>,
    /// Layers of the model on a graphics card; default all, where there is one.
    pub gpu_layers: Option<u32>,
    /// A smaller model of the same vocabulary that guesses ahead.
    pub draft: Option<PathBuf>,
}

/// Serves the process's own standard input and output. The process ends when its parent does: the reader
/// sees the closed pipe even while a step is being computed. (A parent-death signal would be tied to the
/// *thread* that forked us, and an async runtime may retire that thread while the parent lives.)
///
/// Gives up, for good and first of all, what reading a model and computing do not need; to be called while the
/// process has no other thread.
pub fn run_stdio(config: &ServeConfig) -> Result<(), Error> {
    #[cfg(target_os = "linux")]
    let unconfined = crate::confine::enter(config);
    #[cfg(not(target_os = "linux"))]
    let unconfined = vec!["this system has no confinement for engines".to_owned()];
    serve(config, std::io::stdin(), std::io::stdout().lock(), unconfined, leave)
}

/// Ends the process without llama.cpp's destructors, which would pull the ground from under a thread that computes
/// or still loads.
fn leave() {
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "no safe name for it")]
    // SAFETY: runs no code of this process any more.
    unsafe {
        libc::_exit(0)
    }
    #[cfg(not(unix))]
    std::process::exit(0)
}

/// Serves any pair of byte streams; returns when `input` ends.
pub fn run(config: &ServeConfig, input: impl Read + Send + 'static, output: impl Write) -> Result<(), Error> {
    serve(config, input, output, vec!["the engine runs within its caller".to_owned()], || {})
}

enum Inbound {
    Ask(Box<Ask>),
    Bad(Error),
}

fn serve(
    config: &ServeConfig,
    input: impl Read + Send + 'static,
    mut output: impl Write,
    unconfined: Vec<String>,
    at_end: impl FnOnce() + Send + 'static,
) -> Result<(), Error> {
    let (sender, inbox) = sync_channel(INBOX_LINES);
    thread::Builder::new()
        .name("frames".into())
        .spawn(move || {
            read_lines(input, &sender);
            at_end();
        })
        .map_err(|error| Error::protocol(format!("no reader thread: {error}")))?;
    let outcome = Loaded::open(config).and_then(|loaded| {
        let mut batcher = Batcher::new(&loaded)?;
        let capabilities = Capabilities { unconfined, ..batcher.capabilities().clone() };
        tell(&mut output, &[Tell::Ready { protocol: PROTOCOL, capabilities }])?;
        answer(&mut batcher, &inbox, &mut output)
    });
    if let Err(error) = &outcome {
        tell(&mut output, &[Tell::Failed { error: error.clone() }])?;
    }
    outcome
}

/// The decoding loop: take in what has come, then advance everybody by one token. A step that had nothing to tell
/// (it read a part of a prompt) says at least that we live.
fn answer(
    batcher: &mut Batcher<'_>,
    inbox: &Receiver<Inbound>,
    output: &mut impl Write,
) -> Result<(), Error> {
    let mut told_at = Instant::now();
    loop {
        if batcher.is_idle() {
            let Ok(first) = inbox.recv() else { return Ok(()) };
            tell(output, &take(batcher, first))?;
        }
        loop {
            match inbox.try_recv() {
                Ok(next) => tell(output, &take(batcher, next))?,
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
        let mut tells = batcher.step();
        if tells.is_empty() && told_at.elapsed() >= ALIVE_EVERY {
            tells.push(Tell::Alive);
        }
        if !tells.is_empty() {
            told_at = Instant::now();
        }
        tell(output, &tells)?;
    }
}

fn take(batcher: &mut Batcher<'_>, inbound: Inbound) -> Vec<Tell> {
    let ask = match inbound {
        Inbound::Bad(error) => return vec![Tell::Refused { id: None, error }],
        Inbound::Ask(ask) => *ask,
    };
    let told = match ask {
        Ask::Complete { id, request } => match batcher.submit(id, request) {
            Ok(events) => return events.into_iter().map(|event| Tell::Step { id, event }).collect(),
            Err(error) => Some(Tell::Refused { id: Some(id), error }),
        },
        Ask::Embed { id, request } => Some(match batcher.embed(&request) {
            Ok(embeddings) => Tell::Embedded { id, embeddings },
            Err(error) => Tell::Refused { id: Some(id), error },
        }),
        Ask::Count { id, request } => Some(match batcher.count(&request) {
            Ok(tokens) => Tell::Counted { id, tokens },
            Err(error) => Tell::Refused { id: Some(id), error },
        }),
        Ask::Cancel { id } => batcher.cancel(id).map(|event| Tell::Step { id, event }),
    };
    told.into_iter().collect()
}

fn tell(output: &mut impl Write, tells: &[Tell]) -> Result<(), Error> {
    if tells.is_empty() {
        return Ok(());
    }
    let lines = tells.iter().map(encode).collect::<Result<String, Error>>()?;
    let written = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Error::protocol(format!("the parent does not listen: {error}")))
}

/// Reads until the end, or until a line so long that nothing after it can be trusted.
fn read_lines(input: impl Read, inbox: &SyncSender<Inbound>) {
    let mut reader = BufReader::new(input);
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => {
                let cut =
                    Error::protocol(format!("a frame ended after {} bytes without a line end", line.len()));
                // The loop may be gone already; then nobody needs to know.
                let _ = inbox.send(Inbound::Bad(cut));
                return;
            }
        }
        let inbound = match std::str::from_utf8(&line).map_err(|_| Error::protocol("a frame is not UTF-8")) {
            Ok(text) => decode(text.trim_end()).map_or_else(Inbound::Bad, |ask| Inbound::Ask(Box::new(ask))),
            Err(error) => Inbound::Bad(error),
        };
        if inbox.send(inbound).is_err() {
            return;
        }
    }
}
