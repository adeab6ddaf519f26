//! The house rules that hold by machine, because prose never held them anywhere.

mod floors;
mod names;
mod outline;
mod places;
mod purity;
mod sizes;
mod source;

use std::fmt;
use std::path::Path;

/// One broken rule: where, and the sentence that forbids it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    place: String,
    sentence: String,
}

impl Breach {
    fn new(place: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { place: place.into(), sentence: sentence.into() }
    }
}

/// What one run found; `Display` is what the person sees.
#[derive(Debug)]
pub(crate) struct Report {
    sizes: sizes::Table,
    breaches: Vec<Breach>,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.breaches.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.sizes)?;
        for Breach { place, sentence } in &self.breaches {
            writeln!(f, "{place}: {sentence}")?;
        }
        match self.breaches.len() {
            0 => writeln!(f, "tidy: clean"),
            1 => writeln!(f, "tidy: 1 rule broken"),
            n => writeln!(f, "tidy: {n} rules broken"),
        }
    }
}

/// Runs every check and collects all breaches rather than stopping at the first.
pub(crate) fn run(root: &Path) -> anyhow::Result<Report> {
    let files = source::rust_files(root)?;
    let sizes = sizes::Table::of(&files);
    let mut breaches = floors::check(root)?;
    breaches.extend(purity::check(root)?);
    breaches.extend(sizes::check(&files));
    breaches.extend(names::check(&files));
    breaches.extend(places::check(root)?);
    Ok(Report { sizes, breaches })
}
