//! What a model answers, in every edit format: understood or refused, never a panic, never an unsafe path.
#![no_main]

use std::collections::BTreeMap;

use edgecoder_agent::edit::put_function::{Wanted, put_function};
use edgecoder_agent::edit::{Sources, block, search_replace, whole_file};
use edgecoder_agent::{edit, split, test_report};
use edgecoder_base::Patch;
use libfuzzer_sys::fuzz_target;

const FILE: &str = "import os\n\n\nclass A:\n    def g(self):\n        return 1\n\n\ndef f(x):\n    return x\n";

fuzz_target!(|answer: &str| {
    let texts = BTreeMap::from([("a.py".to_owned(), FILE.to_owned())]);
    let existing = ["a.py".to_owned(), "b.py".to_owned()];
    let sources = Sources { texts: &texts, existing: &existing };
    for edited in [search_replace::apply(answer, &sources), whole_file::apply(answer, &sources, None)] {
        if let Ok(edited) = edited {
            let patch = edit::patch(&texts, &edited.texts);
            assert_eq!(Patch::from_bytes(&patch.to_bytes()), Ok(patch));
        }
    }
    for wanted in [
        Wanted { name: Some("f"), class: None },
        Wanted { name: Some("g"), class: Some("A") },
        Wanted { name: None, class: None },
    ] {
        let _placed = put_function(Some(FILE), answer, wanted);
    }
    let _code = block::python_code(answer);
    let _parts = split::parse(answer);
    let _counts = test_report::counts(answer);
});
