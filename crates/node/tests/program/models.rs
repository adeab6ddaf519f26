//! `edgecoder model …` as a person uses it: without a network, and with one that hangs.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::rig;

/// The model in this repository.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models/tiny/edgecoder-tiny.gguf")
        .canonicalize()
        .unwrap()
}

/// `edgecoder model …` with settings that name no model.
fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = rig::command(home);
    command.env_remove("EDGECODER_INFERENCE__MODEL_PATH").arg("model").args(args);
    command
}

fn model(home: &Path, args: &[&str]) -> Output {
    command(home, args).output().unwrap()
}

#[track_caller]
fn check(output: &Output, status: i32, words: &str) {
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(words), "{said}");
}

fn list(home: &Path) -> Value {
    serde_json::from_slice(&model(home, &["list", "--json"]).stdout).unwrap()
}

#[test]
fn a_running_node_takes_a_chosen_model_at_once() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    check(&model(home, &["pull", shipped().to_str().unwrap(), "--name", "small"]), 0, "installed small");
    let mut command = rig::command(home);
    command.env_remove("EDGECODER_INFERENCE__MODEL_PATH");
    let _node = rig::Program::start(command);
    check(&model(home, &["use", "small"]), 0, "the running node answers with it");
    let used: Value = serde_json::from_slice(&model(home, &["use", "--shipped", "--json"]).stdout).unwrap();
    assert_eq!((&used["running_node"], &used["restart_needed"]), (&"ready".into(), &false.into()));
}

#[test]
fn a_model_is_pulled_used_verified_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    check(&model(home, &["list"]), 0, "no models pulled yet");
    check(&model(home, &["pull", shipped().to_str().unwrap(), "--name", "small"]), 0, "installed small");
    check(&model(home, &["use", "absent"]), 1, "no model `absent`");
    check(&model(home, &["use", "small"]), 0, "small is used from now on");
    assert_eq!(list(home)["models"][0]["active"], true);
    let path = list(home)["models"][0]["path"].as_str().unwrap().to_owned();
    let mut doctor = rig::command(home);
    let report = doctor.env_remove("EDGECODER_INFERENCE__MODEL_PATH").args(["doctor", "--json"]).output();
    let report: Value = serde_json::from_slice(&report.unwrap().stdout).unwrap();
    let finding =
        report["findings"].as_array().unwrap().iter().find(|one| one["subject"] == "model").unwrap();
    assert!(finding["found"].as_str().unwrap().contains("sha256-"), "{finding}");
    check(&model(home, &["verify"]), 0, "small");
    check(&model(home, &["rm", "small"]), 1, "in use");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"GGUF, but not this one").unwrap();
    check(&model(home, &["verify", "small"]), 1, "damaged or exchanged");
    check(&model(home, &["rm", "small", "--force"]), 0, "removed small");
    check(&model(home, &["list"]), 0, "no models pulled yet");
}

#[test]
fn a_choice_that_the_settings_overrule_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    check(&model(home, &["pull", shipped().to_str().unwrap()]), 0, "edgecoder-tiny");
    let overruled = rig::edgecoder(home, &["model", "use", "edgecoder-tiny"]);
    check(&overruled, 2, "EDGECODER_INFERENCE__MODEL_PATH sets inference.model_path");
    assert_eq!(list(home)["models"][0]["active"], false);
}

#[test]
fn without_a_network_it_says_so_and_does_what_it_can() {
    let home = tempfile::tempdir().unwrap();
    let offline =
        |args: &[&str]| command(home.path(), args).env("HF_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    check(&offline(&["search", "coder", "7b"]), 0, "qwen2.5-coder-7b");
    check(&offline(&["search", "coder", "7b"]), 0, "only the built-in list was searched");
    check(&offline(&["pull", "qwen2.5-coder-7b"]), 5, "cannot reach 127.0.0.1:1");
    check(&offline(&["pull", "what is this"]), 2, "names no model source");
    assert_eq!(offline(&["suggest", "--json"]).status.code(), Some(0));
}

/// Serves the shipped model: the first byte, and of everything else a bit more than a megabyte before it hangs.
fn hanging_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let content = std::fs::read(shipped()).unwrap();
    thread::spawn(move || {
        let mut hanging: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let probe = head.iter().any(|line| line.ends_with("bytes=0-0"));
            let end = if probe { 1 } else { content.len() };
            let answer = format!(
                "HTTP/1.1 206 X\r\ncontent-length: {end}\r\nconnection: close\r\ncontent-range: bytes 0-{}/{}\r\n\r\n",
                end - 1,
                content.len()
            );
            let sent = end.min(1_200_000);
            if stream.write_all(&[answer.as_bytes(), &content[..sent]].concat()).is_ok() && !probe {
                hanging.push(stream);
            }
        }
    });
    format!("http://{address}/m.gguf")
}

#[test]
fn ctrl_c_stops_a_pull_in_order_and_the_next_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    check(&model(home, &["pull", shipped().to_str().unwrap(), "--name", "original"]), 0, "installed");
    let sha256 = list(home)["models"][0]["model"]["sha256"].as_str().unwrap().to_owned();
    check(&model(home, &["rm", "original"]), 0, "removed");
    let url = hanging_server();
    let mut pulling = command(home, &["pull", &url, "--sha256", &sha256, "--json"]);
    let mut child = pulling.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let progress = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let came = progress.into_iter().find(|step| step["completed"].as_u64() > Some(0)).unwrap();
    assert_eq!(came["status"], "pulling");
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let left = &list(home)["unfinished"][0];
    assert!(left["completed"].as_u64() >= came["completed"].as_u64(), "{left} {came}");
    check(&model(home, &["rm", "--unfinished"]), 0, "are free again");
    assert_eq!(list(home)["unfinished"], serde_json::json!([]));
}
