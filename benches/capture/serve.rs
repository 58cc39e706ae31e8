//! Four cheap relays in one process: lines of a file, put into frames as they are. No work that a capture could wait for.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::events::{KIND, holds, time};

/// Events a page holds at most, as with most relays of the field.
const CAP: usize = 500;
/// The subscription whose answer is not paged: reading frames alone is what it measures.
pub(crate) const ALL: &str = "all";
/// Bytes of one message of a list; twice as many in hex.
const LIST_BYTES: u64 = 250_000;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 256 * 1024;

/// Everything that the relays share.
struct Shelf {
    text: Vec<u8>,
    /// Where each line begins; one more for the end.
    starts: Vec<usize>,
    /// Ids with the numbers of their lines, by id.
    ids: Vec<([u8; 32], u32)>,
}

/// What one relay holds.
struct Relay {
    shelf: Arc<Shelf>,
    /// Line numbers, oldest first.
    numbers: Vec<u32>,
    list: Option<NegentropyStorageVector>,
}

/// Serves until the input ends; says its addresses first.
pub(crate) fn run(file: &Path, lists: bool) {
    let shelf = Arc::new(Shelf::read(file));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for relay in 0..super::RELAYS {
        let relay = Arc::new(Relay::new(Arc::clone(&shelf), relay, lists));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        println!("ws://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(greet(stream, Arc::clone(&relay)));
            }
        });
    }
    std::io::stdout().flush().expect("somebody listens");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    runtime.shutdown_background();
}

impl Shelf {
    fn read(file: &Path) -> Self {
        let text = std::fs::read(file).expect("the events were made");
        let mut starts = vec![0];
        starts.extend(text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
        let mut ids: Vec<([u8; 32], u32)> = (0..starts.len() - 1)
            .map(|number| {
                let mut id = [0; 32];
                let at = starts[number] + br#"{"id":""#.len();
                faster_hex::hex_decode(&text[at..at + 64], &mut id).expect("an id comes first");
                (id, u32::try_from(number).expect("few enough"))
            })
            .collect();
        ids.sort_unstable();
        Self { text, starts, ids }
    }

    fn line(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.text[self.starts[number]..self.starts[number + 1] - 1]
    }
}

impl Relay {
    fn new(shelf: Arc<Shelf>, relay: u32, lists: bool) -> Self {
        let all = u32::try_from(shelf.starts.len() - 1).expect("few enough");
        let numbers: Vec<u32> = (0..all).filter(|number| holds(relay, *number)).collect();
        let mut made = Self { shelf, numbers, list: None };
        if lists {
            let mut held =
                made.shelf.ids.iter().filter(|(_, number)| holds(relay, *number)).copied().collect::<Vec<_>>();
            made.list = Some(storage(&mut held));
        }
        made
    }

    /// The lines of a time window, oldest first.
    fn window(&self, filter: &Value) -> &[u32] {
        if filter["kinds"].as_array().is_some_and(|kinds| kinds.iter().all(|kind| *kind != KIND)) {
            return &[];
        }
        let since = filter["since"].as_i64().unwrap_or(i64::MIN);
        let until = filter["until"].as_i64().unwrap_or(i64::MAX);
        let from = self.numbers.partition_point(|number| time(*number) < since);
        let to = self.numbers.partition_point(|number| time(*number) <= until);
        &self.numbers[from..to.max(from)]
    }

    fn by_ids(&self, ids: &[Value]) -> Vec<u32> {
        let number = |id: &Value| {
            let mut bytes = [0; 32];
            faster_hex::hex_decode(id.as_str()?.as_bytes(), &mut bytes).ok()?;
            let at = self.shelf.ids.binary_search_by(|(known, _)| known.cmp(&bytes)).ok()?;
            let number = self.shelf.ids[at].1;
            self.numbers.binary_search(&number).ok().map(|_| number)
        };
        ids.iter().filter_map(number).collect()
    }

    fn page(&self, subscription: &str, filter: &Value) -> Vec<u32> {
        let cap = if subscription == ALL { usize::MAX } else { CAP };
        let limit = filter["limit"].as_u64().map_or(cap, |limit| usize::try_from(limit).unwrap_or(cap).min(cap));
        match filter["ids"].as_array() {
            Some(ids) => self.by_ids(ids).into_iter().take(limit).collect(),
            None => self.window(filter).iter().rev().take(limit).copied().collect(),
        }
    }
}

fn storage(items: &mut Vec<([u8; 32], u32)>) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::with_capacity(items.len());
    for (id, number) in items.drain(..) {
        let at = u64::try_from(time(number)).expect("after 1970");
        storage.insert(at, Id::from_byte_array(id)).expect("not sealed yet");
    }
    storage.seal().expect("not sealed yet");
    storage
}

async fn greet(mut stream: TcpStream, relay: Arc<Relay>) {
    let mut head = [0; 2048];
    let length = stream.peek(&mut head).await.unwrap_or(0);
    if !String::from_utf8_lossy(&head[..length]).to_ascii_lowercase().contains("upgrade: websocket") {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        return;
    }
    let _ = stream.set_nodelay(true);
    if let Ok(socket) = accept_async(stream).await {
        // Whoever leaves in the middle is done.
        let _ = converse(socket, &relay).await;
    }
}

type Spoken = Result<(), tokio_tungstenite::tungstenite::Error>;

async fn converse(mut socket: WebSocketStream<TcpStream>, relay: &Relay) -> Spoken {
    let mut lists: Vec<(String, Negentropy<'_, NegentropyStorageVector>)> = Vec::new();
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
        let subscription = message[1].as_str().unwrap_or_default();
        match message[0].as_str().unwrap_or_default() {
            "REQ" => send_page(&mut socket, relay, subscription, &message[2]).await?,
            "COUNT" => {
                let count = relay.window(&message[2]).len();
                socket.send(Message::text(json!(["COUNT", subscription, {"count": count}]).to_string())).await?;
            }
            "NEG-OPEN" => {
                lists.retain(|(name, _)| name != subscription);
                let Some(engine) = engine(relay, &message[2]) else {
                    socket.send(Message::text(json!(["CLOSED", subscription, "unsupported: no"]).to_string())).await?;
                    continue;
                };
                lists.push((subscription.to_owned(), engine));
                answer_list(&mut socket, &mut lists, subscription, &message[3]).await?;
            }
            "NEG-MSG" => answer_list(&mut socket, &mut lists, subscription, &message[2]).await?,
            "NEG-CLOSE" => lists.retain(|(name, _)| name != subscription),
            _ => {}
        }
    }
    Ok(())
}

fn engine<'a>(relay: &'a Relay, filter: &Value) -> Option<Negentropy<'a, NegentropyStorageVector>> {
    let list = relay.list.as_ref()?;
    let window = relay.window(filter);
    if window.len() == relay.numbers.len() {
        return Negentropy::borrowed(list, LIST_BYTES).ok();
    }
    let first = window.first().copied().unwrap_or(0);
    let last = window.last().copied().unwrap_or(0);
    let inside = |number: u32| !window.is_empty() && (first..=last).contains(&number);
    let ids = relay.shelf.ids.iter().filter(|(_, number)| inside(*number));
    let mut ids: Vec<_> = ids.filter(|(_, number)| window.binary_search(number).is_ok()).copied().collect();
    Negentropy::owned(storage(&mut ids), LIST_BYTES).ok()
}

async fn answer_list(
    socket: &mut WebSocketStream<TcpStream>,
    lists: &mut [(String, Negentropy<'_, NegentropyStorageVector>)],
    subscription: &str,
    query: &Value,
) -> Spoken {
    let hex = query.as_str().unwrap_or_default();
    let mut bytes = vec![0; hex.len() / 2];
    let engine = lists.iter_mut().find(|(name, _)| name == subscription);
    let reply = match (faster_hex::hex_decode(hex.as_bytes(), &mut bytes), engine) {
        (Ok(()), Some((_, engine))) => engine.reconcile(&bytes).ok(),
        _ => None,
    };
    let reply = reply.map_or_else(
        || json!(["NEG-ERR", subscription, "error: bad message"]),
        |reply| json!(["NEG-MSG", subscription, faster_hex::hex_string(&reply)]),
    );
    socket.send(Message::text(reply.to_string())).await
}

async fn send_page(
    socket: &mut WebSocketStream<TcpStream>,
    relay: &Relay,
    subscription: &str,
    filter: &Value,
) -> Spoken {
    let head = format!(r#"["EVENT","{subscription}","#);
    let mut buffer = Vec::with_capacity(WRITE_BYTES + 4_096);
    for number in relay.page(subscription, filter) {
        let line = relay.shelf.line(number);
        frame(&mut buffer, &[head.as_bytes(), line, b"]"]);
        if buffer.len() >= WRITE_BYTES {
            socket.get_mut().write_all(&buffer).await?;
            buffer.clear();
        }
    }
    frame(&mut buffer, &[json!(["EOSE", subscription]).to_string().as_bytes()]);
    socket.get_mut().write_all(&buffer).await?;
    Ok(())
}

/// One text frame from a server (RFC 6455, 5.2).
fn frame(buffer: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    buffer.push(0x81);
    if length < 126 {
        buffer.push(u8::try_from(length).expect("below 126"));
    } else if let Ok(length) = u16::try_from(length) {
        buffer.push(126);
        buffer.extend(length.to_be_bytes());
    } else {
        buffer.push(127);
        buffer.extend(u64::try_from(length).expect("lengths fit").to_be_bytes());
    }
    for part in parts {
        buffer.extend_from_slice(part);
    }
}
