//! An HTTP/1.1 server that answers what a script says, byte for byte, and remembers who asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use super::runtime;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// Header lines, lower-case.
    pub(super) headers: Vec<String>,
    pub(super) body: String,
}

/// What to send back.
pub(super) enum Answer {
    /// Status, header lines, body; the length is added.
    Full(u16, Vec<String>, Vec<u8>),
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, then silence until the client leaves.
    Hang(Vec<u8>),
    /// These bytes, then the same one again and again for ever.
    Endless(Vec<u8>),
    /// These bytes one at a time, so far apart, then silence.
    Drip(Vec<u8>, Duration),
    /// These bytes, then the connection is torn down.
    Reset(Vec<u8>),
    /// 200 with this body, once as many requests wait as the barrier counts.
    Together(Arc<Barrier>, Vec<u8>),
}

impl Answer {
    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Full(200, vec![], body.into())
    }

    pub(super) fn status(status: u16, body: &str) -> Self {
        Self::Full(status, vec![], body.as_bytes().to_vec())
    }
}

type Script = dyn Fn(&Request, usize) -> Answer + Send + Sync;

/// Who asked, and how many at once.
#[derive(Default)]
struct Visits {
    requests: Mutex<Vec<Request>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// A running server.
pub(super) struct HttpServer {
    pub(super) base: String,
    visits: Arc<Visits>,
}

impl HttpServer {
    /// Serves the script on a free port; it is told the request and how many came before.
    pub(super) fn start(script: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let visits = Arc::new(Visits::default());
        let script: Arc<Script> = Arc::new(script);
        let seen = Arc::clone(&visits);
        runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { base, visits }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.visits.requests.lock().unwrap().clone()
    }

    /// The most requests that were being answered at one time.
    pub(super) fn most_open(&self) -> usize {
        self.visits.most_open.load(Ordering::SeqCst)
    }

    pub(super) fn port(&self) -> &str {
        self.base.rsplit(':').next().unwrap()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, visits: Arc<Visits>) {
    let Some(request) = read_request(&mut stream).await else { return };
    let nth = {
        let mut requests = visits.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    visits.most_open.fetch_max(visits.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let mut answer = script(&request, nth);
    if let Answer::Together(barrier, body) = answer {
        barrier.wait().await;
        answer = Answer::ok(body);
    }
    visits.open.fetch_sub(1, Ordering::SeqCst);
    let (bytes, hang) = match answer {
        Answer::Endless(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
            return;
        }
        Answer::Drip(bytes, pause) => {
            for byte in bytes {
                let _ = stream.write_all(&[byte]).await;
                tokio::time::sleep(pause).await;
            }
            (Vec::new(), true)
        }
        Answer::Reset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.set_zero_linger();
            return;
        }
        Answer::Full(status, headers, body) => (whole(status, &headers, &body), false),
        Answer::Raw(bytes) => (bytes, false),
        Answer::Hang(bytes) => (bytes, true),
        Answer::Together(..) => unreachable!("replaced above"),
    };
    let _ = stream.write_all(&bytes).await;
    if !hang {
        let _ = stream.shutdown().await;
    }
    // Until the client leaves.
    let mut rest = [0; 1024];
    while matches!(stream.read(&mut rest).await, Ok(count) if count > 0) {}
}

fn whole(status: u16, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<String> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            format!("{}:{value}", name.to_ascii_lowercase())
        })
        .collect();
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method, target, headers, body: String::from_utf8(body).ok()? })
}
