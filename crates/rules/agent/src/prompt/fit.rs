//! Making sections fit a number of tokens, visibly: the least important are cut first, and every cut is told.

use crate::budget::estimate;
use crate::event::AgentEvent;
use crate::syntax::clip_middle;

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// For events: "the file src/a.py".
    pub what: String,
    /// Line before the text; empty for none.
    pub title: String,
    /// The text.
    pub text: String,
    /// Lower is cut first.
    pub weight: u8,
    /// Fewest characters that are still of use; below that the section goes as a whole.
    pub least_chars: usize,
}

impl Section {
    fn rendered(&self) -> String {
        if self.title.is_empty() { self.text.clone() } else { format!("{}\n{}", self.title, self.text) }
    }
}

/// The sections joined by blank lines, within `tokens`; none if even the most important cannot be kept.
pub fn fit(mut sections: Vec<Section>, tokens: u32, events: &mut Vec<AgentEvent>) -> Option<String> {
    sections.retain(|section| !section.text.trim().is_empty());
    loop {
        let whole = joined(&sections);
        let used = estimate(&whole);
        if used <= tokens {
            return Some(whole);
        }
        let over_chars = (used - tokens) as usize * 3 + 60;
        let at = (0..sections.len())
            .min_by_key(|at| (sections[*at].weight, usize::MAX - sections[*at].text.len()))?;
        let section = &mut sections[at];
        let from = section.text.chars().count();
        let to = from.saturating_sub(over_chars);
        let what = section.what.clone();
        let kept = if to < section.least_chars.max(1) { 0 } else { to };
        if kept == 0 {
            let last = sections.len() == 1;
            sections.remove(at);
            if last {
                return None;
            }
        } else {
            section.text = clip_middle(&section.text, kept);
            section.weight = section.weight.saturating_add(1); // the next cut may be elsewhere
        }
        let chars = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        events.push(AgentEvent::Truncated { what, from_chars: chars(from), to_chars: chars(kept) });
    }
}

fn joined(sections: &[Section]) -> String {
    sections.iter().map(Section::rendered).collect::<Vec<_>>().join("\n\n")
}
