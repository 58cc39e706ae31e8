//! A Nostr relay (NIP-01, NIP-11) over the world's events: newest first, at most 100 a page, read-only.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::json::{Object, array, quoted};
use super::nostr::Filter;
use super::serve::Reply;
use super::world::World;

/// Most events in one page, whatever limit was asked for. Low, so that clients must page.
const PAGE_EVENTS_MAX: usize = 100;
/// Most filters in one request.
const FILTERS_MAX: usize = 8;

/// A socket that will speak WebSocket, and the world it speaks of.
pub(super) type Upgraded = (OnUpgrade, Arc<World>);

/// Answers the HTTP request that opens a WebSocket, or asks for the relay's document (NIP-11).
pub(super) fn answer(world: &Arc<World>, mut request: Request<Incoming>, upgrades: &mpsc::Sender<Upgraded>) -> Reply {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = header(SEC_WEBSOCKET_KEY).to_owned();
    if header(UPGRADE).eq_ignore_ascii_case("websocket") && !key.is_empty() {
        let accept = derive_accept_key(key.as_bytes());
        return match upgrades.try_send((hyper::upgrade::on(&mut request), Arc::clone(world))) {
            Ok(()) => Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(CONNECTION, "Upgrade")
                .header(UPGRADE, "websocket")
                .header(SEC_WEBSOCKET_ACCEPT, accept)
                .body(Full::new(Bytes::new()))
                .unwrap_or_default(),
            Err(_) => refusal(StatusCode::BAD_REQUEST),
        };
    }
    if header(ACCEPT).contains("application/nostr+json") {
        let mut reply = Response::new(Full::new(Bytes::from(document())));
        let media = hyper::header::HeaderValue::from_static("application/nostr+json");
        reply.headers_mut().insert(CONTENT_TYPE, media);
        return reply;
    }
    refusal(StatusCode::UPGRADE_REQUIRED)
}

fn refusal(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from_static(b"this is a Nostr relay\n")));
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
pub(super) async fn converse(mut sockets: mpsc::Receiver<Upgraded>) {
    while let Some((upgrade, world)) = sockets.recv().await {
        let Ok(upgraded) = upgrade.await else { continue };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            let replies = match message {
                Message::Text(text) => replies(&world, text.as_str()),
                Message::Close(_) => break,
                Message::Binary(_) => vec![notice("invalid: binary frame")],
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if send(&mut socket, replies).await.is_err() {
                break;
            }
        }
        // The peer may be gone already; then there is nobody to say goodbye to.
        let _ = socket.close(None).await;
    }
}

async fn send<S>(
    socket: &mut WebSocketStream<S>,
    replies: Vec<String>,
) -> Result<(), tokio_tungstenite::tungstenite::Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for reply in replies {
        socket.feed(Message::text(reply)).await?;
    }
    socket.flush().await
}

/// The frames that answer one frame.
fn replies(world: &World, text: &str) -> Vec<String> {
    let Ok(Value::Array(frame)) = serde_json::from_str::<Value>(text) else {
        return vec![notice("invalid: not a JSON array")];
    };
    let part = |index: usize| frame.get(index).and_then(Value::as_str).unwrap_or_default();
    let subscription = part(1);
    match part(0) {
        "REQ" if subscription.is_empty() || subscription.len() > 64 => vec![notice("invalid: subscription id")],
        "REQ" => request(world, subscription, frame.get(2..).unwrap_or_default()),
        "CLOSE" => Vec::new(),
        "EVENT" => {
            let id = frame.get(1).and_then(|event| event.get("id")).and_then(Value::as_str).unwrap_or_default();
            vec![array(["\"OK\"", &quoted(id), "false", "\"blocked: read-only\""])]
        }
        "COUNT" => vec![closed(subscription, "unsupported: COUNT")],
        other => vec![notice(&format!("invalid: unknown command {other:.16}"))],
    }
}

fn request(world: &World, subscription: &str, filters: &[Value]) -> Vec<String> {
    if filters.is_empty() || filters.len() > FILTERS_MAX {
        return vec![closed(subscription, "invalid: number of filters")];
    }
    let Some(filters) = filters.iter().map(Filter::from_json).collect::<Option<Vec<_>>>() else {
        return vec![closed(subscription, "invalid: filter")];
    };
    // NIP-01: newest first; at the same second the lowest id first.
    let mut order: Vec<usize> = (0..world.events.len()).collect();
    order.sort_by_key(|index| {
        let event = &world.events[*index];
        (std::cmp::Reverse(event.created_at), event.id)
    });
    let mut chosen = BTreeSet::new();
    for filter in &filters {
        let limit = filter.limit.unwrap_or(PAGE_EVENTS_MAX).min(PAGE_EVENTS_MAX);
        let places = order.iter().enumerate().filter(|(_, index)| filter.matches(&world.events[**index]));
        chosen.extend(places.map(|(place, _)| place).take(limit));
    }
    let name = quoted(subscription);
    let mut frames: Vec<String> =
        chosen.into_iter().map(|place| array(["\"EVENT\"", &name, &world.events[order[place]].line()])).collect();
    frames.push(array(["\"EOSE\"", &name]));
    frames
}

fn notice(text: &str) -> String {
    array(["\"NOTICE\"", &quoted(text)])
}

fn closed(subscription: &str, reason: &str) -> String {
    array(["\"CLOSED\"", &quoted(subscription), &quoted(reason)])
}
