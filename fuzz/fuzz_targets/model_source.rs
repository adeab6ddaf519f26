//! Where a model comes from, as somebody typed it: refused, or the same when written again.
#![no_main]

use edgecoder_inference::catalog::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // What is written may be longer by its scheme than what was read.
    if text.len() > 1024 {
        return;
    }
    let Ok(source) = text.parse::<Source>() else { return };
    assert_eq!(source.to_string().parse::<Source>().as_ref().ok(), Some(&source));
});
