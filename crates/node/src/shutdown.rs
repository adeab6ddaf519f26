//! From signals to an orderly end: the first asks, the second insists.

use tokio_util::sync::CancellationToken;

/// Exit status of a program ended by Ctrl-C, as shells expect it.
const INTERRUPTED: i32 = 130;

/// Cancels `shutdown` at the first SIGINT or SIGTERM and leaves at once at the second. Never returns otherwise;
/// meant for an owner's `JoinSet`.
pub(crate) async fn on_signals(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut signals = Signals::new()?;
    signals.next().await;
    tracing::info!("stopping; once more to leave at once");
    shutdown.cancel();
    signals.next().await;
    std::process::exit(INTERRUPTED);
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _gone = tokio::signal::ctrl_c().await;
    }
}
