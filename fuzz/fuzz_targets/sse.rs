//! Server-sent events, however the bytes are cut: the same events.
#![no_main]

use edgecoder_net::sse::{SseEvent, SseSplitter};
use libfuzzer_sys::fuzz_target;

fn events<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<SseEvent> {
    let mut splitter = SseSplitter::default();
    chunks.filter_map(|chunk| splitter.push(chunk).ok()).flatten().collect()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    assert_eq!(events(bytes.chunks(usize::from(size) + 1)), events(std::iter::once(bytes)));
});
