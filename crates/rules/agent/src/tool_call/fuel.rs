//! A bound on the work of one reading: hostile text must not cost more than a few passes over it.

use std::cell::Cell;

/// Bytes that may still be looked at, shared by all parsers of one reading.
#[derive(Debug)]
pub(super) struct Fuel(Cell<usize>);

/// Passes over the text; well-formed calls need two or three.
const PASSES: usize = 48;

/// Enough for any short text.
const FLOOR: usize = 1 << 16;

impl Fuel {
    pub(super) fn of(text: &str) -> Self {
        Self(Cell::new(text.len().saturating_mul(PASSES).saturating_add(FLOOR)))
    }

    /// Takes `bytes` away; false when nothing is left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().saturating_sub(bytes.max(1));
        self.0.set(left);
        left > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }
}
