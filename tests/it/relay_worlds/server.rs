//! A generated relay on a real socket, with a record of what was asked and what left it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::answer::{Act, closed, notice};
use super::listing::Conversations;
use super::world::{Cap, Information, Neg, World};

/// What happened at the relay.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    pub(super) questions: u64,
    pub(super) counts: u64,
    pub(super) conversations: u64,
    pub(super) messages: u64,
    /// Events that were written to a socket in answer to what was asked.
    pub(super) given: BTreeSet<String>,
    /// Exact numbers that were told, with what was counted.
    pub(super) counted: Vec<(Value, u64)>,
    /// Kinds of which ids were listed.
    pub(super) listed: BTreeSet<u64>,
    /// Answers by their size, for people.
    pub(super) pages: BTreeMap<usize, u64>,
}

pub(super) struct Relay {
    pub(super) url: String,
    log: Arc<Mutex<Log>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub(super) fn start(world: Arc<World>, handle: &Handle) -> Self {
        let listener = handle.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Log::default()));
        let told = Arc::clone(&log);
        let accepting = handle.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(greet(stream, Arc::clone(&world), Arc::clone(&told)));
            }
        });
        Self { url, log, accepting }
    }

    pub(super) fn stop(self) -> Log {
        self.accepting.abort();
        self.log.lock().unwrap().clone()
    }
}

async fn greet(mut stream: TcpStream, world: Arc<World>, log: Arc<Mutex<Log>>) {
    let mut head = [0; 4096];
    let length = stream.peek(&mut head).await.unwrap_or(0);
    let asks = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
    if !asks.contains("upgrade: websocket") {
        let (status, body) = match world.information() {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", String::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        return;
    }
    if stream.set_nodelay(true).is_err() {
        return;
    }
    if let Ok(socket) = accept_async(stream).await {
        Visit { world, log, open: BTreeSet::new(), conversations: Conversations::default() }.serve(socket).await;
    }
}

/// One connection.
struct Visit {
    world: Arc<World>,
    log: Arc<Mutex<Log>>,
    open: BTreeSet<String>,
    conversations: Conversations,
}

impl Visit {
    async fn serve(mut self, mut socket: WebSocketStream<TcpStream>) {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            for act in self.hear(&text) {
                let failed = match act {
                    Act::Event { id, text } => {
                        let failed = socket.feed(Message::text(text)).await.is_err();
                        self.log.lock().unwrap().given.insert(id);
                        failed
                    }
                    Act::Text(text) => socket.feed(Message::text(text)).await.is_err(),
                    Act::Pause(ms) => {
                        let failed = socket.flush().await.is_err();
                        // A relay that makes its clients wait is one of those that are tried.
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        failed
                    }
                    Act::Leave => {
                        let _ = socket.flush().await;
                        return;
                    }
                };
                if failed {
                    return;
                }
            }
            if socket.flush().await.is_err() {
                return;
            }
        }
    }

    fn hear(&mut self, text: &str) -> Vec<Act> {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return vec![notice("ERROR: not JSON")] };
        let subscription = message[1].as_str().unwrap_or_default().to_owned();
        let world = Arc::clone(&self.world);
        let mut log = self.log.lock().unwrap();
        log.messages += 1;
        let nth = log.questions;
        match message[0].as_str().unwrap_or_default() {
            "REQ" => {
                log.questions += 1;
                self.open.insert(subscription.clone());
                if self.open.len() > world.open_questions_max {
                    self.open.remove(&subscription);
                    return vec![closed(&subscription, "error: too many concurrent REQs")];
                }
                let acts = world.answer_req(&subscription, &message[2], nth);
                *log.pages.entry(acts.len()).or_default() += 1;
                acts
            }
            "COUNT" => {
                log.counts += 1;
                let (acts, exact) = world.answer_count(&subscription, &message[2], nth);
                log.counted.extend(exact.map(|number| (message[2].clone(), number)));
                acts
            }
            "NEG-OPEN" | "NEG-MSG" if world.is_dead(nth) => Vec::new(),
            "NEG-OPEN" => {
                log.conversations += 1;
                let first = message[3].as_str().unwrap_or_default();
                let (acts, lists) = self.conversations.open(&world, &subscription, &message[2], first);
                log.listed.extend(message[2]["kinds"][0].as_u64().filter(|_| lists));
                acts
            }
            "NEG-MSG" => self.conversations.next(&world, &subscription, message[2].as_str().unwrap_or_default()).0,
            "CLOSE" => {
                self.open.remove(&subscription);
                Vec::new()
            }
            "NEG-CLOSE" => {
                self.conversations.close(&subscription);
                Vec::new()
            }
            "AUTH" => Vec::new(),
            _ => vec![notice("ERROR: bad msg: unknown cmd")],
        }
    }
}

impl World {
    fn information(&self) -> Option<String> {
        let (Cap::Fixed(cap) | Cap::Varies(_, cap)) = self.cap;
        let speaks_77 = !matches!(self.neg, Neg::No(_));
        let (cap, speaks_77) = match self.information {
            Information::No => return None,
            Information::Garbage => return Some("{\"limitation\":[[[".to_owned()),
            Information::True => (cap, speaks_77),
            Information::CapTooLow => (1, speaks_77),
            Information::CapTooHigh => (cap * 50, speaks_77),
            Information::WrongNips => (cap, !speaks_77),
        };
        let nips: &[u16] = if speaks_77 { &[1, 11, 77] } else { &[1, 11] };
        let limitation = json!({"max_limit": cap, "max_subscriptions": self.open_questions_max});
        Some(json!({"name": "generated", "supported_nips": nips, "limitation": limitation}).to_string())
    }
}
