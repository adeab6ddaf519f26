//! Which bytes are there and which are missing: pure bookkeeping.

use std::ops::Range;

/// Disjoint ranges in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Adds a range, joined with those it touches.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut joined = range;
        self.0.retain(|known| {
            let touches = known.start <= joined.end && joined.start <= known.end;
            if touches {
                joined = joined.start.min(known.start)..joined.end.max(known.end);
            }
            !touches
        });
        let at = self.0.partition_point(|known| known.start < joined.start);
        self.0.insert(at, joined);
    }

    /// Bytes in all ranges.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether everything up to `size` is there.
    pub(crate) fn is_whole(&self, size: u64) -> bool {
        self.bytes() == size && self.0.iter().all(|range| range.end <= size)
    }

    /// The first missing stretch below `size` that nobody in `busy` is about to bring, at most `longest` bytes.
    pub(crate) fn next_gap(&self, size: u64, busy: &[Range<u64>], longest: u64) -> Option<Range<u64>> {
        let mut taken = self.clone();
        busy.iter().cloned().for_each(|range| taken.add(range));
        let start = taken.0.first().filter(|first| first.start == 0).map_or(0, |first| first.end);
        let end = taken.0.iter().find(|range| range.start > start).map_or(size, |range| range.start);
        let end = end.min(size).min(start.saturating_add(longest));
        (start < end).then_some(start..end)
    }

    /// The ranges.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }

    /// All ranges, leaving none.
    pub(crate) fn take(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pairs of start and end: an array of one range looks like a range of one array.
    fn ranges(of: &[(u64, u64)]) -> Ranges {
        let mut all = Ranges::default();
        of.iter().for_each(|(start, end)| all.add(*start..*end));
        all
    }

    #[test]
    fn touching_ranges_become_one() {
        let check = |of: &[(u64, u64)], expected: &[(u64, u64)]| {
            let found: Vec<_> = ranges(of).iter().map(|range| (range.start, range.end)).collect();
            assert_eq!(found, expected);
        };
        check(&[(5, 5)], &[]);
        check(&[(10, 20), (0, 5)], &[(0, 5), (10, 20)]);
        check(&[(10, 20), (0, 5), (5, 10)], &[(0, 20)]);
        check(&[(0, 5), (3, 9), (8, 9), (20, 30), (25, 26)], &[(0, 9), (20, 30)]);
    }

    #[test]
    fn gaps_are_handed_out_in_order() {
        let check = |of: &[(u64, u64)], busy: &[(u64, u64)], expected: Option<Range<u64>>| {
            let busy: Vec<_> = busy.iter().map(|(start, end)| *start..*end).collect();
            assert_eq!(ranges(of).next_gap(100, &busy, 30), expected, "{of:?} {busy:?}");
        };
        check(&[], &[], Some(0..30));
        check(&[], &[(0, 30)], Some(30..60));
        check(&[(0, 10), (20, 40)], &[], Some(10..20));
        check(&[(0, 10), (20, 40)], &[(10, 20)], Some(40..70));
        check(&[(0, 95)], &[], Some(95..100));
        check(&[(0, 95)], &[(95, 100)], None);
        check(&[(0, 100)], &[], None);
        check(&[(50, 200)], &[(0, 50)], None);
    }

    proptest! {
        #[test]
        fn following_the_gaps_makes_it_whole(
            of in proptest::collection::vec((0_u64..200, 0_u64..50), 0..12),
            size in 1_u64..250,
            longest in 1_u64..60,
        ) {
            let of: Vec<_> =
                of.into_iter().map(|(start, length)| (start.min(size), (start + length).min(size))).collect();
            let mut all = ranges(&of);
            let mut steps = 0;
            while let Some(gap) = all.next_gap(size, &[], longest) {
                let before = all.bytes();
                prop_assert!(gap.end - gap.start <= longest && gap.end <= size);
                all.add(gap.clone());
                prop_assert_eq!(all.bytes(), before + (gap.end - gap.start));
                steps += 1;
                prop_assert!(steps < 500);
            }
            prop_assert!(all.is_whole(size));
        }
    }
}
