//! Budgets for files and functions: a table to look at, and a few bounds that fail.

use std::fmt;

use super::Breach;
use super::source::SourceFile;

const FILE_LIMIT_LINES: usize = 800;
const FUNCTION_LIMIT_LINES: usize = 120;
/// Functions above this are counted in the table.
const LONG_FUNCTION_LINES: usize = 70;

pub(crate) fn check(files: &[SourceFile]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files {
        let lines = file.production_lines();
        if lines > FILE_LIMIT_LINES {
            let sentence =
                format!("{lines} production lines, at most {FILE_LIMIT_LINES}: split it by concept");
            breaches.push(Breach::new(&file.path, sentence));
        }
        for function in &file.outline.functions {
            if function.lines > FUNCTION_LIMIT_LINES && !function.is_test && !file.is_test {
                let sentence = format!(
                    "`{}` has {} lines, at most {FUNCTION_LIMIT_LINES}: split it by concept",
                    function.name, function.lines
                );
                breaches.push(Breach::new(format!("{}:{}", file.path, function.line), sentence));
            }
        }
    }
    breaches
}

/// How the production code is distributed.
#[derive(Debug)]
pub(crate) struct Table {
    files: Spread,
    functions: Spread,
    long_functions: usize,
}

/// Sorted sizes with the name of the largest.
#[derive(Debug)]
struct Spread {
    sizes: Vec<usize>,
    largest: String,
}

impl Table {
    pub(crate) fn of(files: &[SourceFile]) -> Self {
        let product = || files.iter().filter(|file| !file.is_test);
        let functions: Vec<(usize, String)> = product()
            .flat_map(|file| {
                let functions = file.outline.functions.iter().filter(|function| !function.is_test);
                functions.map(|function| (function.lines, format!("{} in {}", function.name, file.path)))
            })
            .collect();
        Self {
            long_functions: functions.iter().filter(|(lines, _)| *lines > LONG_FUNCTION_LINES).count(),
            files: Spread::of(product().map(|file| (file.production_lines(), file.path.clone())).collect()),
            functions: Spread::of(functions),
        }
    }
}

impl Spread {
    fn of(mut sized: Vec<(usize, String)>) -> Self {
        sized.sort();
        let largest = sized.last().map(|(_, name)| name.clone()).unwrap_or_default();
        Self { sizes: sized.into_iter().map(|(size, _)| size).collect(), largest }
    }

    /// The size that `percent` of all stay within.
    fn percentile(&self, percent: usize) -> usize {
        let last = self.sizes.len().saturating_sub(1);
        self.sizes.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:>6} {:>7} {:>6} {:>6}  largest", "lines per", "count", "median", "p90", "max")?;
        let rows = [("file", &self.files, "180", "400"), ("function", &self.functions, "10", "35")];
        for (what, spread, median, p90) in rows {
            writeln!(
                f,
                "{what:<10} {:>6} {:>7} {:>6} {:>6}  {} (wanted: median {median}, p90 {p90})",
                spread.sizes.len(),
                spread.percentile(50),
                spread.percentile(90),
                spread.percentile(100),
                spread.largest,
            )?;
        }
        writeln!(
            f,
            "functions above {LONG_FUNCTION_LINES} lines: {} (wanted: at most 2 %)",
            self.long_functions
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let breaches = super::check(&[SourceFile::parse(path, text)]);
        let places: Vec<&str> = breaches.iter().map(|breach| breach.place.as_str()).collect();
        assert_eq!(places, expected);
    }

    #[test]
    fn files_and_functions_have_an_end() {
        let long_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LIMIT_LINES));
        check("crates/a/src/lib.rs", &long_function, &["crates/a/src/lib.rs:1"]);
        check("crates/a/tests/all.rs", &long_function, &[]);
        check("crates/a/src/lib.rs", &format!("#[cfg(test)]\nmod t {{\n{long_function}}}"), &[]);
        let long_file = "const A: u8 = 1;\n".repeat(FILE_LIMIT_LINES + 1);
        check("crates/a/src/lib.rs", &long_file, &["crates/a/src/lib.rs"]);
    }

    #[test]
    fn the_table_shows_the_spread() {
        let spread = Spread::of((1..=11).map(|size| (size, format!("f{size}"))).collect());
        assert_eq!((spread.percentile(50), spread.percentile(90), spread.percentile(100)), (6, 10, 11));
        assert_eq!(spread.largest, "f11");
        assert_eq!(Spread::of(Vec::new()).percentile(50), 0);
    }
}
