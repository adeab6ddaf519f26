//! A trace handed to `replay`: refused by its line, or replayed to an answer or a refusal.
#![no_main]

use edgecoder_worker::trace;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(found) = trace::read(text) {
        let _answer = edgecoder_agent::replay(found.start.brief, &found.turns);
    }
});
