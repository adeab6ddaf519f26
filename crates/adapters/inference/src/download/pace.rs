//! How long to wait after a failure: longer each time, never all at once, and as long as the server asks.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use super::DownloadConfig;
use super::web::Fault;

/// The longest time a server may send us away for.
const LONGEST_AWAY: Duration = Duration::from_secs(300);

/// Times a server is asked before anything of a file has come: a person without a network should know soon.
const FIRST_CONTACT: u32 = 4;

/// Pause after `failures` (from 1) in a row. `luck` is 0 to 255: half of the pause is left to chance, so that
/// connections which failed together do not come back together.
pub(super) fn pause(config: &DownloadConfig, failures: u32, asked: Option<Duration>, luck: u8) -> Duration {
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    let full = config.first_pause.saturating_mul(factor).min(config.longest_pause);
    let pause = full / 2 + full * u32::from(luck) / 510;
    asked.map_or(pause, |asked| asked.clamp(pause.min(LONGEST_AWAY), LONGEST_AWAY))
}

/// Chance that nobody needs to guess: the seed of the standard library's hash tables.
pub(super) fn luck() -> u8 {
    RandomState::new().hash_one(0_u8).to_le_bytes()[0]
}

/// Asks until there is an answer, or a failure that lasts, or patience ends.
pub(crate) async fn retried<T, Asked: Future<Output = Result<T, Fault>>>(
    config: &DownloadConfig,
    ask: impl Fn() -> Asked,
) -> Result<T, Fault> {
    let mut failures = 0;
    loop {
        match ask().await {
            Err(Fault::Passing { reason, after }) => {
                failures += 1;
                if failures >= config.attempts.min(FIRST_CONTACT) {
                    return Err(Fault::Passing { reason, after });
                }
                tracing::debug!(failures, reason, "asking again");
                tokio::time::sleep(pause(config, failures, after, luck())).await;
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_heed_the_server() {
        let config = DownloadConfig {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            ..DownloadConfig::default()
        };
        let check = |failures, asked: Option<u64>, luck, expected_ms: u128| {
            let pause = pause(&config, failures, asked.map(Duration::from_secs), luck);
            assert_eq!(pause.as_millis(), expected_ms, "{failures} {asked:?} {luck}");
        };
        check(1, None, 255, 1_000);
        check(1, None, 0, 500);
        check(3, None, 255, 4_000);
        check(40, None, 255, 30_000);
        check(1, Some(20), 0, 20_000);
        check(3, Some(0), 255, 4_000);
        check(1, Some(100_000), 0, 300_000);
    }
}
