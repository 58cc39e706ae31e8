//! The HTTP request that opens a WebSocket, or asks for the relay's document (NIP-11).

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::body::{Body, Reply};
use super::super::conduct::Seat;
use super::super::house::House;
use super::super::http::redirect;
use super::super::misbehaviour::Misbehaviour as M;
use super::super::role::Role;
use super::rules::RelayRules;
use super::shelf::Shelf;
use crate::sim::nostr::SimEvent;

/// A socket that will speak WebSocket.
pub(in crate::sim::server) type Upgraded = OnUpgrade;

/// One relay of a world.
#[derive(Debug)]
pub(in crate::sim::server) struct RelayServer {
    pub(super) house: Arc<House>,
    pub(super) seat: Seat,
    pub(super) rules: RelayRules,
    shelf: RwLock<Shelf>,
}

impl RelayServer {
    pub(in crate::sim::server) fn new(house: Arc<House>, index: usize, rules: RelayRules) -> Self {
        let shelf = RwLock::new(Shelf::new(&house.world.events, &rules.holds));
        Self { house, seat: Seat { role: Role::Relay, index }, rules, shelf }
    }

    /// What it holds now.
    pub(super) fn shelf(&self) -> RwLockReadGuard<'_, Shelf> {
        // A shelf is whole whatever its last writer died of.
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event that was given. What is said to its author.
    ///
    /// # Errors
    /// The same for one that it does not keep.
    pub(super) fn keep(&self, event: SimEvent) -> Result<&'static str, &'static str> {
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        shelf.take(&self.house.world.events, event)
    }

    /// True when the relay misbehaves like this now; then it must.
    pub(super) fn takes(&self, misbehaviour: M) -> bool {
        self.house.conduct.takes(self.seat, misbehaviour)
    }
}

/// Answers one HTTP request. A WebSocket that it opens goes to `upgrades`.
pub(in crate::sim::server) fn answer(
    relay: &RelayServer,
    mut request: Request<Incoming>,
    upgrades: &mpsc::Sender<Upgraded>,
) -> Reply {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = header(SEC_WEBSOCKET_KEY).to_owned();
    if header(UPGRADE).eq_ignore_ascii_case("websocket") && !key.is_empty() {
        if relay.takes(M::Redirect) {
            return redirect(&relay.house);
        }
        return match upgrades.try_send(hyper::upgrade::on(&mut request)) {
            Ok(()) => Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(CONNECTION, "Upgrade")
                .header(UPGRADE, "websocket")
                .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
                .body(Body::default())
                .unwrap_or_default(),
            Err(_) => refusal(StatusCode::BAD_REQUEST),
        };
    }
    if header(ACCEPT).contains("application/nostr+json") {
        let addresses = if relay.takes(M::BadUrl) { relay.house.bad_urls().to_vec() } else { Vec::new() };
        let mut reply = Response::new(Body::whole(relay.rules.document(&addresses)));
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/nostr+json"));
        return reply;
    }
    refusal(StatusCode::UPGRADE_REQUIRED)
}

fn refusal(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::whole("this is a Nostr relay\n"));
    *reply.status_mut() = status;
    reply
}
