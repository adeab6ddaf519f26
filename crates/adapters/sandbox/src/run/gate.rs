//! The gate of a workshop: a proxy of HTTP whose ear is inside the run's network and whose mouth is outside. It knows
//! a list of hosts and leads nowhere else; what it leads is not looked at.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener as StdListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::shown::{Traffic, Workshop};

/// Connections at once; package tools use up to fifty.
const MAX_CONNECTIONS: usize = 64;
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Time to send the head of a request, and to reach a host.
const PATIENCE: Duration = Duration::from_secs(20);
/// Read size.
const CHUNK: usize = 64 * 1024;
/// Hosts that were refused are remembered up to this number: a program can invent any.
const MAX_REFUSED: usize = 64;

/// What is known of the traffic so far; shared by the connections.
pub(super) type Meter = Arc<Mutex<Traffic>>;

/// The first that the launcher sends: the listener of the gate, or, where the run failed before it, bytes of its last word.
pub(super) async fn listener(control: &UnixStream) -> io::Result<(Vec<u8>, Option<TcpListener>)> {
    let (bytes, descriptor) = control.async_io(Interest::READABLE, || receive(control)).await?;
    let Some(descriptor) = descriptor else { return Ok((bytes, None)) };
    let listener = StdListener::from(descriptor);
    listener.set_nonblocking(true)?;
    Ok((Vec::new(), Some(TcpListener::from_std(listener)?)))
}

fn receive(control: &UnixStream) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut into = [io::IoSliceMut::new(&mut byte)];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let got = recvmsg(control, &mut into, &mut along, flags)?.bytes;
    let descriptor = along.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        RecvAncillaryMessage::ScmCredentials(_) | _ => None,
    });
    Ok((byte[..got].to_vec(), descriptor))
}

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, workshop: &Workshop, meter: &Meter) {
    let workshop = Arc::new(workshop.clone());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_ended) = connections.join_next() => (),
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let (workshop, meter) = (Arc::clone(&workshop), Arc::clone(meter));
                    connections.spawn(async move {
                        if let Err(error) = lead(stream, &workshop, &meter).await {
                            tracing::debug!(%error, "a connection through the gate broke");
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "the gate could not take a connection");
                    tokio::task::yield_now().await;
                }
            },
        }
    }
}

async fn lead(mut inside: TcpStream, workshop: &Workshop, meter: &Meter) -> io::Result<()> {
    let head = tokio::time::timeout(PATIENCE, head(&mut inside)).await??;
    let Some(request) = Request::read(&head) else {
        return answer(&mut inside, "400 Bad Request", "the gate did not understand this").await;
    };
    let name = format!("{}:{}", request.host.0, request.host.1);
    if !workshop.hosts.contains(&request.host) {
        refuse(meter, &name);
        return answer(&mut inside, "403 Forbidden", &format!("{name} is not among the hosts agreed to"))
            .await;
    }
    let reached = tokio::time::timeout(PATIENCE, TcpStream::connect(&request.host)).await;
    let mut outside = match reached.map_err(io::Error::from).and_then(|reached| reached) {
        Ok(outside) => outside,
        Err(error) => return answer(&mut inside, "502 Bad Gateway", &format!("{name}: {error}")).await,
    };
    match &request.forward {
        Some(head) => outside.write_all(head).await?,
        None => inside.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
    }
    let (mut inside_read, mut inside_write) = inside.split();
    let (mut outside_read, mut outside_write) = outside.split();
    let out = pass(&mut inside_read, &mut outside_write, |_| ());
    let back = pass(&mut outside_read, &mut inside_write, |bytes| {
        let mut meter = meter.lock();
        let received = meter.received.entry(name.clone()).or_default();
        *received = received.saturating_add(bytes);
    });
    // The answer is what matters: whoever has it may leave the other half open for ever. Only an error of that half
    // ends it before.
    tokio::select! {
        done = async { tokio::try_join!(out, std::future::pending::<io::Result<()>>()) } => done.map(drop),
        done = back => done,
    }
}

fn refuse(meter: &Meter, name: &str) {
    let mut meter = meter.lock();
    if meter.refused.len() < MAX_REFUSED {
        meter.refused.insert(name.to_owned());
    }
}

/// One direction to its end.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut count: impl FnMut(u64),
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let got = from.read(&mut chunk).await?;
        if got == 0 {
            return to.shutdown().await;
        }
        count(got as u64);
        to.write_all(&chunk[..got]).await?;
    }
}

/// All up to the empty line, and not a byte of what follows.
async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of a request is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

async fn answer(stream: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// What a client of the gate asks for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    host: (String, u16),
    /// What the host is sent instead of the head; none for a tunnel.
    forward: Option<Vec<u8>>,
}

impl Request {
    fn read(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !version.starts_with("HTTP/1.") {
            return None;
        }
        if method == "CONNECT" {
            return Some(Self { host: host(target, None)?, forward: None });
        }
        let rest = target.strip_prefix("http://")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut forward = format!("{method} {slash}{path} HTTP/1.1\r\n");
        // One request a connection: what follows on it could be for another host.
        let dropped = ["connection:", "proxy-connection:", "proxy-authorization:", "keep-alive:"];
        for line in lines.filter(|line| !line.is_empty()) {
            let lower = line.to_ascii_lowercase();
            if !dropped.iter().any(|name| lower.starts_with(name)) {
                forward.push_str(line);
                forward.push_str("\r\n");
            }
        }
        forward.push_str("connection: close\r\n\r\n");
        Some(Self { host: host(authority, Some(80))?, forward: Some(forward.into_bytes()) })
    }
}

/// `name:port`, `[address]:port`, or without port where there is a usual one.
fn host(text: &str, usual: Option<u16>) -> Option<(String, u16)> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (text, usual?),
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    (!name.is_empty() && !name.contains('@')).then(|| (name.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: Option<(&str, u16, Option<&str>)>) {
        let found = Request::read(head.as_bytes());
        let expected = expected.map(|(name, port, forward)| Request {
            host: (name.to_owned(), port),
            forward: forward.map(|text| text.as_bytes().to_vec()),
        });
        assert_eq!(found, expected, "{head:?}");
    }

    #[test]
    fn requests_to_the_gate_are_read() {
        check("CONNECT PyPI.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", Some(("pypi.org", 443, None)));
        check("CONNECT [::1]:99 HTTP/1.1\r\n\r\n", Some(("::1", 99, None)));
        check(
            "GET http://h:81/a?b HTTP/1.1\r\nHost: h:81\r\nProxy-Authorization: x\r\nConnection: keep-alive\r\n\r\n",
            Some(("h", 81, Some("GET /a?b HTTP/1.1\r\nHost: h:81\r\nconnection: close\r\n\r\n"))),
        );
        check(
            "GET http://h HTTP/1.0\r\n\r\n",
            Some(("h", 80, Some("GET / HTTP/1.1\r\nconnection: close\r\n\r\n"))),
        );
        for wrong in [
            "CONNECT pypi.org HTTP/1.1\r\n\r\n",
            "GET /path HTTP/1.1\r\n\r\n",
            "GET https://h/ HTTP/1.1\r\n\r\n",
            "GET http://a@h/ HTTP/1.1\r\n\r\n",
            "GET http://h/ x HTTP/1.1\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
        ] {
            check(wrong, None);
        }
    }
}
