//! A capsule from an index on this machine: planned, built through the gate, and used by an attempt whose test imports
//! what it holds.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use edgecoder_base::{BlobHash, Blobs, Manifest, Verifier};
use edgecoder_inference::ScriptedEngine;
use edgecoder_sandbox::{Config, Sandbox};
use edgecoder_worker::capsule::{Baseline, Bounds, Builder, Built, Kept, Planned, Sources, Traffic};
use edgecoder_workspace::Trees;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::loops::writes;
use crate::rig::{CALC, Rig, jail};

/// Imports what only the capsule has.
const TESTS: &str = "import unittest\nimport tripler\nfrom calc import triple\n\n\nclass TripleTest(unittest.TestCase):\n    \
                     def test_triple(self):\n        self.assertEqual(triple(5), tripler.triple(5))\n";
/// Writes a wheel, which is a zip file with a list of its files.
const WHEEL: &str = r#"
import sys, zipfile
info = "tripler-1.0.dist-info/"
files = {
    "tripler.py": "def triple(n):\n    return n * 3\n",
    info + "METADATA": "Metadata-Version: 2.1\nName: tripler\nVersion: 1.0\n",
    info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
files[info + "RECORD"] = "".join(name + ",,\n" for name in [*files, info + "RECORD"])
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in files.items():
        wheel.writestr(zipfile.ZipInfo(name), text)
"#;

/// An index of one package; says what it was asked for.
struct Index {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Index {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tripler-1.0-py3-none-any.whl");
        let made = Command::new("/usr/bin/python3").args(["-c", WHEEL]).arg(&path).status().unwrap();
        assert!(made.success());
        let wheel = std::fs::read(&path).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let Some(line) = lines.next() else { continue };
                for _header in lines.take_while(|line| !line.is_empty()) {}
                let path = line.split(' ').nth(1).unwrap().to_owned();
                told.lock().push(path.clone());
                let page =
                    b"<a href=\"/tripler-1.0-py3-none-any.whl\">tripler-1.0-py3-none-any.whl</a>".to_vec();
                let (status, kind, body) = match path.as_str() {
                    "/simple/tripler/" => ("200 OK", "text/html", page),
                    "/tripler-1.0-py3-none-any.whl" => ("200 OK", "application/octet-stream", wheel.clone()),
                    _ => ("404 Not Found", "text/plain", Vec::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                // A client that left has what it wanted.
                let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Self { port, asked }
    }
}

struct Yard {
    rig: Rig,
    builder: Builder,
    index: Index,
    trees: tempfile::TempDir,
}

impl Yard {
    async fn new() -> Self {
        let (rig, index) = (Rig::new().await, Index::open());
        let trees = tempfile::tempdir().unwrap();
        let builder = Builder {
            sandbox: Sandbox::new(Config { jail: Some(jail()), ..Config::default() }).unwrap(),
            shelf: rig.shelf(),
            blobs: Arc::new(rig.blobs.clone()),
            trees: Trees::new(trees.path()).unwrap(),
            sources: Sources {
                pip_index: format!("http://127.0.0.1:{}/simple", index.port),
                ..Sources::default()
            },
            bounds: Bounds { wall: Duration::from_secs(120), tree_bytes: 256 << 20 },
            clock: || edgecoder_base::Timestamp::from_millis(1),
        };
        Self { rig, builder, index, trees }
    }

    fn snapshot(&self, requirements: &str) -> (BlobHash, Manifest) {
        let files = vec![
            self.rig.file("calc.py", CALC),
            self.rig.file("requirements.txt", requirements),
            self.rig.file("tests/__init__.py", ""),
            self.rig.file("tests/test_calc.py", TESTS),
        ];
        let manifest = Manifest { files };
        (self.rig.blobs.write(&manifest.to_bytes()).unwrap(), manifest)
    }

    async fn plan(&self, manifest: &Manifest) -> Planned {
        self.builder.plan(manifest, &CancellationToken::new()).await.unwrap().remove(0)
    }

    async fn build(&self, manifest: &Manifest) -> Built {
        let planned = self.plan(manifest).await;
        let recipe = planned.recipe.unwrap();
        self.builder.build(&recipe, &planned.ingredients, &CancellationToken::new()).await.unwrap()
    }

    async fn capsule(&self, manifest: &Manifest) -> (Kept, Traffic) {
        match self.build(manifest).await {
            Built::Kept { kept, traffic } => (*kept, traffic),
            Built::Failed { exit, said, traffic } => panic!("{exit}: {said} {traffic:?}"),
        }
    }
}

fn verifier() -> Verifier {
    Verifier { command: "python3 -m unittest -q".into(), timeout_ms: 60_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_uses_a_capsule_that_was_built_from_a_local_index() {
    let mut yard = Yard::new().await;
    let (snapshot, manifest) = yard.snapshot("tripler==1.0\n");
    let planned = yard.plan(&manifest).await;
    let hosts: Vec<String> = planned.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, [format!("127.0.0.1:{}", yard.index.port)]);
    assert_eq!(*yard.index.asked.lock(), Vec::<String>::new(), "a plan asks nobody");
    let (kept, traffic) = yard.capsule(&manifest).await;
    assert_eq!(*yard.index.asked.lock(), ["/simple/tripler/", "/tripler-1.0-py3-none-any.whl"]);
    assert_eq!(traffic.received.keys().cloned().collect::<Vec<_>>(), hosts);
    assert_eq!(traffic.refused, BTreeSet::new());
    let (again, _) = yard.capsule(&manifest).await;
    assert_eq!(again.hash, kept.hash, "the same recipe gives the same tree");
    yard.rig.start_worker(ScriptedEngine::new().named("edgecoder-tiny").otherwise(writes("n * 3")), "s1");
    let mut request = yard.rig.request();
    (request.snapshot, request.verifier) = (Some(snapshot), Some(verifier()));
    let task = yard.rig.handle.submit(request, None).await.unwrap();
    let task = yard.rig.until(&task.id, |task| task.state != "running").await;
    assert_eq!(task.state, "review", "{task:#?}");
    let trace = String::from_utf8(yard.rig.handle.trace(&task.id, None).await.unwrap()).unwrap();
    assert_eq!(edgecoder_worker::trace::read(&trace).unwrap().start.capsules, [kept.hash]);
    let mark = yard.rig.shelf().get(&kept.hash).unwrap().unwrap().mark.unwrap();
    assert_ne!(mark.baseline, None, "the first attempt runs the verifier on the unchanged snapshot");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capsule_with_which_the_verifier_cannot_start_is_not_used() {
    let mut yard = Yard::new().await;
    // Without what the test imports.
    let (snapshot, manifest) = yard.snapshot("# nothing\n");
    let (kept, _) = yard.capsule(&manifest).await;
    let mark = yard
        .builder
        .baseline(&manifest, std::slice::from_ref(&kept), &verifier(), &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(mark.baseline, Some(Baseline::CannotStart), "{mark:?}");
    assert!(mark.said.contains("tripler") && !mark.is_usable(), "{mark:?}");
    yard.rig.start_worker(ScriptedEngine::new().named("edgecoder-tiny").otherwise(writes("n * 3")), "s1");
    let mut request = yard.rig.request();
    (request.snapshot, request.verifier) = (Some(snapshot), Some(verifier()));
    let task = yard.rig.handle.submit(request, None).await.unwrap();
    let task = yard.rig.until(&task.id, |task| task.state != "running").await;
    assert_eq!(task.state, "abstained", "{task:#?}");
    let allowed = Builder { trees: Trees::new(yard.trees.path()).unwrap(), ..yard.builder };
    allowed.allow(&[yard.rig.shelf().get(&kept.hash).unwrap().unwrap()]).await.unwrap();
    assert!(yard.rig.shelf().get(&kept.hash).unwrap().unwrap().mark.unwrap().is_usable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_reaches_no_host_that_was_not_agreed_to() {
    let yard = Yard::new().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = format!("127.0.0.1:{}", elsewhere.local_addr().unwrap().port());
    let (_, manifest) = yard.snapshot(&format!("x @ http://{address}/x-1.0.tar.gz\n"));
    let planned = yard.plan(&manifest).await;
    assert!(planned.ingredients.notes.iter().any(|note| note.to_string().contains("is no index")));
    match yard.build(&manifest).await {
        Built::Failed { said, traffic, .. } => {
            assert_eq!(traffic.refused, BTreeSet::from([address]), "{said}");
            assert!(said.contains("403"), "{said}");
        }
        Built::Kept { .. } => panic!("something was built of nothing"),
    }
    assert!(elsewhere.accept().is_err(), "somebody came through");
}
