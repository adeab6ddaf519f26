//! `edgecoder acp`: the companion for editors that speak the Agent Client Protocol over standard streams. Everything is
//! done by the node that runs; this process translates and remembers nothing that the node does not keep.

mod messages;
mod prompt;
mod server;
mod updates;
mod wire;

use tokio_util::sync::CancellationToken;

use super::Context;
use crate::config::Origin;
use crate::error::{Error, Exit};

/// Serves until the editor closes our input.
pub(super) async fn run(context: Context) -> Result<Exit, Error> {
    let mut settings = context.loaded.config.telemetry.clone();
    if context.loaded.origin("telemetry.log") == Origin::Default {
        // Editors show what we log to people who did not ask for it.
        "error".clone_into(&mut settings.log);
    }
    let telemetry = crate::telemetry::start(&settings, &context.env, "acp");
    let stop = CancellationToken::new();
    let mut signals = tokio::task::JoinSet::new();
    signals.spawn(crate::shutdown::on_signals(stop.clone()));
    let served = server::serve(context, tokio::io::stdin(), tokio::io::stdout(), stop).await;
    telemetry.close().await;
    served.map_err(Error::io("serve", "standard streams"))?;
    Ok(Exit::Done)
}
