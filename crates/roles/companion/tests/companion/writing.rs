//! Changing files: shown first, written exactly, or not at all.

use edgecoder_companion::{Event, Mode};
use futures::StreamExt as _;
use serde_json::json;

use crate::rig::{Line, Rig, Scripted};

#[tokio::test]
async fn an_edit_is_shown_approved_and_written() {
    let rig = Rig::new(&[("a.py", "x = 1\ny = 2\n")]);
    let edit =
        || [Line::Calls("edit_file", json!({"path": "a.py", "old_string": "x = 1", "new_string": "x = $&"}))];
    let rejected = rig.chat(edit(), false).await;
    assert_eq!(rejected.names(), ["tool_call", "diff", "tool_result", "text", "done"]);
    assert!(rejected.results()[0].as_ref().unwrap_err().contains("rejected"));
    assert_eq!(rig.text("a.py").unwrap(), "x = 1\ny = 2\n");
    let seen = rig.chat(edit(), true).await;
    assert_eq!(rig.text("a.py").unwrap(), "x = $&\ny = 2\n");
    assert_eq!(seen.actions(), [("write".to_owned(), "edit a.py".to_owned(), true)]);
    let Event::Diff { diff, .. } = &seen.0[1] else { panic!("{seen:?}") };
    assert_eq!(diff.hunks[0].content, "-x = 1\n+x = $&\n y = 2\n");
}

#[tokio::test]
async fn files_are_created_with_their_folders() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    rig.chat([Line::Calls("write_file", json!({"path": "new/b.py", "content": "y\n"}))], true).await;
    assert_eq!(rig.text("new/b.py").as_deref(), Some("y\n"));
    let same = rig.chat([Line::Calls("write_file", json!({"path": "a.py", "content": "x\n"}))], true).await;
    assert!(same.results()[0].as_ref().unwrap_err().contains("nothing would change"));
}

#[tokio::test]
async fn hole_07_what_changed_after_it_was_shown_is_not_overwritten() {
    let rig = Rig::new(&[("a.py", "x = 1\n")]);
    let line = Line::Calls("edit_file", json!({"path": "a.py", "old_string": "1", "new_string": "2"}));
    let mut events = rig.start(rig.ask("go"), &Scripted::new([line])).await;
    let Some(Event::ToolCall { id, .. }) = events.next().await else { panic!("no call") };
    std::fs::write(rig.project().join("a.py"), "mine\n").unwrap();
    rig.companion.decide(&id, true).unwrap();
    let rest: Vec<Event> = events.collect().await;
    assert!(rest.iter().any(
        |event| matches!(event, Event::ToolResult { error: Some(why), .. } if why.contains("changed on disk"))
    ));
    assert_eq!(rig.text("a.py").unwrap(), "mine\n");
}

#[tokio::test]
async fn hole_07_what_runs_by_itself_needs_a_word_of_its_own() {
    let rig = Rig::with(&[("a.py", "x\n")], |config, _| config.approvals = crate::rig::ALLOW_ALL);
    let write = |path: &str| [Line::Calls("write_file", json!({"path": path, "content": "x: 1\n"}))];
    assert!(
        !rig.chat(write("b.py"), false).await.actions()[0].2,
        "ordinary files are allowed by these settings"
    );
    for path in [".vscode/tasks.json", "Makefile", "package.json", "hooks/post-commit"] {
        let seen = rig.chat(write(path), false).await;
        assert_eq!((seen.actions()[0].0.as_str(), seen.actions()[0].2), ("protected", true), "{path}");
        assert!(seen.results()[0].is_err() && rig.text(path).is_none(), "{path}");
    }
    assert!(rig.chat(write(".git/hooks/pre-commit"), true).await.results()[0].is_err());
}

#[tokio::test]
async fn a_mode_loosens_ordinary_edits_or_forbids_them_all() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let write = || Scripted::new([Line::Calls("write_file", json!({"path": "b.py", "content": "y\n"}))]);
    let with = |mode| edgecoder_companion::Chat { mode: Some(mode), ..rig.ask("go") };
    let read = rig.seen(with(Mode::Read), &write(), true).await;
    assert!(read.results()[0].as_ref().unwrap_err().contains("not allowed") && rig.text("b.py").is_none());
    let edit = rig.seen(with(Mode::Edit), &write(), false).await;
    assert!(!edit.actions()[0].2 && rig.text("b.py").is_some());
}
