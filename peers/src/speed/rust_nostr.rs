//! The crates of the rust-nostr project: the library alone on all cores, its LMDB store, its client.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use nostr::event::Event;
use nostr_database::{NostrDatabase as _, SaveEventStatus};
use nostr_lmdb::NostrLmdb;
use nostr_sdk::prelude::{Client, ClientOptions, Filter, Kind, MemoryDatabase, MemoryDatabaseOptions, RelayLimits};
use rayon::prelude::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::answer::{Answer, lines};
use super::events::{KIND, id};

/// Saves that are under way at once: LMDB has one writer, which takes together what waits for it.
const SAVES: usize = 1_024;
/// How long the client waits for the next event.
const PATIENCE: Duration = Duration::from_secs(120);

type Outcome = Result<Answer, Box<dyn Error>>;

/// Parses and verifies on all cores, and keeps nothing.
pub fn bare(file: &Path) -> Outcome {
    let holds = |line: &String| Event::from_json(line).is_ok_and(|event| event.verify().is_ok());
    let accepted: Vec<bool> = lines(file)?.par_iter().map(holds).collect();
    Ok(Answer::of(accepted))
}

/// Parses and verifies on all cores, and saves: the store itself checks nothing.
pub async fn lmdb(file: &Path, folder: &Path) -> Outcome {
    let store = Arc::new(NostrLmdb::open(folder).await?);
    let saves = lines(file)?.into_iter().map(|line| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let Ok(event) = Event::from_json(&line) else { return Ok(false) };
            if event.verify().is_err() {
                return Ok(false);
            }
            store.save_event(&event).await.map(|status| matches!(status, SaveEventStatus::Success))
        })
    });
    let mut accepted = Vec::new();
    let mut saving = futures_util::stream::iter(saves).buffered(SAVES);
    while let Some(saved) = saving.next().await {
        accepted.push(saved??);
    }
    Ok(Answer { remark: "the caller verifies; LMDB syncs".to_owned(), ..Answer::of(accepted) })
}

/// Fetches all from a relay, which verifies and keeps them in memory.
pub async fn sdk(file: &Path, url: &str) -> Outcome {
    let database = MemoryDatabase::with_opts(MemoryDatabaseOptions { events: true, max_events: None });
    let options = ClientOptions::new().relay_limits(RelayLimits::disable());
    let client = Client::builder().database(database).opts(options).build();
    client.add_relay(url).await?;
    client.connect().await;
    let fetched = client.fetch_events(Filter::new().kind(Kind::from_u16(KIND)), PATIENCE).await?;
    let ids: BTreeSet<String> = fetched.into_iter().map(|event| event.id.to_hex()).collect();
    let kept = client.database().count(Filter::new().kind(Kind::from_u16(KIND))).await?;
    client.shutdown().await;
    let answer = Answer::of(lines(file)?.iter().map(|line| ids.contains(id(line))));
    Ok(Answer {
        remark: format!("over loopback from a process that does nothing else; {kept} kept in memory"),
        ..answer
    })
}

/// A relay of one answer: whatever it is asked, it sends every line as it is. Prints its address; ends with its input.
pub async fn serve(file: &Path) -> Result<(), Box<dyn Error>> {
    let lines = Arc::new(lines(file)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let lines = Arc::clone(&lines);
            // A client that leaves ends its connection, and nothing else.
            tokio::spawn(async move { send(socket, &lines).await.ok() });
        }
    });
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}

async fn send(socket: TcpStream, lines: &[String]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = tokio_tungstenite::accept_async(socket).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let asked: serde_json::Value = serde_json::from_str(&text)?;
        let (Some("REQ"), subscription) = (asked[0].as_str(), &asked[1]) else { continue };
        for line in lines {
            socket.feed(Message::text(format!(r#"["EVENT",{subscription},{line}]"#))).await?;
        }
        socket.send(Message::text(format!(r#"["EOSE",{subscription}]"#))).await?;
        socket.get_mut().flush().await?;
    }
    Ok(())
}
