//! Frames between a node and its engine: refused, or the same when sent again.
#![no_main]

use edgecoder_inference::frame::{Ask, Tell, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    if let Ok(ask) = decode::<Ask>(line) {
        let sent = encode(&ask).unwrap();
        assert_eq!(encode(&decode::<Ask>(&sent).unwrap()).unwrap(), sent);
    }
    if let Ok(tell) = decode::<Tell>(line) {
        let sent = encode(&tell).unwrap();
        assert_eq!(encode(&decode::<Tell>(&sent).unwrap()).unwrap(), sent);
    }
});
