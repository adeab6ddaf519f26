//! How soon a place's first words come, estimated from the last few: cheap, and soon right again after a change.

/// Samples before an estimate is worth anything.
const ENOUGH_SAMPLES: u32 = 3;
/// Weight of a new sample, one part in five.
const WEIGHT: u64 = 5;
/// The 95th percentile as a multiple of the mean, in tenths: measured on model servers, 1.8.
const P95_TENTHS: u64 = 18;

/// A moving mean of times to the first word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    mean_us: u64,
    samples: u32,
}

impl Latency {
    /// With one more time, milliseconds.
    #[must_use]
    pub const fn with(self, took_ms: u32) -> Self {
        let took_us = (took_ms as u64).saturating_mul(1_000);
        let mean_us = if self.samples == 0 {
            took_us
        } else {
            // The difference is weighed, so that no product can overflow.
            let (less, more) = (self.mean_us / WEIGHT, took_us / WEIGHT);
            self.mean_us.saturating_sub(less).saturating_add(more)
        };
        Self { mean_us, samples: self.samples.saturating_add(1) }
    }

    /// The time within which 95 of 100 first words come, milliseconds; nothing while too little is known.
    pub fn p95_ms(self) -> Option<u32> {
        let p95 = self.mean_us.saturating_mul(P95_TENTHS) / 10_000;
        (self.samples >= ENOUGH_SAMPLES).then(|| u32::try_from(p95).unwrap_or(u32::MAX))
    }

    /// Times seen.
    pub const fn samples(self) -> u32 {
        self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[u32], expected: Option<u32>) {
        let latency = times.iter().fold(Latency::default(), |latency, &took| latency.with(took));
        assert_eq!(latency.p95_ms(), expected, "{times:?}");
    }

    #[test]
    fn three_times_make_an_estimate_and_new_ones_move_it() {
        check(&[], None);
        check(&[100, 100], None);
        check(&[100, 100, 100], Some(180));
        check(&[100, 100, 100, 600], Some(360));
        check(&[0; 9], Some(0));
        check(&[u32::MAX; 4], Some(u32::MAX));
    }
}
