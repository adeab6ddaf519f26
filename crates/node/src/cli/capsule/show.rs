//! Capsules and plans as people and programs read them.

use edgecoder_worker::capsule::{Baseline, Kept, Note, Origin, Planned, Traffic};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::output::{Output, Style, harmless};

/// Files of a plan that are named; a workspace of crates may have hundreds.
const NAMED_INPUTS: usize = 5;

pub(super) fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

pub(super) fn list(out: Output, all: &[Kept], as_json: bool) {
    if as_json {
        return out.line(json!({ "capsules": all.iter().map(value).collect::<Vec<_>>() }));
    }
    if all.is_empty() {
        return out.note("no capsules yet: edgecoder capsule build --repo DIR");
    }
    for kept in all {
        let recipe = &kept.card.recipe;
        let first = recipe.inputs.first().map(|input| input.path.as_str()).unwrap_or_default();
        let line = format!(
            "{}  {:<7} {:>11}  {:<24} {}",
            kept.hash.short(),
            recipe.kind,
            size(kept.card.bytes),
            state(kept),
            harmless(first)
        );
        out.line(out.fit(&line));
    }
}

pub(super) fn one(out: Output, kept: &Kept, as_json: bool) {
    if as_json {
        return out.line(value(kept));
    }
    let (card, recipe) = (&kept.card, &kept.card.recipe);
    let tools: Vec<String> =
        recipe.tools.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    out.line(out.paint(Style::Strong, kept.hash));
    out.line(format_args!("  kind      {}, shown at {}", recipe.kind, recipe.kind.mount()));
    out.line(format_args!("  recipe    {}", recipe.identity()));
    out.line(format_args!("  tools     {} on {}", harmless(&tools.join(", ")), harmless(&recipe.platform)));
    out.line(format_args!("  size      {} in {} files", size(card.bytes), card.entries));
    let origin = match card.origin {
        Origin::Built => "built here",
        Origin::Imported => "imported",
    };
    out.line(format_args!("  origin    {origin}, {}", card.at));
    out.line(format_args!("  state     {}", state(kept)));
    for input in &recipe.inputs {
        out.line(format_args!("  from      {} {}", harmless(&input.path), input.hash.short()));
    }
    notes(out, &recipe.notes);
    if let Some(mark) = kept.mark.as_ref().filter(|mark| !mark.said.is_empty()) {
        out.line(format_args!("\n$ {}\n{}", harmless(&mark.verifier), harmless(mark.said.trim_end())));
    }
}

/// What attempts make of it.
fn state(kept: &Kept) -> String {
    let Some(mark) = &kept.mark else { return "not tried yet".to_owned() };
    let verdict = mark.baseline.map_or("not tried", Baseline::as_str);
    match (mark.is_usable(), mark.allowed) {
        (true, true) => format!("{verdict}, allowed by you"),
        (true, false) => verdict.to_owned(),
        (false, _) => format!("{verdict}, not used"),
    }
}

fn value(kept: &Kept) -> Value {
    json!({
        "capsule": kept.hash,
        "recipe_identity": kept.card.recipe.identity(),
        "reproducible": kept.card.recipe.is_reproducible(),
        "card": kept.card,
        "mark": kept.mark,
        "usable": kept.mark.as_ref().is_some_and(edgecoder_worker::capsule::Mark::is_usable),
    })
}

/// What would be made, from where, and by what.
pub(super) fn plan(out: Output, plan: &[Planned], as_json: bool) {
    if as_json {
        return out.line(json!({ "plan": plan.iter().map(planned).collect::<Vec<_>>() }));
    }
    for planned in plan {
        let inputs = &planned.ingredients.inputs;
        let mut names: Vec<&str> =
            inputs.iter().take(NAMED_INPUTS).map(|input| input.path.as_str()).collect();
        let more = format!("{} more", inputs.len().saturating_sub(NAMED_INPUTS));
        if inputs.len() > NAMED_INPUTS {
            names.push(&more);
        }
        let title = out.paint(Style::Strong, planned.kind());
        out.line(format_args!("{title}  from {}", harmless(&names.join(", "))));
        match &planned.recipe {
            Ok(recipe) => {
                let tools = recipe.tools.iter().map(|tool| format!("{} {}", tool.name, tool.version));
                out.line(format_args!("  tools      {}", harmless(&tools.collect::<Vec<_>>().join(", "))));
            }
            Err(said) => {
                out.line(format_args!("  cannot be built here: its tools are missing ({})", harmless(said)))
            }
        }
        let hosts: Vec<String> = planned.hosts.iter().map(ToString::to_string).collect();
        out.line(format_args!("  downloads  from {}, and from no other host", hosts.join(", ")));
        out.line("  runs       the package tool and the scripts of packages, in the sandbox; they see the files above only");
        for kept in &planned.kept {
            out.line(format_args!("  here       {} ({})", kept.hash.short(), state(kept)));
        }
        notes(out, &planned.ingredients.notes);
    }
}

fn planned(planned: &Planned) -> Value {
    let recipe = planned.recipe.as_ref();
    json!({
        "kind": planned.kind(),
        "inputs": planned.ingredients.inputs,
        "tools": recipe.map(|recipe| recipe.tools.clone()).ok(),
        "missing": recipe.err(),
        "recipe_identity": recipe.map(edgecoder_worker::capsule::Recipe::identity).ok(),
        "hosts": planned.hosts,
        "notes": planned.ingredients.notes.iter().map(Note::to_string).collect::<Vec<_>>(),
        "here": planned.kept.iter().map(value).collect::<Vec<_>>(),
    })
}

fn notes(out: Output, notes: &[Note]) {
    for note in notes {
        out.line(out.paint(Style::Warn, format_args!("  note       {}", harmless(&note.to_string()))));
    }
}

/// What came through the gate, and what was stopped there.
pub(super) fn traffic(out: Output, traffic: &Traffic) {
    for (host, bytes) in &traffic.received {
        out.note(format_args!("received {} from {host}", size(*bytes)));
    }
    for host in &traffic.refused {
        let text = format!(
            "refused {host}: not among the hosts agreed to; `capsule.hosts` in the settings adds some"
        );
        out.note(out.paint(Style::Warn, harmless(&text)));
    }
}
