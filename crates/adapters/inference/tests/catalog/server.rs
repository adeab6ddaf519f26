//! A web server that fails in every way a test asks for. Threads and blocking sockets: nothing to schedule.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

/// A request, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Path and query.
    pub(crate) path: String,
    /// Header fields by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// Which connection it came by, counted from the first.
    pub(crate) connection: usize,
    /// How many came for this path before.
    pub(crate) earlier: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First and last byte asked for.
    pub(crate) fn range(&self) -> Option<(usize, Option<usize>)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()))
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
    stalls: bool,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    pub(crate) fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).with("location", to)
    }

    /// `content` as a good server sends it: ranges, `If-Range`, an entity tag.
    pub(crate) fn file(content: &[u8], tag: &str, request: &Request) -> Self {
        let quoted = format!("\"{tag}\"");
        let same = request.header("if-range").is_none_or(|wanted| wanted == quoted);
        let reply = match request.range().filter(|_| same) {
            Some((first, _)) if first >= content.len() => {
                Self::status(416).with("content-range", format!("bytes */{}", content.len()))
            }
            Some((first, last)) => {
                let last = last.unwrap_or(usize::MAX).min(content.len() - 1);
                let range = format!("bytes {first}-{last}/{}", content.len());
                Self { body: content[first..=last].to_vec(), ..Self::status(206) }
                    .with("content-range", range)
            }
            None => Self::ok(content),
        };
        reply.with("etag", quoted)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Closes the connection after `bytes` of the body.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    /// Sends the head and half of the body, then nothing, and does not close.
    pub(crate) fn stalled(mut self) -> Self {
        self.stalls = true;
        self
    }
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    /// Bytes of bodies by connection.
    sent_bytes: BTreeMap<usize, usize>,
    /// Connections that were left hanging; they end with the server.
    hanging: Vec<TcpStream>,
}

/// A server on a port of its own, until dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (answer, noted): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                thread::spawn(move || while serve(connection, &stream, &*answer, &noted) == Some(true) {});
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().requests.clone()
    }

    /// Bytes of bodies sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.sent_since(0)
    }

    /// A point in the order of connections. All that were made before belong to what came before, even if the server
    /// has not looked at them yet.
    pub(crate) fn mark(&self) -> usize {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(b"GET /mark HTTP/1.1\r\n\r\n").unwrap();
        BufReader::new(&stream).read_line(&mut String::new()).unwrap();
        let seen = self.seen.lock();
        1 + seen.requests.iter().rfind(|request| request.path == "/mark").unwrap().connection
    }

    /// Bytes of bodies sent by connections since a mark.
    pub(crate) fn sent_since(&self, mark: usize) -> usize {
        self.seen.lock().sent_bytes.range(mark..).map(|(_, bytes)| bytes).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for stream in self.seen.lock().hanging.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Answers one request; whether the connection goes on.
fn serve(connection: usize, stream: &TcpStream, answer: &Answer, seen: &Mutex<Seen>) -> Option<bool> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let request = {
        let mut seen = seen.lock();
        let earlier = seen.requests.iter().filter(|request| request.path == path).count();
        let request = Request { path, headers, connection, earlier };
        seen.requests.push(request.clone());
        request
    };
    let reply = answer(&request);
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| matches!(name.as_str(), "content-length" | "transfer-encoding"))
    {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    reply.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let mut stream = stream;
    let whole = reply.body.len();
    let length = if reply.stalls { whole / 2 } else { reply.cut.unwrap_or(whole).min(whole) };
    // Noted first: whoever reads the head may look at once.
    *seen.lock().sent_bytes.entry(connection).or_default() += length;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&reply.body[..length]).ok()?;
    if reply.stalls {
        seen.lock().hanging.push(stream.try_clone().ok()?);
        return Some(false);
    }
    if reply.cut.is_some() {
        let _ = stream.shutdown(Shutdown::Both);
        return Some(false);
    }
    Some(true)
}
