//! An OpenTimestamps calendar (OTS 2.3).

use hyper::StatusCode;

use super::super::conduct::Seat;
use super::super::house::House;
use super::super::misbehaviour::Misbehaviour as M;
use super::answer::{Answer, BINARY};
use crate::sim::ots::pending_reply;
use crate::sim::world::CalendarReply;

/// Bytes that are no timestamp: an operation that does not exist.
const UNREADABLE: &[u8] = &[0x42; 40];

/// The largest message that a calendar takes.
const MESSAGE_BYTES_MAX: usize = 64;

/// What the calendar makes of a message that is submitted.
pub(super) fn take(house: &House, seat: Seat, message: &[u8]) -> Answer {
    if message.is_empty() || message.len() > MESSAGE_BYTES_MAX {
        return Answer::text(StatusCode::BAD_REQUEST, "digest too long");
    }
    let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
    if takes(M::Malformed) {
        return Answer::ok(BINARY, UNREADABLE);
    }
    if takes(M::BadUrl) {
        let [trap, ..] = house.bad_urls();
        return Answer::ok(BINARY, pending_reply(trap.trim_end_matches('/')));
    }
    Answer::ok(BINARY, house.growth.take(&house.world, seat.index, message))
}

/// What the calendar says about a commitment in hex.
pub(super) fn answer(house: &House, seat: Seat, commitment: &str) -> Answer {
    let is_hex = !commitment.is_empty() && commitment.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !commitment.len().is_multiple_of(2) {
        return Answer::text(StatusCode::BAD_REQUEST, "commitment must be hex-encoded bytes");
    }
    let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
    let unknown = || Answer::text(StatusCode::NOT_FOUND, "Not found").cached("public, max-age=60");
    let commitment = commitment.to_ascii_lowercase();
    let known = house.world.calendar.get(&commitment).cloned();
    match known.or_else(|| house.growth.ask(&house.world, &commitment)) {
        Some(CalendarReply::Confirmed(bytes)) => {
            if takes(M::Omit) {
                return unknown();
            }
            let bytes = if takes(M::Malformed) {
                UNREADABLE.to_vec()
            } else if takes(M::BadUrl) {
                let [trap, ..] = house.bad_urls();
                pending_reply(trap.trim_end_matches('/'))
            } else {
                bytes
            };
            Answer::ok(BINARY, bytes).cached("public, max-age=31536000")
        }
        Some(CalendarReply::Pending) => {
            let words = "Pending confirmation in Bitcoin blockchain";
            Answer::text(StatusCode::NOT_FOUND, words).cached("public, max-age=60")
        }
        None => unknown(),
    }
}
