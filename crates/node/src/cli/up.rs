//! `edgecoder up`, and the children that a node starts.

use super::{Context, EngineArgs, WorkerArgs};
use crate::error::{Error, Exit};

pub(super) async fn run(context: Context) -> Result<Exit, Error> {
    crate::telemetry::start(&context.loaded.config.telemetry, &context.env);
    let _lock = context.data.lock()?;
    Err(Error::Unsupported("this build has no roles yet"))
}

pub(super) async fn worker(context: Context, _args: WorkerArgs) -> Result<Exit, Error> {
    crate::supervise::die_with_parent();
    crate::telemetry::start(&context.loaded.config.telemetry, &context.env);
    Err(Error::Unsupported("this build has no worker yet"))
}

pub(super) async fn engine(_args: EngineArgs) -> Result<Exit, Error> {
    Err(Error::Unsupported("this build has no engine yet"))
}
