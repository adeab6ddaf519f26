//! Trees at a place of their own, and the run that makes one.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use edgecoder_sandbox::{Config, Error, Exit, Mode, Sandbox, Shown, Workshop};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, config};

fn shown(rig: &Rig, at: &str) -> Shown {
    Shown { from: rig.tree.path().join("src"), at: at.into(), links: Vec::new(), path: Vec::new() }
}

#[tokio::test]
async fn a_tree_is_shown_at_another_place_read_only_and_found_first() {
    let rig = Rig::new();
    std::fs::create_dir(rig.tree.path().join("src/bin")).unwrap();
    let tool = rig.tree.path().join("src/bin/ls");
    std::fs::write(&tool, "#!/bin/sh\necho ours\n").unwrap();
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut job = rig.job(
        "cat /capsule/one/deep/x /node_modules/x; ls; (echo >/capsule/one/new) 2>/dev/null || echo refused",
    );
    let links = vec![("/node_modules".to_owned(), "/capsule/one/deep".to_owned())];
    let path = vec!["/capsule/one/bin".to_owned()];
    job.shown = vec![Shown { links, path, ..shown(&rig, "/capsule/one") }];
    let report = rig.run_job(job).await;
    assert_eq!(
        (report.exit, report.stdout.text()),
        (Exit::Code(0), "x\nx\nours\nrefused\n".into()),
        "{report:?}"
    );
}

#[tokio::test]
async fn modes_without_a_root_of_their_own_refuse_shown_trees() {
    let rig = Rig::new();
    let mut job = rig.job("true");
    job.shown = vec![shown(&rig, "/capsule/one")];
    let sandbox = Sandbox::new(Config { mode: Mode::None, ..config() }).unwrap();
    let refused = sandbox.run(job, CancellationToken::new()).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    let refused =
        sandbox.run_in_workshop(rig.job("true"), &Workshop::default(), CancellationToken::new()).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}

/// A server that answers one request with `text`, and gives what it was asked.
fn server(text: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut chunk = [0; 1024];
        while !asked.ends_with(b"\r\n\r\n") && !asked.ends_with(b"tunnelled\n") {
            let got = stream.read(&mut chunk).unwrap();
            if got == 0 {
                break;
            }
            asked.extend_from_slice(&chunk[..got]);
        }
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        )
        .unwrap();
        String::from_utf8_lossy(&asked).into_owned()
    });
    (port, serving)
}

/// Asks the gate for an address, and then the address itself.
const ASK: &str = r#"
import socket, sys
def say(port, text):
    try:
        s = socket.create_connection(("127.0.0.1", port), 5)
    except OSError as error:
        return "unreachable"
    s.sendall(text.encode())
    got = b""
    while True:
        more = s.recv(4096)
        if not more:
            return got.decode().split("\r\n")[0] + " " + got.decode().split("\r\n\r\n")[-1].strip()
        got += more
allowed, other = int(sys.argv[1]), int(sys.argv[2])
print(say(3128, f"GET http://127.0.0.1:{allowed}/a HTTP/1.1\r\nhost: x\r\n\r\n"))
print(say(3128, f"GET http://127.0.0.1:{other}/a HTTP/1.1\r\nhost: x\r\n\r\n"))
print(say(3128, f"CONNECT localhost:{other} HTTP/1.1\r\n\r\n"))
print(say(3128, "nonsense\r\n\r\n"))
print(say(allowed, "GET / HTTP/1.1\r\n\r\n"))
"#;

#[tokio::test]
async fn a_workshop_reaches_the_hosts_it_was_given_and_no_other() {
    let rig = Rig::new();
    let (allowed, serving) = server("welcome");
    // Bound and never accepted from: a connection would show in its queue.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let other_port = other.local_addr().unwrap().port();
    let command = format!(
        "mkdir /capsule/made && echo kept >/capsule/made/x && cp /capsule/made/x out && python3 - {allowed} {other_port} <<'END'\n{ASK}\nEND"
    );
    let mut job = rig.job(&command);
    job.collect = vec!["out".into()];
    let workshop = Workshop { hosts: BTreeSet::from([("127.0.0.1".to_owned(), allowed)]) };
    let (report, traffic) =
        rig.sandbox.run_in_workshop(job, &workshop, CancellationToken::new()).await.unwrap();
    let refused = format!("HTTP/1.1 403 Forbidden 127.0.0.1:{other_port} is not among the hosts agreed to");
    let tunnel = format!("HTTP/1.1 403 Forbidden localhost:{other_port} is not among the hosts agreed to");
    let unreadable = "HTTP/1.1 400 Bad Request the gate did not understand this";
    let expected = format!("HTTP/1.1 200 OK welcome\n{refused}\n{tunnel}\n{unreadable}\nunreachable\n");
    assert_eq!(report.stdout.text(), expected, "{report:?}");
    assert_eq!(report.artefacts[0].found.as_deref(), Ok(&b"kept\n"[..]));
    assert_eq!(serving.join().unwrap(), "GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(traffic.received.keys().collect::<Vec<_>>(), [&format!("127.0.0.1:{allowed}")]);
    let names = [format!("127.0.0.1:{other_port}"), format!("localhost:{other_port}")];
    assert_eq!(traffic.refused, BTreeSet::from(names));
    assert!(other.accept().is_err(), "somebody came through");
}

#[tokio::test]
async fn a_tunnel_through_the_gate_passes_bytes_as_they_are() {
    let rig = Rig::new();
    let (port, serving) = server("and back");
    let ask = format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', 3128))\n\
         s.sendall(b'CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n')\nprint(s.recv(4096))\n\
         s.sendall(b'tunnelled\\n')\ngot = b''\nwhile not got.endswith(b'back'): got += s.recv(4096)\nprint(got[-8:])"
    );
    let workshop = Workshop { hosts: BTreeSet::from([("127.0.0.1".to_owned(), port)]) };
    let job = rig.job(&format!("python3 -c \"{ask}\""));
    let (report, _) = rig.sandbox.run_in_workshop(job, &workshop, CancellationToken::new()).await.unwrap();
    let expected = "b'HTTP/1.1 200 Connection established\\r\\n\\r\\n'\nb'and back'\n";
    assert_eq!(report.stdout.text(), expected, "{report:?}");
    assert_eq!(serving.join().unwrap(), "tunnelled\n");
}

#[tokio::test]
async fn other_runs_have_neither_gate_nor_place() {
    let rig = Rig::new();
    let ask = "import socket; print(socket.socket().connect_ex(('127.0.0.1', 3128)) == 0)";
    let report = rig
        .run(&format!("ls -d /capsule 2>/dev/null; mkdir /capsule 2>/dev/null; python3 -c \"{ask}\""))
        .await;
    assert_eq!(report.stdout.text(), "False\n", "{report:?}");
}
