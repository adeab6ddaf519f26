//! A map of a repository for a prompt of few characters: which files and symbols matter for this request.
//! Words of the request find files; references between files carry that interest on to what those use.
//! Deterministic: the same files and the same request give the same map.

mod graph;
mod render;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::symbols::{Outline, Symbol, outline};
use graph::Graph;
use words::{count_words, words};

/// Most files in a map; later ones are left out. A prompt shows some dozens.
pub const MAX_FILES: usize = 20_000;
/// How much of a text without a grammar is read for words, bytes.
const MAX_PROSE_BYTES: usize = 16 * 1024;
/// A word in a path says more about a file than one in its text, a symbol's name something in between.
const PATH_WEIGHT: usize = 5;
const NAME_WEIGHT: usize = 3;
/// The request names the file's path, or a symbol of it, as it is written: more than any overlap of words.
const NAMED_PATH_SCORE: f64 = 50.0;
const NAMED_SYMBOL_SCORE: f64 = 10.0;
/// BM25's usual constants: how soon repetition saturates, how much long files are discounted.
const SATURATION: f64 = 1.2;
const LENGTH_DISCOUNT: f64 = 0.75;

/// One file of the map.
#[derive(Debug)]
struct MapFile {
    path: String,
    outline: Outline,
    words: BTreeMap<String, usize>,
    length: usize,
}

/// What a repository contains, ready to be ranked for any number of requests.
#[derive(Debug)]
pub struct RepoMap {
    files: Vec<MapFile>,
    /// In how many files a word occurs.
    spread: BTreeMap<String, usize>,
    graph: Graph,
    average_length: f64,
}

/// A file and how much it matters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedFile {
    /// The file.
    pub path: String,
    /// Share of the interest in the whole repository; all shares add up to 1.
    pub score: f64,
    /// Its symbols in the order of the text, each with its weight inside the file.
    pub symbols: Vec<RankedSymbol>,
}

/// A symbol and how much it matters inside its file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedSymbol {
    /// The symbol.
    pub symbol: Symbol,
    /// Larger is more; comparable only within one file.
    pub score: f64,
}

/// Files in falling order of interest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// All files of the map.
    pub files: Vec<RankedFile>,
}

impl RepoMap {
    /// Reads `files` (path, text); parses on all cores.
    pub fn build(files: impl Iterator<Item = (String, String)>) -> Self {
        let mut texts: Vec<_> = files.take(MAX_FILES).collect();
        texts.sort_unstable();
        texts.dedup_by(|a, b| a.0 == b.0);
        let files = read_all(&texts);
        let mut spread: BTreeMap<String, usize> = BTreeMap::new();
        for word in files.iter().flat_map(|file| file.words.keys()) {
            *spread.entry(word.clone()).or_default() += 1;
        }
        let total: usize = files.iter().map(|file| file.length).sum();
        let average_length = (as_f64(total) / as_f64(files.len().max(1))).max(1.0);
        let graph = Graph::new(files.iter().map(|file| &file.outline));
        Self { files, spread, graph, average_length }
    }

    /// Orders everything by its interest for `request`.
    pub fn rank(&self, request: &str) -> Ranking {
        let wanted: BTreeSet<String> = words(request).collect();
        let named: BTreeSet<&str> = request.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let interest: Vec<f64> =
            self.files.iter().map(|file| self.interest(file, &wanted, &named, request)).collect();
        let shares = self.graph.spread(&interest);
        let mut files: Vec<_> = self
            .files
            .iter()
            .zip(shares)
            .enumerate()
            .map(|(index, (file, score))| RankedFile {
                path: file.path.clone(),
                score,
                symbols: self.rank_symbols(index, &wanted, &named),
            })
            .collect();
        files.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(&b.path)));
        Ranking { files }
    }

    /// How much the file itself has to do with the request (BM25, plus what is named outright).
    fn interest(
        &self,
        file: &MapFile,
        wanted: &BTreeSet<String>,
        named: &BTreeSet<&str>,
        request: &str,
    ) -> f64 {
        let length = as_f64(file.length) / self.average_length;
        let discount = SATURATION * (1.0 - LENGTH_DISCOUNT + LENGTH_DISCOUNT * length);
        let overlap: f64 = wanted
            .iter()
            .filter_map(|word| file.words.get(word).map(|count| (word, as_f64(*count))))
            .map(|(word, count)| self.rarity(word) * count / (count + discount))
            .sum();
        let symbols = file.outline.symbols.iter().filter(|symbol| is_named(&symbol.name, named)).count();
        let path = if mentions_path(request, &file.path) { NAMED_PATH_SCORE } else { 0.0 };
        overlap + path + as_f64(symbols.min(3)) * NAMED_SYMBOL_SCORE
    }

    fn rank_symbols(
        &self,
        file: usize,
        wanted: &BTreeSet<String>,
        named: &BTreeSet<&str>,
    ) -> Vec<RankedSymbol> {
        let score = |symbol: &Symbol| {
            let overlap: f64 =
                words(&symbol.name).filter(|word| wanted.contains(word)).map(|word| self.rarity(&word)).sum();
            let named = if is_named(&symbol.name, named) { NAMED_SYMBOL_SCORE } else { 0.0 };
            let used = as_f64(self.graph.users(&symbol.name, file)).ln_1p();
            // What stands outside of types is seen first by who uses the file.
            let outer = if symbol.parent.is_none() { 0.5 } else { 0.0 };
            overlap + named + used + outer
        };
        let symbols = &self.files[file].outline.symbols;
        symbols.iter().map(|symbol| RankedSymbol { symbol: symbol.clone(), score: score(symbol) }).collect()
    }

    /// A word that few files have says more.
    fn rarity(&self, word: &str) -> f64 {
        let files = as_f64(self.files.len());
        let having = as_f64(self.spread.get(word).copied().unwrap_or_default());
        ((files - having + 0.5) / (having + 0.5)).ln_1p()
    }
}

impl Ranking {
    /// A compact listing of at most `budget_chars` characters: paths, and below each its weightiest symbols
    /// in the order of the text, with line numbers.
    pub fn render(&self, budget_chars: usize) -> String {
        render::render(&self.files, budget_chars)
    }
}

fn read_all(texts: &[(String, String)]) -> Vec<MapFile> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut read = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, text)) = texts.get(index) else { return read };
            read.push((index, read_file(path, text)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(texts.len().max(1));
    let mut files: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut files = work();
        for other in others {
            match other.join() {
                Ok(read) => files.extend(read),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        files
    });
    files.sort_unstable_by_key(|(index, _)| *index);
    files.into_iter().map(|(_, file)| file).collect()
}

fn read_file(path: &str, text: &str) -> MapFile {
    let outline = outline(path, text);
    let mut words = BTreeMap::new();
    count_words(path, PATH_WEIGHT, &mut words);
    for symbol in &outline.symbols {
        count_words(&symbol.name, NAME_WEIGHT, &mut words);
    }
    for (name, count) in &outline.references {
        count_words(name, *count, &mut words);
    }
    if outline.references.is_empty() {
        count_words(&text[..text.floor_char_boundary(MAX_PROSE_BYTES)], 1, &mut words);
    }
    let length = words.values().sum();
    MapFile { path: path.to_owned(), outline, words, length }
}

/// Words of prose are no names: only what looks like an identifier, or is long enough to be one.
fn is_named(name: &str, named: &BTreeSet<&str>) -> bool {
    name.len() > 2 && named.contains(name)
}

/// Whether the request names the file, by its path or by its last component.
fn mentions_path(request: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains('.')
        && request.match_indices(name).any(|(at, _)| {
            let before = request[..at].chars().next_back();
            let after = request[at + name.len()..].chars().next();
            let inside_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !inside_word(before) && !inside_word(after)
        })
}

#[expect(clippy::cast_precision_loss, reason = "counts of words and files stay far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
