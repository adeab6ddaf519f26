//! Who uses whom: an edge from each file to the files that define what it mentions. Interest in a file
//! spreads along the edges, as in personalised PageRank.

use std::collections::{BTreeMap, BTreeSet};

use super::as_f64;
use crate::symbols::Outline;

/// Share of a file's interest that goes on to what it uses. Web search takes 0.85; a request is about its
/// own words first.
const DAMPING: f64 = 0.5;
/// After this many rounds what still moves is a thousandth.
const ROUNDS: usize = 12;
/// A name that more files define is no reference to any of them (`new`, `main`, `get`).
const MAX_DEFINERS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Graph {
    /// For each file what it uses, with weights that add up to 1.
    edges: Vec<Vec<(usize, f64)>>,
    /// Which files mention a name that some file defines.
    users: BTreeMap<String, BTreeSet<usize>>,
}

impl Graph {
    pub(super) fn new<'a>(files: impl Iterator<Item = &'a Outline> + Clone) -> Self {
        let mut definers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (index, file) in files.clone().enumerate() {
            for symbol in &file.symbols {
                definers.entry(&symbol.name).or_default().insert(index);
            }
        }
        let mut graph = Self::default();
        for (index, file) in files.enumerate() {
            let mut weights: BTreeMap<usize, f64> = BTreeMap::new();
            for (name, count) in &file.references {
                let Some(defined_in) = definers.get(name.as_str()) else { continue };
                graph.users.entry(name.clone()).or_default().insert(index);
                if defined_in.len() > MAX_DEFINERS || defined_in.contains(&index) {
                    continue;
                }
                let weight = as_f64(*count).sqrt() / as_f64(defined_in.len());
                for definer in defined_in {
                    *weights.entry(*definer).or_default() += weight;
                }
            }
            let total: f64 = weights.values().sum();
            graph.edges.push(weights.into_iter().map(|(to, weight)| (to, weight / total)).collect());
        }
        graph
    }

    /// How many files other than `file` mention `name`.
    pub(super) fn users(&self, name: &str, file: usize) -> usize {
        self.users.get(name).map_or(0, |users| users.len() - usize::from(users.contains(&file)))
    }

    /// Shares that add up to 1: the interest itself, and what flows from it along the edges.
    pub(super) fn spread(&self, interest: &[f64]) -> Vec<f64> {
        let own = normalised(interest);
        let mut shares = own.clone();
        for _ in 0..ROUNDS {
            let mut next: Vec<f64> = own.iter().map(|share| share * (1.0 - DAMPING)).collect();
            for (from, edges) in self.edges.iter().enumerate() {
                if edges.is_empty() {
                    // Uses nothing: its interest stays where the request put it.
                    next[from] += DAMPING * shares[from];
                }
                for (to, weight) in edges {
                    next[*to] += DAMPING * shares[from] * weight;
                }
            }
            shares = next;
        }
        shares
    }
}

/// Shares of 1; equal ones when nothing is of interest.
fn normalised(interest: &[f64]) -> Vec<f64> {
    let total: f64 = interest.iter().sum();
    if total > 0.0 {
        return interest.iter().map(|one| one / total).collect();
    }
    vec![1.0 / as_f64(interest.len().max(1)); interest.len()]
}
