//! `edgecoder model use|rm|verify`: what becomes of installed models.

use edgecoder_inference::catalog::{Catalog, CatalogError, ModelName};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Context, RmArgs, UseArgs, size};
use crate::config::{EngineKind, Origin};
use crate::error::{Error, Exit, chain};
use crate::output::{Style, harmless};

/// The shipped model, as a running node knows it.
const SHIPPED: &str = "edgecoder-tiny";

pub(super) async fn choose(context: &Context, catalog: &Catalog, args: UseArgs) -> Result<Exit, Error> {
    check_choice_counts(context)?;
    match args.name {
        Some(name) => use_installed(context, catalog, &name, args.json.json).await,
        None => {
            catalog.store().choose_none()?;
            taken(context, "the model that comes with the program", SHIPPED, args.json.json).await
        }
    }
}

pub(super) async fn use_installed(
    context: &Context,
    catalog: &Catalog,
    name: &ModelName,
    as_json: bool,
) -> Result<Exit, Error> {
    let model = catalog.choose(name).await?;
    taken(context, model.name.as_str(), model.name.as_str(), as_json).await
}

/// How the running node took the choice.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Swap {
    /// None runs, or it runs no engine.
    NoNode,
    /// It answers with the model now.
    Ready,
    /// It loads the model, and answers with the former one meanwhile.
    Loading,
    /// It stays with its model.
    Refused(String),
}

/// Tells a person that `what` is chosen, after telling the running node, which knows it as `model`.
async fn taken(context: &Context, what: &str, model: &str, as_json: bool) -> Result<Exit, Error> {
    let out = context.out;
    let swap = swap(context, model).await;
    if as_json {
        let restart_needed = matches!(swap, Swap::Refused(_));
        out.line(json!({ "used": what, "running_node": swap, "restart_needed": restart_needed }));
        return Ok(Exit::Done);
    }
    out.line(format_args!("{} is used from now on", out.paint(Style::Strong, what)));
    match swap {
        Swap::NoNode => {}
        Swap::Ready => out.note("the running node answers with it; nothing was interrupted"),
        Swap::Loading => {
            out.note("the running node is loading it, and answers with the former model meanwhile")
        }
        Swap::Refused(why) => {
            let why = harmless(&why);
            out.note(format_args!("the running node keeps its model until it is restarted: {why}"));
        }
    }
    Ok(Exit::Done)
}

async fn swap(context: &Context, model: &str) -> Swap {
    let client = match context.inference_client() {
        Ok(Some(client)) => client,
        Ok(None) => return Swap::NoNode,
        Err(error) => return Swap::Refused(chain(&error)),
    };
    match client.swap(model).await {
        Ok(reply) => match (reply.status.as_str(), reply.error) {
            ("ready", _) => Swap::Ready,
            ("error", why) => Swap::Refused(why.unwrap_or_default()),
            _ => Swap::Loading,
        },
        Err(error) => Swap::Refused(chain(&error)),
    }
}

/// A choice that the settings overrule would be kept and change nothing: it is refused with the reason.
pub(super) fn check_choice_counts(context: &Context) -> Result<(), Error> {
    let loaded = &context.loaded;
    for key in ["inference.model_path", "inference.engine"] {
        let origin = loaded.origin(key);
        let counts = match key {
            "inference.engine" => loaded.config.inference.engine == EngineKind::Local,
            _ => false,
        };
        if origin != Origin::Default && !counts {
            return Err(Error::Usage(format!(
                "{origin} sets {key}, which goes before a chosen model: remove it there first"
            )));
        }
    }
    Ok(())
}

pub(super) fn remove(context: &Context, catalog: &Catalog, args: &RmArgs) -> Result<Exit, Error> {
    let (out, store) = (context.out, catalog.store());
    let mut freed = 0_u64;
    for name in &args.names {
        let path = store.path_of(&store.get(name)?.sha256);
        let configured = context.loaded.config.inference.model_path.as_ref() == Some(&path);
        if configured && !args.force {
            return Err(CatalogError::InUse { name: name.to_string() }.into());
        }
        freed += store.remove(name, args.force)?;
        if !args.json.json {
            out.line(format_args!("removed {name}"));
        }
    }
    for part in store.unfinished()?.iter().filter(|_| args.unfinished) {
        part.remove()?;
        freed += part.completed;
        if !args.json.json {
            out.line(format_args!("removed what was pulled of {}", harmless(&part.source)));
        }
    }
    if args.json.json {
        out.line(json!({ "freed_bytes": freed }));
    } else {
        out.note(format_args!("{} are free again", size(freed)));
    }
    Ok(Exit::Done)
}

pub(super) async fn verify(
    context: &Context,
    catalog: &Catalog,
    names: Vec<ModelName>,
    as_json: bool,
) -> Result<Exit, Error> {
    let out = context.out;
    let all = || Ok::<_, Error>(catalog.store().list()?.into_iter().map(|model| model.name).collect());
    let names: Vec<ModelName> = if names.is_empty() { all()? } else { names };
    let cancel = CancellationToken::new();
    let mut bad = 0_usize;
    for name in &names {
        let outcome = catalog.verify(name, &cancel).await;
        bad += usize::from(outcome.is_err());
        let why = outcome.err().map(|error| chain(&error));
        if as_json {
            out.line(json!({ "name": name, "ok": why.is_none(), "reason": why }));
            continue;
        }
        match why {
            None => out.line(format_args!("{}  {name}", out.paint(Style::Good, "ok "))),
            Some(why) => {
                out.line(format_args!("{}  {name}: {}", out.paint(Style::Bad, "BAD"), harmless(&why)))
            }
        }
    }
    if bad > 0 {
        out.note("remove a bad model and pull it again: edgecoder model rm --force NAME");
        return Err(Error::Unhealthy(bad));
    }
    if names.is_empty() && !as_json {
        out.line("no models are installed");
    }
    Ok(Exit::Done)
}
