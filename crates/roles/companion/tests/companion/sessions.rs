//! Sessions that are kept: taken up again with everything that was said and seen, one exchange at a time.

use edgecoder_companion::{Chat, Companion, Event, Mode, Seen, Turn};
use edgecoder_protocol::ErrorCode;
use futures::StreamExt as _;
use serde_json::json;

use crate::rig::{Line, Rig, Scripted};

fn say(session: &str, text: &str) -> Chat {
    Chat {
        session: Some(session.to_owned()),
        messages: vec![Turn::Person { text: text.to_owned() }],
        model: "m".to_owned(),
        project: None,
        mode: None,
    }
}

#[tokio::test]
async fn a_session_is_taken_up_with_everything_that_was_seen() {
    let rig = Rig::new(&[("a.py", "x = 1\n")]);
    let id = rig.companion.open(rig.project(), None).await.unwrap().id;
    let first = Scripted::new([Line::Calls("read_file", json!({"path": "a.py"})), Line::Says("x is 1")]);
    rig.seen(say(&id, "what is x?"), &first, false).await;
    let kept = rig.companion.transcript(&id).await.unwrap();
    assert_eq!(kept.project, rig.project().canonicalize().unwrap());
    let names: Vec<&str> = kept
        .seen
        .iter()
        .map(|seen| match seen {
            Seen::Person(_) => "person",
            Seen::Event(event) => event.name(),
        })
        .collect();
    assert_eq!(names, ["person", "tool_call", "tool_result", "text", "done"]);
    let second = Scripted::new([Line::Says("as I said")]);
    let seen = rig.seen(say(&id, "again?"), &second, false).await;
    assert!(matches!(seen.0.last(), Some(Event::Done { session_id: Some(kept), .. }) if *kept == id));
    // Frame, question, call, result, answer, question.
    assert_eq!(second.asked.lock()[0].turns.len(), 6);
    let listed = rig.companion.sessions().await.unwrap();
    assert_eq!((listed.len(), listed[0].title.as_str(), &listed[0].id), (1, "what is x?", &id));
}

#[tokio::test]
async fn who_hangs_up_keeps_what_was_seen_and_frees_the_session() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let id = rig.companion.open(rig.project(), None).await.unwrap().id;
    let mut events = rig.start(say(&id, "go"), &Scripted::new([Line::Hangs])).await;
    assert!(matches!(events.next().await, Some(Event::Text { .. })));
    let busy = rig.companion.chat(say(&id, "and?"), std::sync::Arc::new(Scripted::default())).await;
    assert_eq!(busy.err().unwrap().code, ErrorCode::WrongState);
    drop(events);
    let kept = rig.companion.transcript(&id).await.unwrap();
    assert!(matches!(kept.seen.last(), Some(Seen::Event(Event::Text { content })) if content == "hm"));
    assert_eq!(rig.seen(say(&id, "go on"), &Scripted::default(), false).await.names(), ["text", "done"]);
}

#[tokio::test]
async fn a_mode_holds_for_the_session() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let id = rig.companion.open(rig.project(), Some(Mode::Read)).await.unwrap().id;
    let write = || Scripted::new([Line::Calls("write_file", json!({"path": "b.py", "content": "y\n"}))]);
    let seen = rig.seen(say(&id, "go"), &write(), true).await;
    assert!(seen.results()[0].is_err());
    rig.companion.set_mode(&id, Mode::Edit).await.unwrap();
    assert_eq!(rig.companion.transcript(&id).await.unwrap().mode, Mode::Edit);
    rig.seen(say(&id, "go"), &write(), false).await;
    assert_eq!(rig.text("b.py").as_deref(), Some("y\n"));
}

async fn code(companion: &Companion, chat: Chat) -> ErrorCode {
    companion.chat(chat, std::sync::Arc::new(Scripted::default())).await.err().unwrap().code
}

#[tokio::test]
async fn what_cannot_be_begun_is_refused_before_anything_is_said() {
    let rig = Rig::new(&[("a.py", "x\n")]);
    let (companion, invalid) = (&rig.companion, ErrorCode::InvalidRequest);
    let in_project = |path: std::path::PathBuf| Chat { project: Some(path), ..rig.ask("go") };
    assert_eq!(code(companion, in_project("relative".into())).await, invalid);
    assert_eq!(code(companion, in_project("/".into())).await, invalid);
    assert_eq!(code(companion, in_project(rig.project().join("a.py"))).await, invalid);
    assert_eq!(code(companion, in_project(rig.home.path().join("data"))).await, ErrorCode::Forbidden);
    assert_eq!(code(companion, in_project(rig.home.path().to_owned())).await, ErrorCode::Forbidden);
    assert_eq!(code(companion, Chat { messages: vec![], ..rig.ask("") }).await, invalid);
    assert_eq!(code(companion, say("sess_../../x", "go")).await, ErrorCode::NotFound);
    let id = companion.open(rig.project(), None).await.unwrap().id;
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = Chat { project: Some(elsewhere.path().to_owned()), ..say(&id, "go") };
    assert_eq!(code(companion, moved).await, invalid);
}

#[tokio::test]
async fn the_project_that_was_set_is_meant_where_none_is_named() {
    let rig = Rig::new(&[("a.py", "x = 1\n")]);
    assert_eq!(rig.companion.project(), None);
    let real = rig.companion.set_project(rig.project()).await.unwrap();
    assert_eq!(rig.companion.project(), Some(real));
    let read = Scripted::new([Line::Calls("read_file", json!({"path": "a.py"}))]);
    let unnamed = Chat { project: None, ..rig.ask("go") };
    assert_eq!(rig.seen(unnamed, &read, false).await.results(), [Ok("x = 1".to_owned())]);
}
