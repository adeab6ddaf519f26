//! Repositories as lists of files, and what is found in them.

use std::collections::BTreeMap;

use edgecoder_base::FileEntry;

use super::*;

fn look(files: &[(&str, &str)]) -> Vec<Ingredients> {
    let texts: BTreeMap<&str, &str> = files.iter().copied().collect();
    let entry = |(path, text): (&&str, &&str)| FileEntry {
        path: (*path).to_owned(),
        hash: BlobHash::of(text.as_bytes()),
        size: text.len() as u64,
        executable: false,
    };
    let manifest = Manifest { files: texts.iter().map(entry).collect() };
    ingredients(&manifest, &|path| texts.get(path).map(|&text| text.to_owned()))
}

/// Kind and folder, inputs, and what is laid out, of each.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[(&str, &[&str], &[&str])]) {
    let found: Vec<_> = look(files)
        .into_iter()
        .map(|one| {
            let inputs: Vec<_> = one.inputs.iter().map(|input| input.path.clone()).collect();
            let laid: Vec<_> = one
                .files
                .iter()
                .map(|laid| match laid {
                    Laid::AsIs { path, .. } => path.clone(),
                    Laid::Made { path, text } => format!("{path}: {}", text.trim_end().replace('\n', " | ")),
                })
                .collect();
            (format!("{} {}", one.kind, one.folder), inputs, laid)
        })
        .collect();
    let own = |list: &&[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let expected: Vec<_> = expected.iter().map(|(kind, a, b)| ((*kind).to_owned(), own(a), own(b))).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_files_that_decide_are_found() {
    check(&[("README", ""), ("src/x.py", "")], &[]);
    check(
        &[
            ("requirements.txt", "a==1\n-r more/b.txt"),
            ("more/b.txt", "b==2"),
            ("requirements-dev.txt", "c==3"),
        ],
        &[(
            "python ",
            &["more/b.txt", "requirements-dev.txt", "requirements.txt"],
            &[".capsule/requirements.txt: a==1 | b==2 | c==3", ".capsule/constraints.txt: "],
        )],
    );
    check(
        &[("requirements/base.txt", "a==1"), ("requirements/dev.txt", "-r base.txt\nb==1")],
        &[(
            "python ",
            &["requirements/base.txt", "requirements/dev.txt"],
            &[".capsule/requirements.txt: b==1 | a==1", ".capsule/constraints.txt: "],
        )],
    );
    check(
        &[("uv.lock", "[[package]]\nname='a'\nversion='1'\n"), ("requirements.txt", "x")],
        &[("python ", &["uv.lock"], &[".capsule/requirements.txt: a==1"])],
    );
    check(
        &[
            ("web/package-lock.json", "{}"),
            ("web/package.json", "{}"),
            ("web/node_modules/x/package.json", "{}"),
        ],
        &[(
            "node web",
            &["web/package-lock.json", "web/package.json"],
            &["web/package-lock.json", "web/package.json"],
        )],
    );
    check(
        &[("Cargo.lock", ""), ("Cargo.toml", ""), ("a/Cargo.toml", ""), ("a/src/lib.rs", "fn f() {}")],
        &[(
            "cargo ",
            &["Cargo.lock", "Cargo.toml", "a/Cargo.toml"],
            &["Cargo.lock", "Cargo.toml", "a/Cargo.toml", "a/src/lib.rs: "],
        )],
    );
    check(
        &[("go.mod", ""), ("go.sum", ""), ("pom.xml", ""), ("sub/pom.xml", "")],
        &[
            ("go ", &["go.mod", "go.sum"], &["go.sum", "go.mod"]),
            ("maven ", &["pom.xml", "sub/pom.xml"], &["pom.xml", "sub/pom.xml"]),
        ],
    );
}

#[track_caller]
fn check_notes(files: &[(&str, &str)], expected: &[&str]) {
    let notes: Vec<String> = look(files).iter().flat_map(|one| &one.notes).map(Note::to_string).collect();
    assert_eq!(notes, expected);
}

#[test]
fn what_is_left_out_or_loose_is_said() {
    check_notes(
        &[("requirements.txt", "a>=1"), ("deep/down/requirements.txt", "")],
        &[
            "deep/down/requirements.txt is not covered: requirements.txt stands nearer to the top",
            "requirements.txt: a>=1 is not pinned, so the capsule is not reproducible",
        ],
    );
    check_notes(
        &[("Cargo.lock", "source = \"git+https://host/x#1\""), ("Cargo.toml", "")],
        &[
            "Cargo.lock: git+https://host/x#1 is no index; its host is refused unless `capsule.hosts` names it",
        ],
    );
    check_notes(
        &[("package-lock.json", "{\"resolved\": \"git+ssh://git@host/x.git\"}"), ("package.json", "{}")],
        &[
            "package-lock.json: git+ssh://git@host/x.git is no index; its host is refused unless `capsule.hosts` \
           names it",
        ],
    );
    check_notes(
        &[("pom.xml", "")],
        &["pom.xml: a transitive dependency is not pinned, so the capsule is not reproducible"],
    );
}
