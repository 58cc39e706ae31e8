//! What the relays are given, and how.

use std::collections::BTreeSet;

use futures_util::{SinkExt as _, StreamExt as _};
use nostr_relay_builder::prelude::{EventBuilder, JsonUtil as _, Keys, Kind, Tag, Timestamp};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

pub type Event = nostr_relay_builder::prelude::Event;

/// The kind of every event: addressable, so each has a `d` of its own.
pub const KIND: u16 = 30_078;
const SPREAD: u64 = 5_000;
const CROWD: u64 = 3_000;
/// The second in the midst of the rest that holds the crowd.
const CROWDED: u64 = 1_780_300_060;
/// Events on their way at once.
const WINDOW: usize = 200;

/// 5,000 events with a minute between them, 3,000 in one second.
pub fn events() -> Vec<Event> {
    let keys: Vec<Keys> = (0..40).map(|_| Keys::generate()).collect();
    let spread = (0..SPREAD).map(|number| 1_780_000_000 + number * 120);
    let times = spread.chain((0..CROWD).map(|_| CROWDED));
    let sign = |(number, (at, keys)): (usize, (u64, &Keys))| {
        EventBuilder::new(Kind::from_u16(KIND), format!("event {number}"))
            .tag(Tag::identifier(format!("peer-{number}")))
            .custom_created_at(Timestamp::from(at))
            .sign_with_keys(keys)
            .expect("a fresh key signs")
    };
    times.zip(keys.iter().cycle()).enumerate().map(sign).collect()
}

/// Publishes over the relay's own WebSocket and waits until it took every event.
pub async fn publish(url: &str, events: &[Event]) -> Result<(), String> {
    let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, None, true).await.map_err(text)?;
    for batch in events.chunks(WINDOW) {
        let mut waiting: BTreeSet<String> = BTreeSet::new();
        for event in batch {
            waiting.insert(event.id.to_hex());
            socket.feed(Message::text(format!(r#"["EVENT",{}]"#, event.as_json()))).await.map_err(text)?;
        }
        socket.flush().await.map_err(text)?;
        while !waiting.is_empty() {
            let message = socket.next().await.ok_or("the relay left")?.map_err(text)?;
            let Message::Text(message) = message else { continue };
            let message: Value = serde_json::from_str(&message).map_err(text)?;
            if message[0] != "OK" {
                continue;
            }
            if message[2] != true {
                return Err(format!("an event was refused: {}", message[3]));
            }
            waiting.remove(message[1].as_str().unwrap_or_default());
        }
    }
    socket.close(None).await.map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
