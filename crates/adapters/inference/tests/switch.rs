//! Two children with the shipped model: one takes the place of the other under load, and nobody notices.
#![cfg(feature = "llama")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use edgecoder_inference::{
    CompletionRequest, Driven, Engine, Error, Finish, IsolateConfig, IsolatedEngine, Message, Switch,
    SwitchConfig, collect,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny/edgecoder-tiny.gguf")
}

fn child(model: &Path) -> (IsolatedEngine, Driven) {
    let args = ["--model", model.to_str().unwrap(), "--threads", "1", "--slots", "4"];
    let (engine, supervisor) =
        IsolatedEngine::build(IsolateConfig::new(env!("CARGO_BIN_EXE_edgecoder-engine"), args));
    (engine.clone(), Driven::child(engine, supervisor))
}

fn ask() -> CompletionRequest {
    let messages = vec![
        Message::system("You write Python code."),
        Message::user("Write a function `add(a, b)` that returns the sum of a and b."),
    ];
    CompletionRequest::new(messages, 60)
}

#[tokio::test]
async fn a_child_takes_the_place_of_another_under_load() {
    let (old, first) = child(&tiny());
    let (switch, owner) = Switch::build(first, SwitchConfig::default());
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(owner.run(stop.clone()));
    switch.capabilities().await.unwrap();
    let mut streams = JoinSet::new();
    for _ in 0..16 {
        let switch = switch.clone();
        streams.spawn(async move {
            for _ in 0..3 {
                let reply = collect(switch.complete(ask(), CancellationToken::new()).await?).await?;
                assert!(reply.text.contains("def add(") && reply.finish == Finish::Stop, "{}", reply.text);
            }
            Ok::<_, Error>(())
        });
    }
    let missing = switch.swap(child(Path::new("/nonexistent/model.gguf")).1).await;
    assert!(matches!(missing, Err(Error::ModelMissing { .. })), "{missing:?}");
    let (new, second) = child(&tiny());
    switch.swap(second).await.unwrap();
    while let Some(done) = streams.join_next().await {
        done.unwrap().unwrap();
    }
    // Nothing runs on it any more, so its child is ended while the switch goes on.
    old.until(|state| *state == edgecoder_inference::EngineState::Stopped).await.unwrap();
    assert!(new.pid().is_some() && old.pid().is_none());
    assert_eq!(switch.restarts(), 0);
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}
