//! Looking: what is told, what is refused, what is asked about.

use std::os::unix::fs::symlink;

use edgecoder_companion::{Event, Turn};
use serde_json::json;

use crate::rig::{Line, Rig, Scripted};

#[tokio::test]
async fn the_model_reads_and_answers() {
    let rig = Rig::new(&[("a.py", "x = 1\n")]);
    let thinker = Scripted::new([Line::Calls("read_file", json!({"path": "a.py"})), Line::Says("x is 1")]);
    let seen = rig.seen(rig.ask("what is x?"), &thinker, false).await;
    assert_eq!(seen.names(), ["tool_call", "tool_result", "text", "done"]);
    assert_eq!(seen.results(), [Ok("x = 1".to_owned())]);
    assert_eq!(seen.actions(), [("read".to_owned(), "read a.py".to_owned(), false)]);
    let asked = thinker.asked.lock();
    assert!(matches!(&asked[0].turns[0], Turn::System { text } if text.contains("project")));
    assert!(matches!(&asked[1].turns[3], Turn::Tool { text, .. } if text == "x = 1"));
    let Some(Event::Done { iterations, usage, session_id, .. }) = seen.0.last() else { panic!("{seen:?}") };
    assert_eq!((*iterations, usage.prompt_tokens, session_id), (2, 20, &None));
}

#[tokio::test]
async fn hole_07_nothing_outside_the_project_is_read() {
    let rig = Rig::new(&[("a.py", "x = 1\n")]);
    std::fs::create_dir(rig.home.path().join("project-two")).unwrap();
    let sibling = rig.home.path().join("project-two/s.txt");
    std::fs::write(&sibling, "sesame").unwrap();
    symlink(&sibling, rig.project().join("link")).unwrap();
    symlink(rig.home.path().join("project-two"), rig.project().join("folder")).unwrap();
    for path in [
        sibling.to_str().unwrap(),
        "../project-two/s.txt",
        "link",
        "folder/s.txt",
        "/etc/passwd",
        ".git/config",
    ] {
        for (tool, arguments) in [
            ("read_file", json!({"path": path})),
            ("list_directory", json!({"path": path})),
            ("write_file", json!({"path": path, "content": "changed"})),
            ("edit_file", json!({"path": path, "old_string": "sesame", "new_string": "changed"})),
        ] {
            let seen = rig.chat([Line::Calls(tool, arguments)], true).await;
            assert!(seen.results()[0].is_err(), "{tool} {path}: {:?}", seen.results());
        }
    }
    let new =
        rig.chat([Line::Calls("write_file", json!({"path": "folder/new.txt", "content": "x"}))], true).await;
    assert!(new.results()[0].is_err(), "a new file in a linked folder is outside: {:?}", new.results());
    assert!(!rig.home.path().join("project-two/new.txt").is_file());
    assert_eq!(std::fs::read_to_string(sibling).unwrap(), "sesame");
}

#[tokio::test]
async fn secrets_are_asked_about_and_what_is_withheld_is_not_told() {
    let files =
        [(".env", "TOKEN=sesame\n"), (".edgecoderignore", "private.txt\n"), ("private.txt", "sesame\n")];
    let rig = Rig::new(&files);
    let read = |path: &str| [Line::Calls("read_file", json!({"path": path}))];
    let refused = rig.chat(read(".env"), false).await;
    assert_eq!((refused.actions()[0].0.as_str(), refused.actions()[0].2), ("protected", true));
    assert!(refused.results()[0].is_err());
    assert_eq!(rig.chat(read(".env"), true).await.results(), [Ok("TOKEN=sesame".to_owned())]);
    let withheld = rig.chat(read("private.txt"), true).await;
    assert!(withheld.results()[0].as_ref().unwrap_err().contains("withheld"));
    let search = rig.chat([Line::Calls("search_files", json!({"pattern": "sesame"}))], true).await;
    let told = search.results()[0].clone().unwrap();
    assert!(told.starts_with("nothing matches") && told.contains("look like secrets"), "{told}");
}

#[tokio::test]
async fn search_and_list_tell_what_is_there() {
    let rig = Rig::new(&[("src/a.py", "def add():\n    pass\n"), ("b.txt", "add\n")]);
    let search =
        rig.chat([Line::Calls("search_files", json!({"pattern": "ad+", "include": "*.py"}))], false).await;
    assert_eq!(search.results(), [Ok("src/a.py:1: def add():".to_owned())]);
    let list = rig.chat([Line::Calls("list_directory", json!({}))], false).await;
    assert_eq!(list.results(), [Ok("b.txt\nsrc/".to_owned())]);
}

#[tokio::test]
async fn a_plan_is_shown() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let steps = json!({"steps": [{"description": "look", "status": "in_progress"}, {"description": "mend"}]});
    let seen = rig.chat([Line::Calls("plan", steps)], false).await;
    assert_eq!(seen.names(), ["plan", "text", "done"]);
}

#[tokio::test]
async fn without_a_project_or_in_a_tiny_window_there_is_only_talk() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let thinker = Scripted::new([Line::Says("hello")]);
    let alone = edgecoder_companion::Chat { project: None, ..rig.ask("hello") };
    assert_eq!(rig.seen(alone, &thinker, false).await.names(), ["text", "done"]);
    assert_eq!(thinker.asked.lock()[0].turns.len(), 1, "no frame, no tools");
    let tiny = Scripted { window: Some(1024), ..Scripted::new([Line::Says("hello")]) };
    let seen = rig.seen(rig.ask("hello"), &tiny, false).await;
    assert_eq!(seen.names(), ["status", "text", "done"]);
    let asked = tiny.asked.lock();
    assert_eq!((asked[0].turns.len(), asked[0].tools.len()), (1, 0));
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_visibly_and_at_last_an_error() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let seen = rig.chat([Line::TooLong, Line::Says("now it fits")], false).await;
    assert_eq!(seen.names(), ["text", "done"]);
    let never = rig.chat([Line::TooLong, Line::TooLong, Line::TooLong, Line::TooLong], false).await;
    assert!(matches!(never.0.last(), Some(Event::Error { code, .. }) if code.as_str() == "context_overflow"));
}
