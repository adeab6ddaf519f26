//! Aligned columns: as wide as their widest cell, the last one free.

use crate::output::{Output, Style};

/// A title and rows of cells.
#[derive(Debug)]
pub(super) struct Table {
    title: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(title: &[&'static str]) -> Self {
        Self { title: title.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| crate::output::harmless(&cell)).collect());
    }

    /// The lines, title first.
    fn lines(&self) -> Vec<String> {
        let title: Vec<String> = self.title.iter().map(|&cell| cell.to_owned()).collect();
        let all = || std::iter::once(&title).chain(&self.rows);
        let width = |column: usize| {
            all().filter_map(|row| row.get(column)).map(|cell| console::measure_text_width(cell)).max()
        };
        let widths: Vec<usize> = (0..title.len()).map(|column| width(column).unwrap_or_default()).collect();
        all()
            .map(|row| {
                let cells = row.iter().zip(&widths).map(|(cell, width)| {
                    let gap = width.saturating_sub(console::measure_text_width(cell));
                    format!("{cell}{}", " ".repeat(gap))
                });
                cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            })
            .collect()
    }

    pub(super) fn print(&self, out: Output) {
        for (index, line) in self.lines().iter().enumerate() {
            let line = out.fit(line);
            if index == 0 { out.line(out.paint(Style::Faint, line)) } else { out.line(line) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let mut table = Table::new(&["name", "size"]);
        table.row(["a-long-name".to_owned(), "1 GB".to_owned()]);
        table.row(["x\u{1b}".to_owned(), String::new()]);
        assert_eq!(table.lines(), ["name         size", "a-long-name  1 GB", "x\u{fffd}"]);
    }
}
