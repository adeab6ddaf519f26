//! A live project as a session's tools see it: nothing outside it, nothing over a link, no secrets by the way.

use std::os::unix::fs::symlink;
use std::path::Path;

use edgecoder_workspace::Project;
use edgecoder_workspace::project::{Query, Standing, overlap};

use crate::support::Live;

/// A project beside another whose name begins with its own.
fn siblings() -> (tempfile::TempDir, Project) {
    let above = tempfile::tempdir().unwrap();
    for (path, text) in
        [("app/src/a.py", "def add(a, b):\n    return a + b\n"), ("app-secret/s.txt", "sesame")]
    {
        let path = above.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    symlink(above.path().join("app-secret"), above.path().join("app/out")).unwrap();
    symlink("/etc/passwd", above.path().join("app/passwd")).unwrap();
    let project = Project::open(&above.path().join("app")).unwrap();
    (above, project)
}

#[test]
fn hole_07_paths_that_lead_out_are_no_paths() {
    let (above, project) = siblings();
    let root = above.path().join("app");
    let inside = root.join("src/a.py").display().to_string();
    for (path, expected) in [
        ("src/a.py", Some("src/a.py")),
        ("./src//a.py", Some("src/a.py")),
        ("src/", Some("src")),
        (".", Some("")),
        ("", Some("")),
        (inside.as_str(), Some("src/a.py")),
        ("../app-secret/s.txt", None),
        ("src/../../app-secret/s.txt", None),
        (".git/config", None),
        ("/etc/passwd", None),
        ("a\0b", None),
    ] {
        assert_eq!(project.relative(path).as_deref(), expected, "{path:?}");
    }
    let sibling = above.path().join("app-secret/s.txt").display().to_string();
    assert_eq!(project.relative(&sibling), None, "a sibling whose name begins with the root's is outside");
}

#[test]
fn hole_07_links_are_never_followed() {
    let (_above, project) = siblings();
    for path in ["passwd", "out/s.txt", "out", "src"] {
        assert_eq!(project.read(path).unwrap(), Standing::NotAFile, "{path}");
    }
    assert_eq!(project.names("out").unwrap(), None);
    assert!(matches!(project.read("src/a.py").unwrap(), Standing::Text(file) if file.text.contains("add")));
    assert_eq!(project.read("src/b.py").unwrap(), Standing::Missing);
    let names: Vec<String> =
        project.names("").unwrap().unwrap().into_iter().map(|named| named.name).collect();
    assert_eq!(names, ["out@", "passwd@", "src/"]);
    let query = Query { pattern: "sesame|root:".into(), below: String::new(), include: None, max_hits: 9 };
    assert_eq!(project.search(&query).unwrap().hits, []);
}

fn found(project: &Project, pattern: &str, below: &str, include: Option<&str>) -> Vec<String> {
    let (pattern, below, include) = (pattern.to_owned(), below.to_owned(), include.map(str::to_owned));
    let sought = project.search(&Query { pattern, below, include, max_hits: 3 }).unwrap();
    sought.hits.iter().map(|hit| format!("{}:{} {}", hit.path, hit.line, hit.text)).collect()
}

#[test]
fn hole_07_a_pattern_is_never_an_option() {
    let live = Live::folder(&[
        ("a.py", "x = 1\n# --include\ny = -e\n"),
        ("sub/b.py", "x = 2\n"),
        ("c.txt", "x = 3\n"),
    ]);
    let project = Project::open(live.dir.path()).unwrap();
    assert_eq!(found(&project, "--include", "", None), ["a.py:2 # --include"]);
    assert_eq!(found(&project, "-e", "", None), ["a.py:3 y = -e"]);
    assert_eq!(found(&project, "^x", "", Some("*.py")), ["a.py:1 x = 1", "sub/b.py:1 x = 2"]);
    assert_eq!(found(&project, "^x", "sub", None), ["sub/b.py:1 x = 2"]);
    assert_eq!(found(&project, "^x", "", Some("--no-ignore")), [""; 0]);
    for query in ["(", "a{99999}{99999}"] {
        let query = Query { pattern: query.into(), below: String::new(), include: None, max_hits: 3 };
        assert!(matches!(project.search(&query), Err(Ok(words)) if words.contains("no regular expression")));
    }
}

#[test]
fn secrets_are_named_and_what_is_withheld_is_not_read() {
    let live = Live::folder(&[
        (".env", "TOKEN=sesame\n"),
        (".edgecoderignore", "private/\n"),
        ("private/x.txt", "sesame\n"),
        ("a.txt", "sesame\n"),
    ]);
    let project = Project::open(live.dir.path()).unwrap();
    assert!(matches!(project.read(".env").unwrap(), Standing::Text(file) if file.secret.is_some()));
    assert_eq!(project.read("private/x.txt").unwrap(), Standing::Ignored);
    let query = Query { pattern: "sesame".into(), below: String::new(), include: None, max_hits: 9 };
    let sought = project.search(&query).unwrap();
    assert_eq!((sought.hits.len(), sought.secrets), (1, 1));
    assert_eq!((project.secret(".env").is_some(), project.secret("a.txt")), (true, None));
    let diff = |path: &str| {
        format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n")
    };
    assert!(
        project.secret_in_diff(&diff(".env")).is_some() && project.secret_in_diff(&diff("a.txt")).is_none()
    );
}

#[test]
fn directories_overlap_after_links_are_resolved() {
    let above = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(above.path().join("home/data")).unwrap();
    symlink("home", above.path().join("link")).unwrap();
    let at = |path: &str| above.path().join(path);
    for (one, other, expected) in [
        ("home", "home/data", true),
        ("home/data", "home", true),
        ("link", "home/data", true),
        ("home/data", "home/data", true),
        ("home", "homely", false),
    ] {
        assert_eq!(overlap(&at(one), &at(other)), expected, "{one} {other}");
    }
    assert!(overlap(Path::new("/"), &at("home")));
}
