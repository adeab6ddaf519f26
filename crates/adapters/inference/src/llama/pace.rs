//! How many tokens one step takes, so that no step lasts long: between steps a cancellation is seen and the
//! parent hears that the child lives.

use std::time::Duration;

/// Most tokens of a step: large enough that reading a prompt is as fast as the machine can.
pub(crate) const STEP_TOKENS: usize = 512;
/// Fewer read a prompt at a fraction of the speed.
const LEAST_STEP_TOKENS: usize = 32;
/// A step shall last no longer.
const STEP_WITHIN: Duration = Duration::from_secs(2);

/// The present size of a step.
#[derive(Debug)]
pub(crate) struct Pace {
    tokens: usize,
}

impl Pace {
    /// From the speed of a trial. Powers of two, so that a machine keeps its pace from start to start: how a
    /// prompt is cut into steps shows in the last bit of its numbers.
    pub(crate) fn new(prompt_us_per_token: u32) -> Self {
        let mut tokens = STEP_TOKENS;
        while tokens > LEAST_STEP_TOKENS && lasts(tokens, prompt_us_per_token) > STEP_WITHIN {
            tokens /= 2;
        }
        Self { tokens }
    }

    pub(crate) const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Shorter steps from now on, after one that lasted much too long.
    pub(crate) fn observe(&mut self, read: usize, lasted: Duration) {
        if lasted > STEP_WITHIN * 2 && read > self.tokens / 2 && self.tokens > LEAST_STEP_TOKENS {
            self.tokens /= 2;
            tracing::info!(tokens = self.tokens, ?lasted, "shorter steps");
        }
    }
}

fn lasts(tokens: usize, us_per_token: u32) -> Duration {
    Duration::from_micros(u64::from(us_per_token) * u64::try_from(tokens).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_machines_take_shorter_steps() {
        for (us_per_token, tokens) in [(0, 512), (3_900, 512), (4_000, 256), (30_000, 64), (1_000_000, 32)] {
            assert_eq!(Pace::new(us_per_token).tokens(), tokens, "{us_per_token}");
        }
    }

    #[test]
    fn one_step_that_lasts_too_long_shortens_the_next() {
        let mut pace = Pace::new(0);
        pace.observe(512, Duration::from_secs(1));
        pace.observe(1, Duration::from_secs(60));
        assert_eq!(pace.tokens(), 512);
        for _ in 0..9 {
            pace.observe(pace.tokens(), Duration::from_secs(60));
        }
        assert_eq!(pace.tokens(), LEAST_STEP_TOKENS);
    }
}
