//! `POST /v1/payment_log` of gatewayd with its own paging faults (TREASURY 0.1, 1.1, 1.2, 1.5), and with others. The wire
//! shape is the world's.

use hyper::StatusCode;
use serde_json::Value;

use super::super::conduct::Seat;
use super::super::house::House;
use super::super::misbehaviour::Misbehaviour as M;
use super::answer::{Answer, JSON};
use super::records::shuffle;
use crate::sim::gateway_log::LogEntry;
use crate::sim::json::{array, quoted};

/// The password that the gateway's log asks for. It guards a simulation.
pub(in crate::sim) const PASSWORD: &str = "loopback only";

/// Ids in one block of the gateway's backwards search (TREASURY 0.1).
const BLOCK_IDS: u64 = 10_000;
/// A gateway whose pages lead nowhere gives short ones, so that there are positions to go wrong with.
const LOST_PAGE: usize = 50;
/// Kinds that an empty `event_kinds` stands for (TREASURY 1.4, column D).
pub(in crate::sim) const DEFAULT_KINDS: [&str; 11] = [
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

/// Answers one request that has shown the password.
pub(super) fn answer(house: &House, seat: Seat, body: &[u8]) -> Answer {
    let Ok(Value::Object(ask)) = serde_json::from_slice::<Value>(body) else {
        return Answer::text(StatusCode::UNPROCESSABLE_ENTITY, "not a JSON object");
    };
    let (Some(size), Some(federation), Some(kinds)) = (
        ask.get("pagination_size").and_then(Value::as_u64),
        ask.get("federation_id").and_then(Value::as_str),
        ask.get("event_kinds").and_then(Value::as_array),
    ) else {
        return Answer::text(StatusCode::UNPROCESSABLE_ENTITY, "missing field");
    };
    if federation != house.world.federation_id {
        return Answer::text(StatusCode::NOT_FOUND, "federation not connected");
    }
    let mut kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
    if kinds.is_empty() {
        kinds.extend(DEFAULT_KINDS);
    }
    let lost = house.conduct.knows(M::Loop) || house.conduct.knows(M::Regress);
    let most = house.services.log_page_max.min(if lost { LOST_PAGE } else { usize::MAX });
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(most);
    let end = ask.get("end_position").and_then(Value::as_u64);
    told(house, seat, &Ask { end, size, kinds })
}

struct Ask<'a> {
    end: Option<u64>,
    size: usize,
    kinds: Vec<&'a str>,
}

/// The page, or what is told in its place.
fn told(house: &House, seat: Seat, ask: &Ask<'_>) -> Answer {
    let log = &house.world.payment_log;
    let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
    if takes(M::Malformed) {
        return Answer::ok(JSON, "{\"error\":\"try again\"}");
    }
    let mut page = page(log, ask.end, ask.size, &ask.kinds);
    let newest = log.last().map(|entry| entry.id);
    if let Some(end) = ask.end {
        let here = log.iter().find(|entry| entry.id == end);
        if let Some(here) = here.filter(|_| end >= BLOCK_IDS && takes(M::Loop)) {
            page = vec![here];
        } else if newest.is_some_and(|newest| newest > end) && takes(M::Regress) {
            page = log.iter().rev().take(ask.size).collect();
        }
    }
    let mut entries: Vec<String> = page.into_iter().map(|entry| entry.json.clone()).collect();
    if entries.len() > 1 && takes(M::Reorder) {
        shuffle(&mut entries, &mut house.conduct.draw(seat, "reorder"));
    }
    if !entries.is_empty() && takes(M::Duplicate) {
        entries = entries.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect();
    }
    // Gateways of version 0.6 write lists, which have no room for more.
    if entries.iter().any(|entry| entry.ends_with('}')) && takes(M::BadUrl) {
        let [trap, ..] = house.bad_urls();
        let member = format!(",\"gateway_api\":{}}}", quoted(&trap));
        entries = entries.iter().map(|entry| entry.strip_suffix('}').unwrap_or(entry).to_owned() + &member).collect();
    }
    let mut bytes = array(&entries).into_bytes();
    if !entries.is_empty() && takes(M::InvalidUtf8) {
        let at = bytes.iter().position(|byte| *byte == b'"').map_or(0, |at| at + 1);
        bytes.insert(at, 0xff);
    }
    Answer::ok(JSON, bytes)
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
