//! How much memory this machine has, and how fast it is: what limits the speed of a model without an accelerator.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use edgecoder_inference::catalog::Speed;

/// Copied at once by each thread: far more than any cache holds.
const BLOCK_BYTES: usize = 64 << 20;
/// Long enough to be beyond the noise, short enough not to be noticed.
const MEASURE_FOR: Duration = Duration::from_millis(150);

/// All memory of the machine.
pub(super) fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().split(' ').next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The speed of memory, by copying some of it on all processors.
pub(super) fn memory_speed() -> Speed {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let bytes_per_second: u64 = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(copy)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    Speed::Memory { bytes_per_second }
}

/// Bytes per second that one thread reads and writes.
fn copy() -> u64 {
    let (from, mut to) = (vec![1_u8; BLOCK_BYTES], vec![2_u8; BLOCK_BYTES]);
    let began = Instant::now();
    let mut bytes = 0_u128;
    while began.elapsed() < MEASURE_FOR {
        black_box(&mut to).copy_from_slice(black_box(&from));
        bytes += 2 * BLOCK_BYTES as u128;
    }
    u64::try_from(bytes * 1_000_000 / began.elapsed().as_micros().max(1)).unwrap_or(u64::MAX)
}
