//! A model file from anywhere: its header is refused, or says something that holds for a file of its size.
#![no_main]

use edgecoder_inference::catalog::gguf::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(card) = read(bytes) else { return };
    assert!(!card.architecture.is_empty() && card.architecture.chars().count() <= 120);
    assert!(card.title.is_none_or(|title| !title.chars().any(char::is_control)));
    // A header of no tensors may end the file; what follows is padding at most.
    assert!(card.least_bytes >= 24);
});
