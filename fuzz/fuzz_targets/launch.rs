//! What the launcher reads before it confines anything: refused, or a launch with all its files.
#![no_main]

use edgecoder_sandbox::LaunchSpec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // As the launcher gets it, and as the description alone, which is found sooner.
    if let Ok((spec, contents)) = LaunchSpec::read(&mut &*bytes) {
        assert_eq!(spec.files.len(), contents.len());
    }
    if let Ok(spec) = serde_json::from_slice::<LaunchSpec>(bytes) {
        let written = serde_json::to_vec(&spec).unwrap();
        let again: LaunchSpec = serde_json::from_slice(&written).unwrap();
        assert_eq!(again, spec);
    }
});
