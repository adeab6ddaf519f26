//! A pack of blobs as a client sends it: refused whole, or every byte of it accounted for.
#![no_main]

use edgecoder_protocol::api::snapshots::read_pack;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(blobs) = read_pack(bytes) {
        assert_eq!(blobs.iter().map(|blob| blob.len() + 4).sum::<usize>(), bytes.len());
    }
});
