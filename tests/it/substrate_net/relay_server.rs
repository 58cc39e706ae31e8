//! A relay that follows a script, and the honest answers to build scripts from.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use reledger::domain::sha256;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::runtime;

/// An event that looks right; nothing in this room checks its id or signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: u64,
    pub(super) created_at: i64,
    pub(super) author: String,
    pub(super) address: String,
    pub(super) json: String,
}

/// The n-th event of a kind at a second. All have one author and no address.
pub(super) fn event(n: u64, kind: u64, created_at: i64) -> Event {
    event_by("00", "", n, kind, created_at)
}

/// The n-th event of a kind at a second, by that author, with that `d` value.
pub(super) fn event_by(author: &str, address: &str, n: u64, kind: u64, created_at: i64) -> Event {
    let id = sha256(format!("{kind}/{n}").as_bytes()).to_string();
    let json = format!(
        r#"{{"id":"{id}", "kind":{kind},"created_at":{created_at},"pubkey":"{author}","tags":[["d","{address}"]],"content":"event \u0023{n}","sig":"00"}}"#
    );
    Event { id, kind, created_at, author: author.to_owned(), address: address.to_owned(), json }
}

/// A REQ with one filter.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) subscription: String,
    /// The one kind of a slice, or the first of several.
    pub(super) kind: u64,
    /// Every kind; empty is any.
    pub(super) kinds: Vec<u64>,
    pub(super) ids: Option<Vec<String>>,
    pub(super) authors: Option<Vec<String>>,
    pub(super) addresses: Option<Vec<String>>,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) limit: usize,
    /// REQs that came before, on any connection.
    pub(super) nth: usize,
}

impl Question {
    pub(super) fn read(text: &str, nth: usize) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        if value[0] != "REQ" {
            return None;
        }
        let filter = &value[2];
        let list = |name: &str| -> Option<Vec<String>> {
            let values = filter.get(name)?.as_array()?;
            Some(values.iter().map(|value| value.as_str().unwrap().to_owned()).collect())
        };
        let kinds: Vec<u64> = match &filter["kinds"] {
            Value::Array(kinds) => kinds.iter().map(|kind| kind.as_u64().unwrap()).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            subscription: value[1].as_str().unwrap().to_owned(),
            kind: kinds.first().copied().unwrap_or(u64::MAX),
            kinds,
            ids: list("ids"),
            authors: list("authors"),
            addresses: list("#d"),
            since: filter["since"].as_i64(),
            until: filter["until"].as_i64(),
            limit: filter["limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()),
            nth,
        })
    }

    /// True for a question of which only the size is wanted.
    pub(super) fn is_measure(&self) -> bool {
        self.kinds.len() != 1
    }

    /// As relays of today read a filter: ids are whole.
    pub(super) fn admits(&self, event: &Event) -> bool {
        let among = |list: &Option<Vec<String>>, value: &String| list.as_ref().is_none_or(|list| list.contains(value));
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.since.is_none_or(|since| event.created_at >= since)
            && self.until.is_none_or(|until| event.created_at <= until)
            && among(&self.ids, &event.id)
            && among(&self.authors, &event.author)
            && among(&self.addresses, &event.address)
    }

    /// The newest matching events, as NIP-01 wants them, at most `cap`.
    pub(super) fn select<'a>(&self, stored: &'a [Event], cap: usize) -> Vec<&'a Event> {
        let mut found: Vec<&Event> = stored.iter().filter(|event| self.admits(event)).collect();
        found.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        found.truncate(cap.min(self.limit));
        found
    }

    pub(super) fn event(&self, json: &str) -> Act {
        Act::Text(format!(r#"["EVENT","{}",{json}]"#, self.subscription))
    }

    pub(super) fn events<'a>(&self, events: impl IntoIterator<Item = &'a Event>) -> Vec<Act> {
        events.into_iter().map(|event| self.event(&event.json)).collect()
    }

    pub(super) fn eose(&self) -> Act {
        Act::Text(json!(["EOSE", self.subscription]).to_string())
    }

    /// A proper page.
    pub(super) fn page<'a>(&self, events: impl IntoIterator<Item = &'a Event>) -> Vec<Act> {
        let mut acts = self.events(events);
        acts.push(self.eose());
        acts
    }

    pub(super) fn closed(&self, reason: &str) -> Act {
        Act::Text(json!(["CLOSED", self.subscription, reason]).to_string())
    }
}

/// One thing a relay does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Text(String),
    Binary(Vec<u8>),
    /// Bytes straight into the TCP stream.
    Raw(Vec<u8>),
    /// Waits, as a slow relay would.
    Pause(u64),
    /// Leaves without a goodbye.
    Drop,
    /// Leaves politely.
    Close,
}

type Script = dyn Fn(&Question) -> Vec<Act> + Send + Sync;
/// What a relay makes of everything but questions and their ends, per connection.
pub(super) type Aside = dyn FnMut(&Value) -> Vec<Act> + Send;
type MakeAside = dyn Fn() -> Box<Aside> + Send + Sync;

/// What most relays say to what they do not know.
fn knows_nothing_more() -> Box<Aside> {
    Box::new(|message| match message[0].as_str() {
        Some("CLOSE" | "NEG-CLOSE") => Vec::new(),
        _ => vec![Act::Text(json!(["NOTICE", "ERROR: unknown cmd"]).to_string())],
    })
}

/// A running relay.
pub(super) struct Relay {
    pub(super) url: String,
    questions: Arc<Mutex<Vec<Question>>>,
}

impl Relay {
    pub(super) fn start(script: impl Fn(&Question) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::with_document(None, script)
    }

    /// As [`Relay::start`], with a NIP-11 document.
    pub(super) fn with_document(
        document: Option<Value>,
        script: impl Fn(&Question) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::with_more(document, script, knows_nothing_more)
    }

    /// As [`Relay::with_document`], with more commands than REQ.
    pub(super) fn with_more(
        document: Option<Value>,
        script: impl Fn(&Question) -> Vec<Act> + Send + Sync + 'static,
        aside: impl Fn() -> Box<Aside> + Send + Sync + 'static,
    ) -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let questions = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&questions));
        let aside: Arc<MakeAside> = Arc::new(aside);
        runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, document.clone(), Arc::clone(&script), aside(), Arc::clone(&seen)));
            }
        });
        Self { url, questions }
    }

    /// A relay that does everything right, with a cap per page.
    pub(super) fn honest(stored: Vec<Event>, cap: usize) -> Self {
        Self::start(move |question| question.page(question.select(&stored, cap)))
    }

    pub(super) fn questions(&self) -> Vec<Question> {
        self.questions.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    document: Option<Value>,
    script: Arc<Script>,
    mut aside: Box<Aside>,
    seen: Arc<Mutex<Vec<Question>>>,
) {
    if !wants_websocket(&stream).await {
        if let Some(document) = document {
            let body = document.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
        return;
    }
    stream.set_nodelay(true).unwrap();
    let Ok(mut socket) = accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let nth = seen.lock().unwrap().len();
        let acts = match Question::read(&text, nth) {
            Some(question) => {
                seen.lock().unwrap().push(question.clone());
                script(&question)
            }
            None => aside(&serde_json::from_str(&text).unwrap()),
        };
        for act in acts {
            let done = match act {
                Act::Text(text) => socket.feed(Message::text(text)).await.is_err(),
                Act::Binary(bytes) => socket.feed(Message::binary(bytes)).await.is_err(),
                Act::Raw(bytes) => socket.flush().await.is_err() || socket.get_mut().write_all(&bytes).await.is_err(),
                Act::Pause(ms) => {
                    let failed = socket.flush().await.is_err();
                    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
                    failed
                }
                Act::Drop => {
                    let _ = socket.flush().await;
                    return;
                }
                Act::Close => socket.close(None).await.is_err(),
            };
            if done {
                return;
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
    }
}

async fn wants_websocket(stream: &TcpStream) -> bool {
    let mut head = [0; 2048];
    let length = stream.peek(&mut head).await.unwrap_or(0);
    String::from_utf8_lossy(&head[..length]).to_ascii_lowercase().contains("upgrade: websocket")
}
