//! `edgecoder model search|suggest`: what there is, and what suits this machine.

use edgecoder_inference::catalog::{Catalog, Fit, Machine, Suggestion, known, suggest};
use serde_json::json;

use super::table::Table;
use super::{SuggestArgs, machine, size, weights};
use crate::error::{Error, Exit, chain};
use crate::output::{Output, Style};

/// Suggestions shown in full; the others are one line each.
const IN_FULL: usize = 3;

pub(super) async fn search(
    out: Output,
    catalog: &Catalog,
    query: &str,
    limit: u32,
    as_json: bool,
) -> Result<Exit, Error> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let matches = |name: &str| words.iter().all(|word| name.to_lowercase().contains(word));
    let built_in: Vec<_> =
        known().iter().filter(|model| matches(&model.name) || matches(&model.repo)).collect();
    let (found, why) = match catalog.search(query, limit).await {
        Ok(found) => (found, None),
        // What is known without the network is still worth showing.
        Err(error) if error.is_offline() => (Vec::new(), Some(chain(&error))),
        Err(error) => return Err(error.into()),
    };
    if as_json {
        out.line(json!({ "built_in": built_in, "hugging_face": found, "offline": why }));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["pull as", "weights", "downloads", "licence"]);
    for model in &built_in {
        table.row([model.name.clone(), weights(model.parameters), String::new(), model.license.clone()]);
    }
    for repo in &found {
        let license = repo.license.clone().unwrap_or_default();
        table.row([format!("hf:{}", repo.id), String::new(), repo.downloads.to_string(), license]);
    }
    if built_in.is_empty() && found.is_empty() {
        out.line("nothing found");
    } else {
        table.print(out);
    }
    if let Some(why) = why {
        out.note(format_args!("only the built-in list was searched: {why}"));
    }
    Ok(Exit::Done)
}

pub(super) fn suggestions(out: Output, catalog: &Catalog, args: SuggestArgs) -> Result<Exit, Error> {
    let Some(memory_bytes) = machine::memory_bytes() else {
        return Err(Error::Usage(
            "how much memory this machine has is not known on this platform".to_owned(),
        ));
    };
    let speed = catalog.store().speed()?.unwrap_or_else(machine::memory_speed);
    let machine = Machine { memory_bytes, speed, context_tokens: args.context, slots: args.slots };
    let all = suggest(&machine, known());
    if args.json.json {
        out.line(json!({ "machine": machine, "suggestions": all }));
        return Ok(Exit::Done);
    }
    for (index, one) in all.iter().enumerate() {
        show(out, one, index < IN_FULL && one.fit != Fit::TooLarge);
    }
    if let Some(best) = all.first().filter(|best| best.fit != Fit::TooLarge) {
        out.note(format_args!(
            "pull the first: edgecoder model pull --use {}:{}",
            best.name, best.quantisation
        ));
    }
    Ok(Exit::Done)
}

fn show(out: Output, one: &Suggestion, in_full: bool) {
    let (word, style) = match one.fit {
        Fit::Good => ("good     ", Style::Good),
        Fit::Slow => ("slow     ", Style::Warn),
        Fit::TooLarge => ("too large", Style::Bad),
    };
    let name = format!("{}:{}", one.name, one.quantisation);
    let size = size(one.size_bytes);
    out.line(format_args!("{}  {name:<32}  about {size}", out.paint(style, word)));
    for reason in one.reasons.iter().filter(|_| in_full) {
        out.line(out.fold("             ", reason));
    }
}
