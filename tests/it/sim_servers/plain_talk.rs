//! The servers against plain clients, and the command that starts them.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use reledger::sim::{RateLimit, RelayRules, Services, SimEvent, serve_with};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{SERVERS, WORLD, behaviours};
use crate::support::{arg, code, run, shown, stderr};

/// A plain client of the first relay.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Serves the world as long as the test's process lives.
    async fn of(services: Services) -> Self {
        let serving = serve_with(Arc::clone(&WORLD), services, std::future::pending()).await.unwrap();
        Self(connect_async(format!("ws://{}", serving.relays[0])).await.unwrap().0)
    }

    async fn hear(&mut self) -> Value {
        serde_json::from_str(self.0.next().await.unwrap().unwrap().to_text().unwrap()).unwrap()
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.0.send(Message::text(message.to_string())).await.unwrap();
        self.hear().await
    }

    /// Everything up to the end of a question, and that end.
    async fn page(&mut self, filter: Value) -> (usize, Value) {
        let mut frame = self.ask(json!(["REQ", "p", filter])).await;
        let mut events = 0;
        while frame[0] == "EVENT" {
            events += 1;
            frame = self.hear().await;
        }
        (events, frame)
    }
}

fn ruled(rules: RelayRules) -> Services {
    Services { relays: vec![rules], ..Services::default() }
}

#[test]
fn a_client_of_nip_77_learns_exactly_what_it_lacks() {
    SERVERS.block_on(async {
        let mut client = Client::of(Services::default()).await;
        let all: BTreeSet<[u8; 32]> = WORLD.events.iter().map(|event| *event.id.0.as_bytes()).collect();
        for held in [0, 3, all.len() - 5, all.len()] {
            let mut storage = NegentropyStorageVector::new();
            for event in WORLD.events.iter().take(held) {
                let at = u64::try_from(event.created_at.0).unwrap();
                storage.insert(at, Id::from_byte_array(*event.id.0.as_bytes())).unwrap();
            }
            storage.seal().unwrap();
            let mut side = Negentropy::borrowed(&storage, 0).unwrap();
            let (mut have, mut need) = (Vec::new(), Vec::new());
            let mut message = json!(["NEG-OPEN", "n", {}, faster_hex::hex_string(&side.initiate().unwrap())]);
            loop {
                let reply = client.ask(message).await;
                assert_eq!((&reply[0], &reply[1]), (&json!("NEG-MSG"), &json!("n")), "{reply}");
                let mut bytes = vec![0; reply[2].as_str().unwrap().len() / 2];
                faster_hex::hex_decode(reply[2].as_str().unwrap().as_bytes(), &mut bytes).unwrap();
                let Some(next) = side.reconcile_with_ids(&bytes, &mut have, &mut need).unwrap() else { break };
                message = json!(["NEG-MSG", "n", faster_hex::hex_string(&next)]);
            }
            let known: BTreeSet<[u8; 32]> =
                WORLD.events.iter().take(held).map(|event| *event.id.0.as_bytes()).collect();
            let needed: BTreeSet<[u8; 32]> = need.iter().map(|id| id.to_bytes()).collect();
            assert_eq!(needed, all.difference(&known).copied().collect());
            assert!(have.is_empty(), "the relay lacks nothing");
            client.0.send(Message::text(json!(["NEG-CLOSE", "n"]).to_string())).await.unwrap();
        }
        let closed = client.ask(json!(["NEG-MSG", "n", "61"])).await;
        assert_eq!(closed[0], "NEG-ERR");
        let nonsense = client.ask(json!(["NEG-OPEN", "x", {}, "zz"])).await;
        assert_eq!(nonsense[0], "NEG-ERR");
    });
}

#[test]
fn counts_are_exact_and_hints_are_true() {
    SERVERS.block_on(async {
        let mut client = Client::of(ruled(RelayRules { hints: true, max_limit: 30, ..RelayRules::default() })).await;
        let of_kind = |kind: u16| WORLD.events.iter().filter(|event| event.kind == kind).count();
        let kinds: BTreeSet<u16> = WORLD.events.iter().map(|event| event.kind).collect();
        for kind in kinds {
            let count = client.ask(json!(["COUNT", "c", {"kinds": [kind]}])).await;
            assert_eq!(count, json!(["COUNT", "c", {"count": of_kind(kind)}]));
            let (events, end) = client.page(json!({"kinds": [kind]})).await;
            let hint = if of_kind(kind) > 30 { "more" } else { "finish" };
            assert_eq!((events, end), (of_kind(kind).min(30), json!(["EOSE", "p", [hint]])));
        }
        let mut silent = Client::of(Services::default()).await;
        assert_eq!(silent.page(json!({"limit": 1})).await, (1, json!(["EOSE", "p"])));
    });
}

#[test]
fn limits_are_kept() {
    SERVERS.block_on(async {
        let rules = RelayRules {
            max_filters: 2,
            max_subscriptions: 2,
            counts: false,
            reconciles: false,
            rate: Some(RateLimit { burst: 6, refill_ms: 3_600_000 }),
            ..RelayRules::default()
        };
        let mut client = Client::of(ruled(rules)).await;
        let none = json!({"kinds": [1]});
        assert_eq!(client.ask(json!(["REQ", "a", none, none, none])).await[0], "CLOSED");
        assert_eq!(client.ask(json!(["REQ", "a", none])).await[0], "EOSE");
        assert_eq!(client.ask(json!(["REQ", "b", none, none])).await[0], "EOSE");
        let third = client.ask(json!(["REQ", "c", none])).await;
        assert_eq!(third, json!(["CLOSED", "c", "error: too many subscriptions"]));
        assert_eq!(client.ask(json!(["REQ", "a", none])).await[0], "EOSE", "a name in use is replaced");
        assert_eq!(client.ask(json!(["COUNT", "c", none])).await, json!(["CLOSED", "c", "unsupported: COUNT"]));
        let seventh = client.ask(json!(["REQ", "a", none])).await;
        assert_eq!(seventh, json!(["CLOSED", "a", "rate-limited: slow down"]));
    });
}

#[test]
fn documents_come_in_pages_when_asked_for() {
    SERVERS.block_on(async {
        let serving = serve_with(Arc::clone(&WORLD), Services::default(), std::future::pending()).await.unwrap();
        let base = format!("http://{}/settlements.json", serving.http);
        let (mut cursor, mut seen) = ("0".to_owned(), 0);
        loop {
            let page =
                reqwest::get(format!("{base}?limit=7&cursor={cursor}")).await.unwrap().json::<Value>().await.unwrap();
            let records = page["settlements"].as_array().unwrap().len();
            assert_eq!(page["count"], records);
            seen += records;
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen, WORLD.settlements.len());
    });
}

#[test]
fn lying_relays_lie_each_in_their_own_way() {
    SERVERS.block_on(async {
        let full: BTreeSet<String> = WORLD.events.iter().map(SimEvent::line).collect();
        let serving =
            serve_with(Arc::clone(&WORLD), behaviours(&["relay=lie-finish"]), std::future::pending()).await.unwrap();
        let mut told = Vec::new();
        for relay in &serving.relays {
            let mut client = Client(connect_async(format!("ws://{relay}")).await.unwrap().0);
            let (events, end) = client.page(json!({"kinds": [30_087]})).await;
            assert_eq!(end, json!(["EOSE", "p", ["finish"]]));
            told.push(events);
        }
        let held = WORLD.events.iter().filter(|event| event.kind == 30_087).count().min(100);
        assert!(full.len() > held && told.iter().all(|events| *events < held), "{told:?} of {held}");
    });
}

#[test]
fn a_port_in_use_is_said_and_nothing_is_written() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = folder.path().join("world");
    let output = run(&["sim", "serve", "--events", "10", "--port", &port, "--dir", arg(&dir)]);
    assert_eq!(code(&output), 74, "{}", shown(&output));
    assert!(stderr(&output).contains(&port), "{}", shown(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_full_disk_leaves_no_half_of_a_world() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    let mut limited = Command::new("bash");
    // 40 KiB: less than the headers take.
    limited.args(["-c", "ulimit -c 0 -f 40; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_reledger")]);
    let output = limited.args(["sim", "write", "--events", "10", "--dir", arg(&dir)]).output().unwrap();
    assert_eq!(code(&output), 74, "{}", shown(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_misbehaviour_that_nobody_can_have_is_a_usage_error() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    for (text, said) in [
        ("relay", "ROLE[:INDEX]=NAME"),
        ("relay=forget", "close-mid-page"),
        ("headers=auth-flood", "relay"),
        ("relay:2=omit", "relay:2"),
        ("relay=omit@0", "NAME@n"),
    ] {
        let output = run(&["sim", "serve", "--events", "10", "--dir", arg(&dir), "--misbehave", text]);
        assert_eq!(code(&output), 2, "{text}: {}", shown(&output));
        assert!(stderr(&output).contains(said), "{text}: {}", shown(&output));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
