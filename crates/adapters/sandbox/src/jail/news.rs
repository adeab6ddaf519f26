//! What the processes inside tell the supervisor, over a pipe that closes when the payload starts.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use crate::execution::Exit;
use crate::launch::Failure;

/// Most that is ever said; a full pipe would block the first process.
const MAX_BYTES: u64 = 64 * 1024;

/// One message, one line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// The payload will not start.
    Failed(Failure),
    /// Something about the layers, known only inside.
    Root { overlay: bool, lock_isolation: bool, proc_mounted: bool },
    /// Landlock is in force.
    Landlock(u8),
    /// The payload ended by itself.
    Ended(Exit),
}

/// The sending end. Closed on exec, so only our own code ever holds it.
#[derive(Debug)]
pub(super) struct Sender(File);

impl Sender {
    /// Says one thing. When nobody listens the supervisor is dead, and we die with it.
    pub(super) fn tell(&mut self, news: &News) {
        if let Ok(mut line) = serde_json::to_vec(news) {
            line.push(b'\n');
            let _dead_with_it = self.0.write_all(&line);
        }
    }
}

/// A pipe of news.
pub(super) fn pipe() -> io::Result<(OwnedFd, Sender)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((read, Sender(File::from(write))))
}

/// Everything that was said; to be called when everyone inside is dead.
pub(super) fn hear(from: OwnedFd) -> io::Result<Vec<News>> {
    let mut text = String::new();
    File::from(from).take(MAX_BYTES).read_to_string(&mut text)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
