//! The body of a completion from an inference door, however it is cut: a stream that ends.
#![no_main]

use std::time::Duration;

use edgecoder_inference::codec::decode_stream;
use futures::StreamExt;
use libfuzzer_sys::fuzz_target;
use tokio_util::sync::CancellationToken;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let chunks: Vec<_> = bytes.chunks(usize::from(size) + 1).map(|chunk| Ok(chunk.to_vec())).collect();
    let chunks = futures::stream::iter(chunks);
    runtime.block_on(async {
        let events = decode_stream(chunks, CancellationToken::new(), Duration::from_secs(60));
        let _events: Vec<_> = events.collect().await;
    });
});
