//! Reading while the model still writes: what is prose for certain may be shown at once, and half a call never
//! leaks into a chat.

use super::mark::{Found, Kind, Marks};
use super::read::{harmless, read};
use super::{Reading, Tool};

/// Held text beyond this is not looked at again before the end, bytes: looking costs its length each time.
const MAX_HELD: usize = 1 << 16;

/// An answer that grows. The reading at its end is the reading of the whole text, however it was cut.
#[derive(Debug)]
pub struct Scanner<'a> {
    tools: &'a [Tool],
    text: String,
    marks: Marks,
    certain: usize,
    /// What the held text may become, if a mark was found.
    held: Option<Kind>,
}

impl<'a> Scanner<'a> {
    /// A scanner for one answer of a model that was offered `tools`.
    pub fn new(tools: &'a [Tool]) -> Self {
        Self { tools, text: String::new(), marks: Marks::default(), certain: 0, held: None }
    }

    /// Takes the next piece of the answer and returns what became certain prose: it follows what was returned
    /// before, without a gap.
    pub fn push(&mut self, piece: &str) -> &str {
        self.text.push_str(piece);
        let from = self.certain;
        if !self.waits_for_more(piece) {
            self.certain = self.certain.max(self.look());
        }
        &self.text[from..self.certain]
    }

    /// How many bytes of the answer are certainly prose.
    pub fn certain(&self) -> usize {
        self.certain
    }

    /// Everything pushed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The answer is whole: what it is, and the rest of it that was not shown yet. That rest is to be shown if
    /// the reading is [`Reading::Prose`].
    pub fn finish(self) -> (Reading, String) {
        let reading = read(&self.text, self.tools);
        (reading, self.text[self.certain..].to_owned())
    }

    /// Whether `piece` cannot change what is held.
    fn waits_for_more(&self, piece: &str) -> bool {
        if self.held.is_some() && self.text.len() - self.certain > MAX_HELD {
            return true;
        }
        match self.held {
            None => false,
            // an object may turn out to be none when it closes, or by what follows it
            Some(Kind::Object | Kind::List) => {
                !piece.contains(['}', ']', '>'])
                    && !self.text.trim_end_matches(piece).ends_with(['}', ']', ' ', '\n'])
            }
            Some(Kind::Wrap | Kind::Close | Kind::Function | Kind::Plain | Kind::Named(_) | Kind::Line) => {
                !piece.contains('>')
            }
        }
    }

    fn look(&mut self) -> usize {
        loop {
            self.held = None;
            match self.marks.next(&self.text, self.tools, false) {
                Found::End => return self.text.len(),
                Found::Unsure(at) => return at,
                Found::Mark(mark) => match harmless(&self.text, &mark, self.tools) {
                    Some(to) => self.marks.pass(to),
                    None => {
                        self.held = Some(mark.kind);
                        return mark.start;
                    }
                },
            }
        }
    }
}
