//! `LocalRelay` of the crate `nostr-relay-builder`.

use nostr_relay_builder::prelude::{LocalRelay, MemoryDatabase, MemoryDatabaseOptions, RateLimit, RelayBuilder};

use super::{CAP, Peer};

pub async fn start() -> Result<Peer, String> {
    let database = MemoryDatabase::with_opts(MemoryDatabaseOptions { events: true, max_events: None });
    let rate_limit = RateLimit { max_reqs: 20, notes_per_minute: u32::MAX };
    let builder = RelayBuilder::default()
        .database(database)
        .rate_limit(rate_limit)
        .max_filter_limit(CAP)
        .default_filter_limit(CAP);
    let relay = LocalRelay::new(builder);
    relay.run().await.map_err(|error| error.to_string())?;
    let url = relay.url().await.to_string();
    let name = format!("nostr-relay-builder 0.44.1 (cap {CAP})");
    Ok(Peer { name, url, page_limits: &[5_000], _alive: Box::new(relay) })
}
