//! The whole loop with a scripted model: from a request to a proven patch, and through a worker's death.

use edgecoder_inference::{CompletionRequest, Error, ScriptedEngine};

use edgecoder_sandbox::Fault;

use crate::rig::Rig;

/// Answers as the shipped model does: goes on where the prompt's prefill ends.
pub(crate) fn writes(
    body: &'static str,
) -> impl Fn(&CompletionRequest) -> Result<String, Error> + Send + Sync + 'static {
    move |request| {
        let begin = if request.prefill.is_some() { "" } else { "```python\ndef triple(n):\n" };
        Ok(format!("{begin}    return {body}\n```\n"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_becomes_a_proven_patch_with_its_diff_and_trace() {
    let mut rig = Rig::new().await;
    rig.start_worker(ScriptedEngine::new().named("edgecoder-tiny").otherwise(writes("n * 3")), "s1");
    let mut request = rig.request();
    request.hidden = Some(rig.hidden());
    let task = rig.handle.submit(request, None).await.unwrap();
    let task = rig.until(&task.id, |task| task.state != "running").await;
    assert_eq!(task.state, "review", "{task:#?}");
    let result = task.result.unwrap();
    assert!(result.verified_by_user && result.lines_added >= 2);
    let diff = rig.handle.diff(&task.id).await.unwrap();
    assert!(diff.contains("+def triple(n):"), "{diff}");
    let trace = String::from_utf8(rig.handle.trace(&task.id, None).await.unwrap()).unwrap();
    let trace = edgecoder_worker::trace::read(&trace).unwrap();
    let (_, last) = edgecoder_agent::replay(trace.start.brief, &trace.turns).unwrap();
    assert!(last.unwrap().is_final(), "a trace replays without a model");
    assert_eq!(
        std::fs::read_dir(rig.journals()).unwrap().count(),
        0,
        "a delivered attempt leaves no journal"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_is_missing_stands_in_every_result() {
    let mut rig = Rig::new().await;
    rig.faults = vec![Fault::Landlock];
    rig.start_worker(ScriptedEngine::new().named("edgecoder-tiny").otherwise(writes("n * 3")), "s1");
    let task = rig.handle.submit(rig.request(), None).await.unwrap();
    let task = rig.until(&task.id, |task| task.state != "running").await;
    let result = task.result.unwrap();
    let says = |degraded: &[String]| degraded.iter().any(|words| words.starts_with("landlock:"));
    assert!(says(&result.degraded), "{result:#?}");
    for attempt in task.subtasks[0].attempts.iter().filter(|attempt| attempt.state != "cancelled") {
        let confinement = attempt.confinement.as_ref().unwrap();
        assert!(says(&confinement.degraded) && confinement.level == result.level, "{attempt:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_answer_is_tried_again_and_only_the_right_one_is_proven() {
    let mut rig = Rig::new().await;
    let engine = ScriptedEngine::new()
        .named("edgecoder-tiny")
        .reply_with(writes("n + 3"))
        .reply_with(writes("n - 3"))
        .otherwise(writes("n * 3"));
    rig.start_worker(engine, "s1");
    let task = rig.handle.submit(rig.request(), None).await.unwrap();
    let task = rig.until(&task.id, |task| task.state != "running").await;
    assert_eq!(task.state, "review", "{task:#?}");
    assert!(rig.handle.diff(&task.id).await.unwrap().contains("n * 3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_model_never_gets_it_right_the_task_abstains() {
    let mut rig = Rig::new().await;
    rig.start_worker(ScriptedEngine::new().named("edgecoder-tiny").otherwise(writes("n + 3")), "s1");
    let task = rig.handle.submit(rig.request(), None).await.unwrap();
    let task = rig.until(&task.id, |task| task.state != "running").await;
    assert_eq!(task.state, "abstained");
    assert!(task.reason.unwrap().contains("was proven"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_is_taken_up_where_its_worker_left_it() {
    let mut rig = Rig::new().await;
    // The first run of the worker hangs in its second completion and is stopped there.
    let first = ScriptedEngine::new().named("edgecoder-tiny").reply_with(writes("n + 3")).hang_after("");
    let stop = rig.start_worker(first, "s1");
    let task = rig.handle.submit(rig.request(), None).await.unwrap();
    let journal = rig.journals().join(format!("{}.s0.a1.e1.jsonl", task.id));
    let turns = |needle: &str| {
        std::fs::read_to_string(&journal).map(|text| text.matches(needle).count()).unwrap_or_default()
    };
    while turns("\"observation\":\"test_report\"") < 1 {
        tokio::task::yield_now().await;
        assert_eq!(rig.handle.task(&task.id).await.unwrap().state, "running");
    }
    stop.cancel();
    let second = ScriptedEngine::new().named("edgecoder-tiny").otherwise(writes("n * 3"));
    rig.start_worker(second, "s2");
    let task = rig.until(&task.id, |task| task.state != "running").await;
    assert_eq!(task.state, "review", "{task:#?}");
    let trace = String::from_utf8(rig.handle.trace(&task.id, None).await.unwrap()).unwrap();
    assert!(trace.contains("\"line\":\"resumed\""), "{trace}");
    assert_eq!(trace.matches("\"observation\":\"started\"").count(), 1, "what was done is not done again");
    assert!(trace.contains("n + 3"), "the first run's answer is part of the same trace");
}
