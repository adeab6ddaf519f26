//! Texts to read: no two begin alike, so that nothing read before helps, and all are the same in every run.

use crate::ours::Ours;

const WORDS: [&str; 12] =
    ["def", "value", "return", "list", "index", "for", "name", "sum", "line", "key", "test", "items"];

/// Makes texts of about the wanted lengths.
pub(crate) struct Texts {
    state: u64,
    words: usize,
    wanted: u32,
    fits: bool,
}

impl Texts {
    pub(crate) fn new(wanted: u32) -> Self {
        Self { state: 1, words: usize::try_from(wanted).unwrap_or(0), wanted, fits: false }
    }

    /// About twenty words.
    pub(crate) fn short(&mut self) -> String {
        self.text(20)
    }

    /// As many tokens as wanted, or a few less.
    pub(crate) async fn long(&mut self, ours: &Ours) -> anyhow::Result<String> {
        loop {
            let text = self.text(self.words);
            let tokens = ours.count(&text).await?;
            if self.fits || tokens <= self.wanted {
                self.fits = true;
                return Ok(text);
            }
            self.words = self.words * 19 / 20;
        }
    }

    fn text(&mut self, words: usize) -> String {
        let mut text = String::new();
        for _ in 0..words {
            // Knuth's generator: any will do, and the same in every run.
            self.state =
                self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = usize::try_from(self.state >> 40).unwrap_or(0) % WORDS.len();
            text.push_str(WORDS[place]);
            text.push(' ');
        }
        text
    }
}
