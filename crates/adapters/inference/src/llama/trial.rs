//! A short trial at start: pages the weights in, and measures what this machine can be expected to do.

use std::time::{Duration, Instant};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use crate::Error;
use crate::capabilities::Speed;

/// Tokens read together, and tokens read one by one: enough to see the speed, over in seconds on slow machines.
const TOGETHER: i32 = 32;
const ONE_BY_ONE: i32 = 4;

/// Measures, and leaves the cache empty.
pub(crate) fn run(context: &mut LlamaContext<'_>) -> Result<Speed, Error> {
    let mut batch = LlamaBatch::new(TOGETHER.unsigned_abs().try_into().unwrap_or(1), 1);
    // The first touch of the weights may wait for the disk: not measured.
    step(context, &mut batch, 0, 1)?;
    let together = step(context, &mut batch, 1, TOGETHER)?;
    let mut alone = Duration::MAX;
    for offset in 0..ONE_BY_ONE {
        alone = alone.min(step(context, &mut batch, 1 + TOGETHER + offset, 1)?);
    }
    context.clear_kv_cache();
    let microseconds = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    Ok(Speed {
        prompt_us_per_token: microseconds(together / TOGETHER.unsigned_abs()),
        output_us_per_token: microseconds(alone),
    })
}

fn step(
    context: &mut LlamaContext<'_>,
    batch: &mut LlamaBatch<'_>,
    position: i32,
    count: i32,
) -> Result<Duration, Error> {
    let failed = |reason: String| Error::EngineCrashed { reason: format!("the trial failed: {reason}") };
    batch.clear();
    for offset in 0..count {
        let token = LlamaToken(offset % 3);
        batch.add(token, position + offset, &[0], offset + 1 == count).map_err(|e| failed(e.to_string()))?;
    }
    let since = Instant::now();
    context.decode(batch).map_err(|error| failed(error.to_string()))?;
    context.synchronize();
    Ok(since.elapsed())
}
