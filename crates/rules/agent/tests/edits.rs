//! What models really write, one file each in `tests/corpus`: every answer gives the right new text or a reason
//! that the model can act on. The snapshots show the change as lines gone and lines come.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the corpus is read from files, the rules read none")]

use std::collections::BTreeMap;

use edgecoder_agent::edit::put_function::{Wanted, put_function};
use edgecoder_agent::edit::{EditError, Edited, Sources, search_replace, whole_file};

const FILE: &str = "\"\"\"Numbers.\"\"\"\n\nfrom math import sqrt\n\n\ndef double(n: int) -> int:\n    \"\"\"Return twice n.\"\"\"\n    raise NotImplementedError\n\n\ndef half(n):\n    return n // 2\n";

fn edited(kind: &str, answer: &str) -> Result<Edited, EditError> {
    let texts = BTreeMap::from([("nums.py".to_owned(), FILE.to_owned())]);
    let existing = ["nums.py".to_owned(), "unread.py".to_owned()];
    let sources = Sources { texts: &texts, existing: &existing };
    match kind {
        "put" => {
            put_function(Some(FILE), answer, Wanted { name: Some("double"), class: None }).map(|placed| {
                Edited { texts: BTreeMap::from([("nums.py".to_owned(), placed.text)]), mended: placed.mended }
            })
        }
        "search" => search_replace::apply(answer, &sources),
        _ => whole_file::apply(answer, &sources, Some("nums.py")),
    }
}

/// Lines of `new` that are not in the common start and end, and the same of `old`.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let gone = old[start..old.len() - end].iter().map(|line| format!("  -{line}"));
    let come = new[start..new.len() - end].iter().map(|line| format!("  +{line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

fn check(kind: &str) -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut out = String::new();
    let mut count = 0;
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Some(name) = name.strip_prefix(&format!("{kind}-")) else { continue };
        count += 1;
        out.push_str(&format!("## {name}\n"));
        match edited(kind, &std::fs::read_to_string(&path).unwrap()) {
            Err(error) => out.push_str(&format!("  refused: {error}\n")),
            Ok(edited) => {
                for (path, text) in &edited.texts {
                    let old = if path == "nums.py" { FILE } else { "" };
                    assert!(!text.contains('\r'), "{name}: the file has LF line ends");
                    out.push_str(&format!("  {path}\n{}\n", difference(old, text)));
                }
                edited.mended.iter().for_each(|what| out.push_str(&format!("  mended: {what}\n")));
            }
        }
    }
    insta::assert_snapshot!(format!("corpus_{kind}"), out);
    count
}

#[test]
fn functions_find_their_place() {
    assert!(check("put") >= 40);
}

#[test]
fn blocks_are_found_in_any_dress() {
    assert!(check("search") >= 30);
}

#[test]
fn whole_files_are_whole() {
    assert!(check("whole") >= 10);
}

fn put(file: &str, answer: &str, name: &str, class: Option<&str>) -> String {
    put_function(Some(file), answer, Wanted { name: Some(name), class }).unwrap().text
}

#[test]
fn a_method_goes_into_its_class() {
    let file = "class Stack:\n    def push(self, x):\n        pass\n\n    def size(self):\n        return 0\n\n\nclass Queue:\n    def push(self, x):\n        pass\n";
    let text = put(file, "def push(self, x):\n    self.items.append(x)\n", "push", Some("Stack"));
    assert_eq!(text, file.replacen("        pass", "        self.items.append(x)", 1));
    let wrapped = "class Stack:\n    def pop(self):\n        return self.items.pop()\n";
    let text = put(file, wrapped, "pop", Some("Stack"));
    assert!(
        text.contains(
            "        return 0\n\n    def pop(self):\n        return self.items.pop()\n\n\nclass Queue"
        ),
        "{text}"
    );
}

#[test]
fn a_new_function_stays_before_the_script_part_and_keeps_crlf() {
    let file = "import sys\r\n\r\n\r\nif __name__ == '__main__':\r\n    sys.exit(f(1))\r\n";
    let text = put(file, "def f(x):\n    return x\n", "f", None);
    assert_eq!(
        text,
        "import sys\r\n\r\n\r\ndef f(x):\r\n    return x\r\n\r\n\r\nif __name__ == '__main__':\r\n    sys.exit(f(1))\r\n"
    );
}

#[test]
fn a_new_file_holds_the_function_alone() {
    let placed =
        put_function(None, "```python\nimport os\n\ndef f():\n    return os.sep\n```", Wanted::default())
            .unwrap();
    assert_eq!(placed.text, "import os\n\n\ndef f():\n    return os.sep\n");
}

#[test]
fn a_search_that_fits_twice_is_refused() {
    let texts = BTreeMap::from([("a.py".to_owned(), "x = 1\ny = 2\nx = 1\n".to_owned())]);
    let sources = Sources { texts: &texts, existing: &["a.py".to_owned()] };
    let answer = "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 3\n>>>>>>> REPLACE\n";
    let refused = search_replace::apply(answer, &sources);
    assert_eq!(refused, Err(EditError::Ambiguous { path: "a.py".into(), count: 2 }));
}
