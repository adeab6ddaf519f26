//! `edgecoder model list`: what is installed, what is on its way, and which one is used.

use edgecoder_inference::catalog::Catalog;
use serde_json::json;

use super::table::Table;
use super::{Context, size, weights};
use crate::error::{Error, Exit};
use crate::output::harmless;

pub(super) fn run(context: &Context, catalog: &Catalog, as_json: bool) -> Result<Exit, Error> {
    let (out, store) = (context.out, catalog.store());
    let (models, chosen, unfinished) = (store.list()?, store.chosen()?, store.unfinished()?);
    let chosen = chosen.map(|model| model.name);
    if as_json {
        let list: Vec<_> = models
            .iter()
            .map(|model| {
                json!({ "model": model, "active": chosen.as_ref() == Some(&model.name),
                        "path": store.path_of(&model.sha256) })
            })
            .collect();
        out.line(json!({ "models": list, "unfinished": unfinished }));
        return Ok(Exit::Done);
    }
    if models.is_empty() {
        out.line("no models pulled yet; the model that comes with the program is used");
        out.note("find one for this machine: edgecoder model suggest");
    } else {
        let mut table = Table::new(&["", "name", "size", "quant", "weights", "window", "kind", "source"]);
        for model in models {
            let active = if chosen.as_ref() == Some(&model.name) { "*" } else { "" };
            let window =
                model.card.context_tokens.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string());
            table.row([
                active.to_owned(),
                model.name.to_string(),
                size(model.size_bytes),
                model.card.quantisation,
                weights(model.card.parameters),
                window,
                model.card.architecture,
                model.source,
            ]);
        }
        table.print(out);
    }
    for part in unfinished {
        let percent = part.completed.saturating_mul(100).checked_div(part.total).unwrap_or_default();
        let source = harmless(&part.source);
        out.line(format_args!("unfinished: {source}  {percent} % of {}", size(part.total)));
        out.note(format_args!("go on: edgecoder model pull '{source}'"));
    }
    Ok(Exit::Done)
}
