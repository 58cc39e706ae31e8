//! A Nostr relay (NIP-01, NIP-11) over the world's events: newest first, at most 100 a page, read-only. What it does wrong
//! on demand is in `relay_fault`.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role as Side;

use super::conduct::REDIRECTED;
use super::json::{Object, array, quoted};
use super::misbehave::{Misbehaviour, Role};
use super::nostr::{Filter, SimEvent};
use super::relay_fault::{Act, After, Answer, perform, script};
use super::serve::Desk;
use super::world::World;

/// Most events in one page, whatever limit was asked for. Low, so that clients must page.
const PAGE_EVENTS_MAX: usize = 100;
/// Most filters in one request.
const FILTERS_MAX: usize = 8;
/// Plaintext, and an address that only the machine itself can reach: no client may go there.
pub(super) const BAD_URL: &str = "http://169.254.169.254/latest/meta-data/";

/// A socket that will speak WebSocket, and the relay that it speaks to.
pub(super) type Upgraded = (OnUpgrade, Role);

/// Answers the HTTP request that opens a WebSocket, or asks for the relay's document (NIP-11).
pub(super) fn answer(
    desk: &Desk,
    role: Role,
    mut request: Request<Incoming>,
    upgrades: &mpsc::Sender<Upgraded>,
) -> Response<Bytes> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = header(SEC_WEBSOCKET_KEY).to_owned();
    if header(UPGRADE).eq_ignore_ascii_case("websocket") && !key.is_empty() {
        if let Some(elsewhere) = elsewhere(desk, role, request.uri().path()) {
            return elsewhere;
        }
        let accept = derive_accept_key(key.as_bytes());
        return match upgrades.try_send((hyper::upgrade::on(&mut request), role)) {
            Ok(()) => Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(CONNECTION, "Upgrade")
                .header(UPGRADE, "websocket")
                .header(SEC_WEBSOCKET_ACCEPT, accept)
                .body(Bytes::new())
                .unwrap_or_default(),
            Err(_) => refusal(StatusCode::BAD_REQUEST),
        };
    }
    if header(ACCEPT).contains("application/nostr+json") {
        let mut reply = Response::new(Bytes::from(document()));
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/nostr+json"));
        return reply;
    }
    refusal(StatusCode::UPGRADE_REQUIRED)
}

/// A redirect where one is due. Whoever follows it is served honestly, and noted.
fn elsewhere(desk: &Desk, role: Role, path: &str) -> Option<Response<Bytes>> {
    if path.starts_with(REDIRECTED) {
        desk.conduct.follow();
        return None;
    }
    let due = desk.conduct.due(role, true);
    let location = match due.0.first()?.misbehaviour {
        Misbehaviour::BadUrl => BAD_URL,
        _ => REDIRECTED,
    };
    desk.conduct.reached(&due);
    let mut reply = refusal(StatusCode::FOUND);
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static(location));
    Some(reply)
}

fn refusal(status: StatusCode) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::from_static(b"this is a Nostr relay\n"));
    *reply.status_mut() = status;
    reply
}

fn document() -> String {
    let limits = Object::new().plain("max_limit", PAGE_EVENTS_MAX).plain("max_filters", FILTERS_MAX);
    Object::new()
        .text("name", "reledger sim")
        .text("software", "reledger")
        .raw("supported_nips", "[1,11]")
        .raw("limitation", limits.compact())
        .compact()
}

/// Speaks with each upgraded socket in turn; ends when the connection can make no more of them.
pub(super) async fn converse(desk: &Desk, mut sockets: mpsc::Receiver<Upgraded>) {
    while let Some((upgrade, role)) = sockets.recv().await {
        let connection = desk.conduct.connect(role);
        let Ok(upgraded) = upgrade.await else { continue };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Side::Server, None).await;
        let mut after = After::Goes;
        while let Some(Ok(message)) = socket.next().await {
            let acts = match message {
                Message::Text(text) => match replies(text.as_str()) {
                    Reaction::Texts(texts) => texts.into_iter().map(Act::Text).collect(),
                    Reaction::Answer(answer) => {
                        let due = desk.conduct.due(role, false);
                        let acts = script(&desk.world, &answer, &due, connection);
                        after = perform(&mut socket, acts, || desk.conduct.reached(&due)).await;
                        Vec::new()
                    }
                },
                Message::Close(_) => break,
                Message::Binary(_) => vec![Act::Text(notice("invalid: binary frame"))],
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if after == After::Goes && !acts.is_empty() {
                after = perform(&mut socket, acts, || ()).await;
            }
            if after != After::Goes {
                break;
            }
        }
        if after != After::Gone {
            // The peer may be gone already; then there is nobody to say goodbye to.
            let _ = socket.close(None).await;
        }
    }
}

/// What one frame brings about.
enum Reaction {
    Texts(Vec<String>),
    Answer(Answer),
}

/// The frames that answer one frame.
fn replies(text: &str) -> Reaction {
    let Ok(Value::Array(frame)) = serde_json::from_str::<Value>(text) else {
        return Reaction::Texts(vec![notice("invalid: not a JSON array")]);
    };
    let part = |index: usize| frame.get(index).and_then(Value::as_str).unwrap_or_default();
    let subscription = part(1);
    Reaction::Texts(match part(0) {
        "REQ" if subscription.is_empty() || subscription.len() > 64 => vec![notice("invalid: subscription id")],
        "REQ" => match filters(frame.get(2..).unwrap_or_default()) {
            Ok(filters) => return Reaction::Answer(Answer { subscription: subscription.to_owned(), filters }),
            Err(reason) => vec![closed(subscription, reason)],
        },
        "CLOSE" => Vec::new(),
        "EVENT" => {
            let id = frame.get(1).and_then(|event| event.get("id")).and_then(Value::as_str).unwrap_or_default();
            vec![array(["\"OK\"", &quoted(id), "false", "\"blocked: read-only\""])]
        }
        "COUNT" => vec![closed(subscription, "unsupported: COUNT")],
        other => vec![notice(&format!("invalid: unknown command {other:.16}"))],
    })
}

fn filters(filters: &[Value]) -> Result<Vec<Filter>, &'static str> {
    if filters.is_empty() || filters.len() > FILTERS_MAX {
        return Err("invalid: number of filters");
    }
    filters.iter().map(Filter::from_json).collect::<Option<Vec<_>>>().ok_or("invalid: filter")
}

/// The events of one page, newest first; at the same second the lowest id first (NIP-01).
pub(super) fn page<'a>(world: &'a World, filters: &[Filter]) -> Vec<&'a SimEvent> {
    let mut order: Vec<&SimEvent> = world.events.iter().collect();
    order.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    let mut chosen = BTreeSet::new();
    for filter in filters {
        let limit = filter.limit.unwrap_or(PAGE_EVENTS_MAX).min(PAGE_EVENTS_MAX);
        let places = order.iter().enumerate().filter(|(_, event)| filter.matches(event));
        chosen.extend(places.map(|(place, _)| place).take(limit));
    }
    chosen.into_iter().filter_map(|place| order.get(place).copied()).collect()
}

pub(super) fn notice(text: &str) -> String {
    array(["\"NOTICE\"", &quoted(text)])
}

pub(super) fn closed(subscription: &str, reason: &str) -> String {
    array(["\"CLOSED\"", &quoted(subscription), &quoted(reason)])
}
