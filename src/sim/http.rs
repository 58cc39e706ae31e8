//! The world's HTTP side: calendar, gateway, Bitcoin Core REST, well-known documents, balances.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::chain::block_hash_hex;
use super::conduct::{Due, REDIRECTED};
use super::gateway_log::LogEntry;
use super::http_fault::{send, shaped};
use super::json::{Object, array};
use super::misbehave::{Misbehaviour, Role};
use super::serve::{Desk, Reply, whole};
use super::world::{CalendarReply, World};
use super::write::lines;

/// The password that the gateway's log asks for. It guards a simulation.
pub(super) const PASSWORD: &str = "loopback only";

/// Ids in one block of the gateway's backwards search (TREASURY 0.1).
const BLOCK_IDS: u64 = 10_000;
/// Most headers in one REST reply, as in Bitcoin Core.
const HEADERS_MAX: usize = 2_000;
/// Largest request body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Kinds that an empty `event_kinds` stands for (TREASURY 1.4, column D).
const DEFAULT_KINDS: [&str; 11] = [
    "outgoing-payment-started",
    "outgoing-payment-succeeded",
    "outgoing-payment-failed",
    "incoming-payment-started",
    "incoming-payment-succeeded",
    "incoming-payment-failed",
    "complete-lightning-payment-succeeded",
    "oob-notes-spent",
    "oob-notes-reissued",
    "withdraw-request",
    "deposit-confirmed",
];

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";
const TEXT: &str = "text/plain";
const BINARY: &str = "application/octet-stream";

/// A base path of the Bitcoin node, so that its address differs from the calendar's.
pub(super) const NODE: &str = "/core";

/// An honest reply.
type Plain = Response<Bytes>;

/// Answers one request, honestly unless something else is due.
pub(super) async fn answer(desk: &Desk, request: Request<Incoming>) -> io::Result<Reply> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if let Some(path) = path.strip_prefix(REDIRECTED) {
        desk.conduct.follow();
        return Ok(whole(honest(&desk.world, &parts, path, body, &Due(Vec::new())).await));
    }
    let due = role(path).map_or(Due(Vec::new()), |role| desk.conduct.due(role, false));
    let reply = honest(&desk.world, &parts, path, body, &due).await;
    if due.0.is_empty() {
        return Ok(whole(reply));
    }
    let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
    send(reply, target, due, &desk.conduct).await
}

/// Whose route a path is.
fn role(path: &str) -> Option<Role> {
    match path {
        "/settlements.jsonl" => Some(Role::Settlements),
        "/invoices.json" => Some(Role::Invoices),
        "/v1/payment_log" | "/payment_log" => Some(Role::PaymentLog),
        _ if path.starts_with("/timestamp/") => Some(Role::Calendar),
        _ if node_route(path).is_some() => Some(Role::Headers),
        _ if path.contains("/.well-known/") => Some(Role::WellKnown),
        _ => None,
    }
}

fn node_route(path: &str) -> Option<&str> {
    path.strip_prefix(NODE).unwrap_or(path).strip_prefix("/rest/")
}

/// The reply, as far as it is made of what the world holds. Faults of lists and of paging show here already.
async fn honest(world: &World, parts: &Parts, path: &str, body: Incoming, due: &Due) -> Plain {
    if parts.method == Method::POST {
        if path != "/v1/payment_log" && path != "/payment_log" {
            return text(StatusCode::NOT_FOUND, "no such route");
        }
        let password = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if password != Some(&format!("Bearer {PASSWORD}")) {
            return text(StatusCode::UNAUTHORIZED, "unauthorized");
        }
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return text(StatusCode::BAD_REQUEST, "body");
        };
        return payment_log(world, &body.to_bytes(), due);
    }
    if parts.method != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET or POST");
    }
    if let Some(commitment) = path.strip_prefix("/timestamp/") {
        return calendar(world, commitment);
    }
    if let Some(rest) = node_route(path) {
        return bitcoin(world, rest, parts.uri.query().unwrap_or_default());
    }
    document(world, path, due).unwrap_or_else(|| text(StatusCode::NOT_FOUND, "no such route"))
}

fn document(world: &World, path: &str, due: &Due) -> Option<Plain> {
    Some(match path {
        "/.well-known/oc-envelope-jwks.json" => ok(JSON, world.key_sets.last()?.json.clone()),
        "/.well-known/jwks.json" => ok(JSON, world.auth_key_set.json.clone()),
        "/settlements.jsonl" => ok(JSON_LINES, lines(shaped(world.settlements.iter().cloned(), due))),
        "/invoices.json" => {
            let list = array(shaped(&world.invoices, due));
            // A document that names a next page for ever.
            let endless = || Object::new().raw("invoices", &list).plain("has_more", true).compact();
            ok(JSON, if due.has(Misbehaviour::Loop) { endless() } else { list })
        }
        "/balances.jsonl" => ok(JSON_LINES, lines(world.balances.iter().cloned())),
        "/activity.jsonl" => ok(JSON_LINES, lines(world.activity.iter().cloned())),
        other => {
            let number = other.strip_prefix("/projects/")?.strip_suffix("/.well-known/oc-config.json")?;
            ok(JSON, world.configs.get(number.parse::<usize>().ok()?)?.json.clone())
        }
    })
}

/// OTS 2.3: the reply of a calendar to a commitment.
fn calendar(world: &World, commitment: &str) -> Plain {
    let is_hex = !commitment.is_empty() && commitment.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !commitment.len().is_multiple_of(2) {
        return text(StatusCode::BAD_REQUEST, "commitment must be hex-encoded bytes");
    }
    let (mut reply, age) = match world.calendar.get(&commitment.to_ascii_lowercase()) {
        Some(CalendarReply::Confirmed(bytes)) => (ok(BINARY, bytes.clone()), "public, max-age=31536000"),
        Some(CalendarReply::Pending) => {
            (text(StatusCode::NOT_FOUND, "Pending confirmation in Bitcoin blockchain"), "public, max-age=60")
        }
        None => (text(StatusCode::NOT_FOUND, "Not found"), "public, max-age=60"),
    };
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(age));
    reply
}

/// `POST /v1/payment_log` of gatewayd with its own paging faults (TREASURY 0.1, 1.2).
fn payment_log(world: &World, body: &[u8], due: &Due) -> Plain {
    let Ok(Value::Object(ask)) = serde_json::from_slice::<Value>(body) else {
        return text(StatusCode::UNPROCESSABLE_ENTITY, "not a JSON object");
    };
    let (Some(size), Some(federation), Some(kinds)) = (
        ask.get("pagination_size").and_then(Value::as_u64),
        ask.get("federation_id").and_then(Value::as_str),
        ask.get("event_kinds").and_then(Value::as_array),
    ) else {
        return text(StatusCode::UNPROCESSABLE_ENTITY, "missing field");
    };
    if federation != world.federation_id {
        return text(StatusCode::NOT_FOUND, "federation not connected");
    }
    let mut kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
    if kinds.is_empty() {
        kinds.extend(DEFAULT_KINDS);
    }
    let end = ask.get("end_position").and_then(Value::as_u64);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let asked = if due.has(Misbehaviour::Loop) { None } else { end };
    let mut page = page(&world.payment_log, asked, size, &kinds);
    if due.has(Misbehaviour::Regress) && end.is_some() {
        page.extend(world.payment_log.last());
    }
    ok(JSON, array(shaped(page, due).into_iter().map(|entry| &entry.json)))
}

/// Searches backwards in blocks of 10,000 ids and stops when the next block would begin at 0: the oldest block is read
/// only when the search begins inside it. `end` is exclusive from 10,000 on and inclusive below.
fn page<'a>(log: &'a [LogEntry], end: Option<u64>, size: usize, kinds: &[&str]) -> Vec<&'a LogEntry> {
    let end = end.unwrap_or_else(|| log.last().map_or(0, |entry| entry.id + 1));
    let mut start = end.saturating_sub(BLOCK_IDS);
    let mut page = Vec::new();
    while page.len() < size {
        let block = log.iter().rev().filter(|entry| (start..start + BLOCK_IDS).contains(&entry.id));
        page.extend(block.filter(|entry| entry.id <= end && kinds.contains(&entry.kind)));
        start = start.saturating_sub(BLOCK_IDS);
        if start == 0 {
            break;
        }
    }
    page.truncate(size);
    page
}

/// Bitcoin Core's REST interface: `chaininfo`, `blockhashbyheight`, `headers` in both of its path forms.
fn bitcoin(world: &World, rest: &str, query: &str) -> Plain {
    let Some((path, format)) = rest.rsplit_once('.') else { return text(StatusCode::NOT_FOUND, "output format") };
    if (path, format) == ("chaininfo", "json") {
        let tip = world.headers.len().saturating_sub(1);
        let best = world.headers.last().map(block_hash_hex).unwrap_or_default();
        let info =
            Object::new().text("chain", "main").plain("blocks", tip).plain("headers", tip).text("bestblockhash", best);
        return ok(JSON, info.compact());
    }
    if let Some(height) = path.strip_prefix("blockhashbyheight/") {
        let found = height.parse::<usize>().ok().and_then(|height| world.headers.get(height));
        let Some(hash) = found.map(block_hash_hex) else {
            return text(StatusCode::NOT_FOUND, "Block height out of range");
        };
        return match format {
            "json" => ok(JSON, Object::new().text("blockhash", hash).compact()),
            "hex" => ok(TEXT, format!("{hash}\n")),
            "bin" => ok(BINARY, found.map(super::chain::block_hash).map(Vec::from).unwrap_or_default()),
            _ => text(StatusCode::NOT_FOUND, "output format"),
        };
    }
    let Some(asked) = path.strip_prefix("headers/") else { return text(StatusCode::NOT_FOUND, "no such route") };
    let (count, hash) = match asked.split_once('/') {
        Some((count, hash)) => (count, hash),
        None => (query.strip_prefix("count=").unwrap_or("5"), asked),
    };
    let Some(count) = count.parse::<usize>().ok().filter(|count| (1..=HEADERS_MAX).contains(count)) else {
        return text(StatusCode::BAD_REQUEST, "Header count is invalid or out of acceptable range (1-2000)");
    };
    let from = world.headers.iter().position(|header| block_hash_hex(header) == hash);
    let headers = from.map(|from| world.headers.iter().skip(from).take(count).copied().collect::<Vec<_>>());
    let bytes = headers.unwrap_or_default().concat();
    match format {
        "bin" => ok(BINARY, bytes),
        "hex" => ok(TEXT, format!("{}\n", faster_hex::hex_string(&bytes))),
        _ => text(StatusCode::NOT_FOUND, "output format"),
    }
}

fn ok(media: &'static str, body: impl Into<Bytes>) -> Plain {
    let mut reply = Response::new(body.into());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    reply
}

fn text(status: StatusCode, body: &'static str) -> Plain {
    let mut reply = ok(TEXT, body);
    *reply.status_mut() = status;
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(ids: impl Iterator<Item = u64>) -> Vec<LogEntry> {
        ids.map(|id| LogEntry { id, kind: "outgoing-payment-started", json: String::new() }).collect()
    }

    fn ids(log: &[LogEntry], end: Option<u64>, size: usize) -> Vec<u64> {
        page(log, end, size, &DEFAULT_KINDS).into_iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn the_oldest_block_is_read_only_from_inside() {
        // TREASURY 0.1: log tip 20,000 with all payments in ids 0..9,999: one unlimited request brings nothing.
        let mut entries = log(0..10_000);
        entries.extend(log(19_999..20_000).into_iter().map(|entry| LogEntry { kind: "note-created", ..entry }));
        assert!(ids(&entries, None, usize::MAX).is_empty());
        assert_eq!(ids(&entries, Some(9_999), usize::MAX).len(), 10_000);
    }

    #[test]
    fn the_end_is_exclusive_from_ten_thousand_on_and_inclusive_below() {
        let entries = log(0..20_000);
        assert_eq!(ids(&entries, Some(10_000), 1), [9_999]);
        assert_eq!(ids(&entries, Some(9_999), 1), [9_999]);
        assert_eq!(ids(&entries, Some(5), 10), [5, 4, 3, 2, 1, 0]);
    }
}
