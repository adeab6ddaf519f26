//! What the node reads of its launcher, which a payload may have taken over: refused, or an outcome with exactly the
//! bytes it announces.
#![no_main]

use edgecoder_sandbox::Outcome;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((outcome, artefacts)) = Outcome::read(&mut &*bytes) {
        let Outcome::Ended { artefacts: entries, .. } = outcome else {
            assert!(artefacts.is_empty());
            return;
        };
        assert_eq!(entries.len(), artefacts.len());
        for (entry, artefact) in entries.iter().zip(&artefacts) {
            let size = artefact.found.as_ref().map(|bytes| bytes.len() as u64);
            assert_eq!(entry.found.as_ref().copied(), size);
        }
    }
});
