//! Remotes: what is sent and fetched is shown first, files change by an action of their own, and nothing that a repository
//! or a server says is run, followed or believed. The server is git's own, on loopback.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use edgecoder_companion::Event;
use futures::StreamExt as _;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::rig::{Line, Rig, Scripted, Seen};

/// Sooner than git's programs give up by themselves.
const SOON: Duration = Duration::from_secs(20);

/// A server with one repository, `a.git`.
struct Server {
    home: TempDir,
    address: SocketAddr,
}

impl Server {
    /// It has a thread of its own: the project's own git is waited for without a pause.
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        run(home.path(), &["init", "-q", "--bare", "-b", "main", "a.git"]);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, base) = (listener.local_addr().unwrap(), home.path().to_owned());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (input, output): (OwnedFd, OwnedFd) = (stream.try_clone().unwrap().into(), stream.into());
                let mut daemon = Command::new("git");
                daemon.args(["daemon", "--inetd", "--export-all", "--enable=receive-pack"]);
                daemon.arg(format!("--base-path={}", base.display()));
                let mut child = daemon.stdin(input).stdout(output).stderr(Stdio::null()).spawn().unwrap();
                child.wait().unwrap();
            }
        });
        Self { home, address }
    }

    fn url(&self) -> String {
        format!("git://{}/a.git", self.address)
    }

    fn repository(&self) -> PathBuf {
        self.home.path().join("a.git")
    }

    fn git(&self, args: &[&str]) -> String {
        run(&self.repository(), args)
    }

    /// A commit of somebody else.
    fn commit(&self, files: &[(&str, &str)], message: &str) {
        let work = self.home.path().join("work");
        if !work.is_dir() {
            run(self.home.path(), &["clone", "-q", "a.git", "work"]);
        }
        run(&work, &["pull", "-q", "--ff-only"]);
        for (path, text) in files {
            std::fs::write(work.join(path), text).unwrap();
        }
        run(&work, &["add", "."]);
        run(&work, &["commit", "-q", "-m", message]);
        run(&work, &["push", "-q", "origin", "HEAD:main"]);
    }
}

fn run(at: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Bob", "-c", "user.email=bob@example.org"];
    let output = Command::new("git").arg("-C").arg(at).args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A project whose first commit is at the server.
fn rig(files: &[(&str, &str)]) -> (Rig, Server) {
    let (rig, server) = (Rig::new(files), Server::start());
    rig.repository();
    rig.git(&["remote", "add", "origin", &server.url()]);
    rig.git(&["push", "-q", "origin", "main"]);
    (rig, server)
}

fn commit(rig: &Rig, path: &str, text: &str, message: &str) {
    std::fs::write(rig.project().join(path), text).unwrap();
    rig.git(&["add", "."]);
    rig.git(&["commit", "-q", "-m", message]);
}

fn call(tool: &'static str) -> [Line; 1] {
    [Line::Calls(tool, json!({}))]
}

/// A chat in which a person agrees to those actions whose title begins with one of `agreed`.
async fn chat(rig: &Rig, lines: [Line; 1], agreed: &[&str]) -> Seen {
    let mut events = rig.start(rig.ask("go"), &Scripted::new(lines)).await;
    let mut seen = Seen::default();
    while let Some(event) = events.next().await {
        if let Event::ToolCall { id, title, requires_approval: true, .. } = &event {
            rig.companion.decide(id, agreed.iter().any(|start| title.starts_with(start))).unwrap();
        }
        seen.0.push(event);
    }
    seen
}

/// Programs that a repository names in its settings and hooks; each would leave this mark.
fn traps(rig: &Rig) -> PathBuf {
    let mark = rig.home.path().join("ran");
    let trap = rig.home.path().join("trap");
    program(&trap, &format!("touch {}\ncat", mark.display()));
    let trap = trap.display().to_string();
    let helper = format!("!{trap}");
    for (key, value) in [
        ("core.gitProxy", trap.as_str()),
        ("core.sshCommand", &trap),
        ("core.askPass", &trap),
        ("core.fsmonitor", &trap),
        ("core.alternateRefsCommand", &trap),
        ("credential.helper", &helper),
        ("remote.origin.uploadpack", &trap),
        ("remote.origin.receivepack", &trap),
        ("filter.evil.clean", &trap),
        ("filter.evil.smudge", &trap),
        ("diff.evil.textconv", &trap),
        ("gpg.program", &trap),
        ("push.gpgSign", "true"),
        ("log.showSignature", "true"),
        ("fetch.recurseSubmodules", "true"),
        ("submodule.recurse", "true"),
        ("push.recurseSubmodules", "on-demand"),
    ] {
        rig.git(&["config", key, value]);
    }
    let hooks = rig.project().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in ["pre-push", "reference-transaction", "post-checkout", "post-merge", "post-index-change"] {
        program(&hooks.join(hook), &format!("touch {}", mark.display()));
    }
    mark
}

fn program(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_push_shows_where_and_what_and_sends_only_then() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    commit(&rig, "a.txt", "two\n", "second");
    commit(&rig, "a.txt", "three\n", "third\u{1b}[2K");
    let first = server.git(&["rev-parse", "main"]);
    let rejected = chat(&rig, call("git_push"), &[]).await;
    let (class, title, asks) = rejected.actions().remove(0);
    let where_to = format!("git push main to {}: 2 commits: ", server.url());
    assert!(title.starts_with(&where_to) && title.ends_with(" second"), "{title}");
    assert!(title.contains("third\\u{1b}[2K; "), "{title}");
    assert_eq!((class.as_str(), asks), ("network", true));
    assert!(rejected.results()[0].as_ref().unwrap_err().contains("rejected"));
    assert_eq!(server.git(&["rev-parse", "main"]), first);
    let sent = chat(&rig, call("git_push"), &["git push"]).await;
    assert!(sent.results()[0].as_ref().unwrap().starts_with("origin/main is at "), "{:?}", sent.results());
    assert_eq!(server.git(&["rev-parse", "main"]), rig.git(&["rev-parse", "HEAD"]));
    assert_eq!(rig.git(&["status", "--short", "--branch"]), "## main");
    assert_eq!(rig.git(&["rev-parse", "origin/main"]), rig.git(&["rev-parse", "HEAD"]));
    let again = chat(&rig, call("git_push"), &["git push"]).await;
    assert!(again.results()[0].as_ref().unwrap_err().contains("has all of main already"));
}

#[tokio::test]
async fn hole_07_a_push_with_a_secret_is_protected_also_where_it_was_taken_back() {
    let (rig, _server) = rig(&[("a.txt", "one\n")]);
    commit(&rig, ".env", "TOKEN=sesame\n", "oops");
    rig.git(&["rm", "-q", ".env"]);
    rig.git(&["commit", "-q", "-m", "taken back"]);
    let seen = chat(&rig, call("git_push"), &[]).await;
    let (class, title, asks) = seen.actions().remove(0);
    assert_eq!((class.as_str(), asks), ("protected", true));
    assert!(title.contains("(with what looks like a secret: ") && !title.contains("sesame"), "{title}");
}

#[tokio::test]
async fn a_push_that_is_no_fast_forward_is_refused_by_the_server() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    server.commit(&[("b.txt", "b\n")], "theirs");
    let theirs = server.git(&["rev-parse", "main"]);
    commit(&rig, "a.txt", "two\n", "ours");
    let seen = chat(&rig, call("git_push"), &["git push"]).await;
    assert!(seen.results()[0].as_ref().unwrap_err().contains("failed to push"), "{:?}", seen.results());
    assert_eq!(server.git(&["rev-parse", "main"]), theirs);
    let other = [Line::Calls("git_push", json!({"branch": "elsewhere"}))];
    rig.git(&["branch", "elsewhere"]);
    let new = chat(&rig, other, &["git push the new branch elsewhere"]).await;
    assert!(new.results()[0].is_ok(), "{:?}", new.results());
    assert_eq!(server.git(&["rev-parse", "elsewhere"]), rig.git(&["rev-parse", "HEAD"]));
}

#[tokio::test]
async fn a_fetch_moves_what_is_known_of_the_remote_and_nothing_else() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    server.commit(&[("b.txt", "b\n")], "theirs");
    server.git(&["branch", "topic", "main"]);
    let old = rig.git(&["rev-parse", "HEAD"]);
    let rejected = chat(&rig, call("git_fetch"), &[]).await;
    let shown = format!("git fetch: every branch of origin, {}", server.url());
    assert_eq!(rejected.actions(), [("network".to_owned(), shown, true)]);
    assert_eq!(rig.git(&["rev-parse", "origin/main"]), old);
    let seen = chat(&rig, call("git_fetch"), &["git fetch"]).await;
    let told = seen.results()[0].clone().unwrap();
    assert!(told.contains("origin/main: ") && told.contains("origin/topic: new"), "{told}");
    assert_eq!(rig.git(&["rev-parse", "origin/main"]), server.git(&["rev-parse", "main"]));
    assert_eq!((rig.git(&["rev-parse", "HEAD"]), rig.text("b.txt")), (old, None));
    assert_eq!(rig.git(&["fsck", "--strict"]), "");
    let again = chat(&rig, call("git_fetch"), &["git fetch"]).await;
    assert_eq!(again.results(), [Ok("nothing is new at origin".to_owned())]);
}

#[tokio::test]
async fn a_pull_asks_once_to_fetch_and_once_to_change_files() {
    let (rig, server) = rig(&[("a.txt", "one\n"), ("mine.txt", "x\n")]);
    server.commit(&[("a.txt", "two\n"), ("b.txt", "b\n")], "theirs");
    std::fs::write(rig.project().join("mine.txt"), "changed\n").unwrap();
    let old = rig.git(&["rev-parse", "HEAD"]);
    let fetched = chat(&rig, call("git_pull"), &["git pull"]).await;
    let actions = fetched.actions();
    assert_eq!(actions[0].1, format!("git pull: fetch main of origin, {}", server.url()));
    assert_eq!((actions[1].0.as_str(), actions[1].2), ("write", true));
    assert!(actions[1].1.starts_with("fast-forward main by 1 commit: "), "{actions:?}");
    assert!(actions[1].1.ends_with(" theirs; 2 files"), "{actions:?}");
    assert_eq!(fetched.names().iter().filter(|name| **name == "diff").count(), 2);
    assert_eq!((rig.git(&["rev-parse", "HEAD"]), rig.text("b.txt")), (old, None));
    let pulled = chat(&rig, call("git_pull"), &["git pull", "fast-forward"]).await;
    assert!(pulled.results()[1].as_ref().unwrap().starts_with("main is at "), "{:?}", pulled.results());
    assert_eq!(rig.git(&["rev-parse", "HEAD"]), server.git(&["rev-parse", "main"]));
    assert_eq!((rig.text("a.txt").as_deref(), rig.text("b.txt").as_deref()), (Some("two\n"), Some("b\n")));
    assert_eq!(rig.git(&["status", "--short"]), "M mine.txt", "what was not committed stays");
    let again = chat(&rig, call("git_pull"), &["git pull"]).await;
    assert_eq!(again.results(), [Ok("nothing is new: all of origin/main is here".to_owned())]);
}

#[tokio::test]
async fn a_pull_that_would_overwrite_or_merge_changes_nothing() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    server.commit(&[("a.txt", "two\n")], "theirs");
    let old = rig.git(&["rev-parse", "HEAD"]);
    std::fs::write(rig.project().join("a.txt"), "mine\n").unwrap();
    let all = ["git pull", "fast-forward"];
    let overwrites = chat(&rig, call("git_pull"), &all).await;
    assert!(overwrites.results()[1].as_ref().unwrap_err().contains("a.txt"), "{:?}", overwrites.results());
    assert_eq!((rig.git(&["rev-parse", "HEAD"]), rig.text("a.txt").as_deref()), (old, Some("mine\n")));
    rig.git(&["commit", "-q", "-a", "-m", "ours"]);
    let diverged = chat(&rig, call("git_pull"), &all).await;
    assert_eq!(diverged.actions().len(), 1, "nothing more is asked");
    assert!(diverged.results()[0].as_ref().unwrap_err().contains("both sides"), "{:?}", diverged.results());
    assert_eq!(rig.text("a.txt").as_deref(), Some("mine\n"));
}

#[tokio::test]
async fn hole_07_what_a_pull_brings_that_runs_by_itself_or_cannot_be_shown_is_protected() {
    for (path, text) in [("Makefile", "all:\n"), ("package.json", "{}\n"), ("picture.bin", "\0\u{1}")] {
        let (rig, server) = rig(&[("a.txt", "one\n")]);
        server.commit(&[(path, text)], "theirs");
        let seen = chat(&rig, call("git_pull"), &["git pull"]).await;
        assert_eq!(seen.actions()[1].0, "protected", "{path}: {:?}", seen.actions());
        assert_eq!(seen.actions()[1].1.contains("1 of them not shown (picture.bin)"), path == "picture.bin");
    }
}

#[tokio::test]
async fn hole_07_a_remote_starts_nothing_that_the_repository_names() {
    let (rig, server) = rig(&[("a.txt", "one\n"), (".gitattributes", "* filter=evil diff=evil\n")]);
    let mark = traps(&rig);
    server.commit(
        &[("b.txt", "b\n"), (".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ../a.git\n")],
        "theirs",
    );
    let work = server.home.path().join("work");
    let link = format!("160000,{},s", run(&work, &["rev-parse", "HEAD"]));
    run(&work, &["update-index", "--add", "--cacheinfo", &link]);
    run(&work, &["commit", "-q", "-m", "a submodule"]);
    run(&work, &["push", "-q", "origin", "HEAD:main"]);
    let all = ["git fetch", "git pull", "fast-forward", "git push"];
    for tool in ["git_fetch", "git_pull"] {
        let seen = chat(&rig, call(tool), &all).await;
        assert!(seen.results().iter().all(Result::is_ok), "{tool}: {:?}", seen.results());
        assert!(!mark.is_file(), "{tool} ran a program of the repository");
    }
    assert_eq!(rig.text("b.txt").as_deref(), Some("b\n"));
    let inside = std::fs::read_dir(rig.project().join("s")).unwrap();
    assert_eq!(inside.count(), 0, "a submodule is not followed");
    rig.git(&["-c", "core.hooksPath=/dev/null", "branch", "work"]);
    let seen = chat(&rig, [Line::Calls("git_push", json!({"branch": "work"}))], &all).await;
    assert!(seen.results()[0].is_ok(), "{:?}", seen.results());
    assert!(!mark.is_file(), "git_push ran a program of the repository");
    let by_hand = Command::new("git").arg("-C").arg(rig.project()).arg("fetch").output().unwrap();
    assert!(mark.is_file(), "the traps are real: {by_hand:?}");
}

#[tokio::test]
async fn hole_07_addresses_that_name_programs_or_files_are_not_asked_about() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    let mark = rig.home.path().join("ran");
    let program = format!("ext::sh -c touch% {}", mark.display());
    let folder = server.repository().display().to_string();
    let file = format!("file://{folder}");
    commit(&rig, "a.txt", "two\n", "second");
    rig.git(&["config", "protocol.ext.allow", "always"]);
    for address in [program.as_str(), &folder, &file, "http://example.org/a.git"] {
        rig.git(&["remote", "set-url", "origin", address]);
        for tool in ["git_fetch", "git_pull", "git_push"] {
            let seen = chat(&rig, call(tool), &["git"]).await;
            assert!(!seen.actions()[0].2 && seen.results()[0].is_err(), "{tool} {address}: {seen:?}");
        }
    }
    rig.git(&["remote", "set-url", "origin", &server.url()]);
    rig.git(&["config", &format!("url.{program}.insteadOf"), &server.url()]);
    let rewritten = chat(&rig, call("git_push"), &["git"]).await;
    assert!(!rewritten.actions()[0].2 && rewritten.results()[0].is_err());
    assert!(!mark.is_file());
}

#[tokio::test]
async fn hole_07_an_address_that_changed_after_it_was_shown_is_not_spoken_with() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    commit(&rig, "a.txt", "two\n", "second");
    let first = server.git(&["rev-parse", "main"]);
    let mut events = rig.start(rig.ask("go"), &Scripted::new(call("git_push"))).await;
    let Some(Event::ToolCall { id, .. }) = events.next().await else { panic!("nothing is asked") };
    rig.git(&["remote", "set-url", "origin", "https://elsewhere.example/a.git"]);
    rig.companion.decide(&id, true).unwrap();
    let rest = Seen(events.collect().await);
    assert!(
        rest.results()[0].as_ref().unwrap_err().contains("lies elsewhere meanwhile"),
        "{:?}",
        rest.results()
    );
    assert_eq!(server.git(&["rev-parse", "main"]), first);
}

/// A server that asks for a password, at every request.
async fn asking() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = [0_u8; 4_096];
            let _all = stream.read(&mut read).await;
            let answer = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _told = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn nobody_is_asked_for_a_password_and_keys_are_not_shown() {
    let (rig, _server) = rig(&[("a.txt", "one\n")]);
    let (address, _tasks) = asking().await;
    let mark = traps(&rig);
    for user in ["", "ada:s3cret@"] {
        rig.git(&[
            "-c",
            "core.hooksPath=/dev/null",
            "remote",
            "set-url",
            "origin",
            &format!("http://{user}{address}/a.git"),
        ]);
        let seen = chat(&rig, call("git_fetch"), &["git fetch"]).await;
        let shown = format!("git fetch: every branch of origin, http://{address}/a.git");
        assert_eq!(seen.actions()[0].1, shown);
        let why = seen.results()[0].clone().unwrap_err();
        assert!(why.starts_with("git: ") && !why.contains("s3cret"), "{why}");
        assert!(!mark.is_file(), "a program was asked for a password");
    }
}

#[tokio::test]
async fn what_a_server_says_is_cut_and_spelled_out() {
    let (rig, server) = rig(&[("a.txt", "one\n")]);
    let hook = server.repository().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let words =
        "#!/bin/sh\nprintf 'no \\342\\200\\256way\\n' >&2\nyes nonsense | head -c 300000 >&2\nexit 1\n";
    std::fs::write(&hook, words).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    commit(&rig, "a.txt", "two\n", "second");
    let seen = chat(&rig, call("git_push"), &["git push"]).await;
    let why = seen.results()[0].clone().unwrap_err();
    assert!(why.contains("no \\u{202e}way") && why.chars().count() < 13_000, "{}: {why:.300}", why.len());
    assert!(!why.contains('\u{202e}'));
}

#[tokio::test]
async fn hole_07_who_hangs_up_ends_git_and_what_it_speaks_through() {
    let (rig, _server) = rig(&[("a.txt", "one\n")]);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.git", silent.local_addr().unwrap());
    rig.git(&["remote", "set-url", "origin", &url]);
    let agreed = chat(&rig, call("git_fetch"), &["git fetch"]);
    let mut read = [0_u8; 4_096];
    let mut stream = tokio::select! {
        seen = agreed => panic!("nobody answered, and it is over: {seen:?}"),
        stream = async {
            let mut stream = silent.accept().await.unwrap().0;
            assert!(stream.read(&mut read).await.unwrap() > 0, "git asks");
            stream
        } => stream,
    };
    let end = tokio::time::timeout(SOON, async {
        while stream.read(&mut read).await.is_ok_and(|bytes| bytes > 0) {}
    });
    assert!(end.await.is_ok(), "a program that git started goes on");
}
