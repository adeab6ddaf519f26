//! A snapshot's manifest from somebody else: refused, or safe to lay out and the same when written again.
#![no_main]

use edgecoder_base::Manifest;
use edgecoder_base::snapshot::is_safe_path;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::from_bytes(bytes) else { return };
    assert!(manifest.files.iter().all(|file| is_safe_path(&file.path)));
    assert!(manifest.files.is_sorted_by(|a, b| a.path < b.path));
    assert_eq!(Manifest::from_bytes(&manifest.to_bytes()).as_ref(), Ok(&manifest));
});
