//! Where answers are made: this machine, or another when it does not answer; never beyond the tier, never after the
//! first word.

use std::sync::Arc;

use edgecoder_base::PrivacyTier;
use edgecoder_http::ide::{Config, Elsewhere, Remote};
use edgecoder_inference::{Engine, Error, ScriptedEngine};
use edgecoder_routing::{Latency, Needs, Place, PlaceId, Reach};
use serde_json::{Value, json};

use crate::rig::{Rig, chat, says};

/// One other machine.
#[derive(Debug)]
struct ScriptedElsewhere(ScriptedEngine, Reach);

impl Elsewhere for ScriptedElsewhere {
    fn places(&self) -> Vec<Remote> {
        let place = Place {
            id: PlaceId("there".to_owned()),
            reach: self.1,
            models: vec!["large".to_owned()],
            trouble: None,
            window_tokens: 8192,
            running: 0,
            slots: 4,
            latency: Latency::default(),
            offers: Needs::default(),
        };
        vec![Remote { place, engine: Arc::new(self.0.clone()) }]
    }
}

async fn asked(
    here: impl Engine + 'static,
    there: ScriptedEngine,
    reach: Reach,
    model: &str,
) -> (u16, Value) {
    let config = Config { tier: PrivacyTier::Devices, ..Config::default() };
    let rig = Rig::with(here, &config, Arc::new(ScriptedElsewhere(there, reach)));
    let answer = rig.post("/v1/chat/completions", chat(json!({"model": model}))).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn another_machine_answers_when_this_one_does_not_and_it_is_said() {
    let (_, body) = asked(says("here"), says("there"), Reach::Device, "edgecoder-auto").await;
    assert_eq!(
        (&body["choices"][0]["message"]["content"], &body["edgecoder"]["route"]),
        (&json!("here"), &json!("local"))
    );
    assert_eq!(body["edgecoder"]["rejected"][0]["node"], "there");
    let failing = ScriptedEngine::new().fail(Error::EngineCrashed { reason: "x".into() });
    let (_, body) = asked(failing, says("there"), Reach::Device, "edgecoder-auto").await;
    assert_eq!(body["choices"][0]["message"]["content"], "there", "{body}");
    assert_eq!(
        (&body["edgecoder"]["route"], &body["edgecoder"]["node"]),
        (&json!("device"), &json!("there"))
    );
    assert!(body["edgecoder"]["notes"][0].as_str().unwrap().starts_with("here did not answer"), "{body}");
}

#[tokio::test]
async fn models_and_the_swarm_are_looked_for_where_they_are() {
    for model in ["large", "edgecoder-swarm"] {
        let (_, body) = asked(says("here"), says("there"), Reach::Device, model).await;
        assert_eq!(body["choices"][0]["message"]["content"], "there", "{model}: {body}");
    }
}

#[tokio::test]
async fn words_do_not_go_beyond_the_tier() {
    let there = says("there");
    let failing = ScriptedEngine::new().fail(Error::EngineCrashed { reason: "x".into() });
    let (status, _) = asked(failing, there.clone(), Reach::Public, "edgecoder-auto").await;
    assert_eq!(status, 503);
    let (status, body) = asked(says("here"), there.clone(), Reach::Invited, "edgecoder-swarm").await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("no_place")));
    assert!(there.requests().is_empty(), "it never saw a word");
}

#[tokio::test]
async fn after_the_first_word_nobody_else_is_asked() {
    let there = says("there");
    let breaking =
        ScriptedEngine::new().break_after("half an answer", Error::EngineCrashed { reason: "x".into() });
    let (status, _) = asked(breaking, there.clone(), Reach::Device, "edgecoder-auto").await;
    assert_eq!(status, 503);
    assert!(there.requests().is_empty());
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_asked_of_nobody_else() {
    let there = says("there");
    let refusing = ScriptedEngine::new().fail(Error::InvalidRequest { reason: "no".into() });
    let (status, _) = asked(refusing, there.clone(), Reach::Device, "edgecoder-auto").await;
    assert_eq!(status, 400);
    assert!(there.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_late_first_word_is_raced_by_another_machine() {
    let (status, body) =
        asked(ScriptedEngine::new().hang_after(""), says("there"), Reach::Device, "edgecoder-auto").await;
    assert_eq!((status, &body["choices"][0]["message"]["content"]), (200, &json!("there")), "{body}");
    assert!(body["edgecoder"]["notes"][0].as_str().unwrap().contains("late"), "{body}");
}

#[tokio::test]
async fn the_status_has_the_fields_of_earlier_versions_and_the_decision() {
    let rig = Rig::new(says("x"));
    rig.post("/v1/chat/completions", chat(json!({}))).await;
    let status = rig.get("/v1/router/status").await.json();
    let known = [
        "activeConcurrent",
        "concurrencyCap",
        "localLatencyP95Ms",
        "latencyThresholdMs",
        "latencySamples",
        "bluetoothEnabled",
        "swarmEnabled",
    ];
    for field in known {
        assert!(status.get(field).is_some(), "{field}: {status}");
    }
    assert_eq!((&status["latencySamples"], &status["swarmEnabled"]), (&json!(1), &json!(false)));
    assert_eq!(status["now"]["route"], "local");
}
