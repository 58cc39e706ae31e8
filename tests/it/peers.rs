//! Independent clients and libraries against our servers: what they see must be what we say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::prelude::{Client, Event, Filter, Kind};
use reledger::sim::{World, serve};

const PATIENCE: Duration = Duration::from_secs(60);

/// All events of a kind, paged downwards: the relay gives at most a hundred at once, and the client does not page.
async fn paged(client: &Client, kind: u16) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut until = None;
    loop {
        let filter = until.map_or_else(Filter::new, |until| Filter::new().until(until)).kind(Kind::from_u16(kind));
        let page = client.fetch_events(filter, PATIENCE).await.unwrap();
        let oldest = page.iter().map(|event: &Event| event.created_at).min();
        let before = seen.len();
        seen.extend(page.iter().map(|event| event.id.to_hex()));
        match oldest {
            Some(oldest) if seen.len() > before => until = Some(oldest),
            _ => return seen,
        }
    }
}

#[test]
fn nostr_sdk_fetches_exactly_the_worlds_events_from_the_simulators_relay() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::generate(31, 300));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = serve(Arc::clone(&world), async move { drop(stopped.await) }).await.unwrap();
        let client = Client::default();
        client.add_relay(format!("ws://{}", serving.relays[0])).await.unwrap();
        client.connect().await;
        let kinds: BTreeSet<u16> = world.events.iter().map(|event| event.kind).collect();
        let mut seen = BTreeSet::new();
        for kind in kinds {
            seen.extend(paged(&client, kind).await);
        }
        let held: BTreeSet<String> = world.events.iter().map(|event| event.id.to_string()).collect();
        assert!(held.len() > 300);
        assert_eq!(seen, held);
        client.shutdown().await;
        stop.send(()).unwrap();
        serving.finished().await.unwrap();
    });
}
