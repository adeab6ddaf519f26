//! The headers of a signed request: refused, or the same when sent again.
#![no_main]

use edgecoder_protocol::signing::SignedHeaders;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // One header a line: name, colon, value.
    let headers: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let get = |name: &'static str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let Ok(read) = SignedHeaders::read(get) else { return };
    let pairs = read.to_pairs();
    let again = |name: &'static str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value);
    assert_eq!(SignedHeaders::read(again).unwrap().to_pairs(), read.to_pairs());
});
