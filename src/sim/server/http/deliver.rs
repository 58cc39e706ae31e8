//! From an answer to the wire: whole, late, in pieces, cut, or something else instead.

use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::super::body::{Body, HangUp, Reply};
use super::super::conduct::Seat;
use super::super::house::House;
use super::super::misbehaviour::Misbehaviour as M;
use super::super::role::Role;
use super::answer::Answer;

/// Pieces of a dripped body.
const DRIPS: usize = 12;
/// How many paces a late answer is late.
const LATE: u32 = 3;
/// More than any document of records may have.
const DOCUMENT_BYTES: u64 = 1 << 40;
/// More than a key set, a calendar's reply or a header may have.
const SMALL_BYTES: u64 = 2 * 1024 * 1024;

/// What is said instead of an answer, if anything; late, if it is to be late.
pub(super) async fn instead(house: &House, seat: Seat) -> Result<Option<Reply>, HangUp> {
    let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
    if takes(M::Disconnect) {
        return Err(HangUp);
    }
    if takes(M::Delay) {
        tokio::time::sleep(house.conduct.pace.saturating_mul(LATE)).await;
    }
    if takes(M::RateLimit) {
        let mut reply = refusal(StatusCode::TOO_MANY_REQUESTS, "slow down\n");
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
        return Ok(Some(reply));
    }
    if takes(M::Auth) {
        let mut reply = refusal(StatusCode::UNAUTHORIZED, "unauthorized\n");
        reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return Ok(Some(reply));
    }
    Ok(takes(M::Redirect).then(|| redirect(house)))
}

/// A redirect to where nobody may go.
pub(in crate::sim::server) fn redirect(house: &House) -> Reply {
    let mut reply = refusal(StatusCode::FOUND, "over there\n");
    let [trap, ..] = house.bad_urls();
    // An address of digits, dots and slashes is a header value.
    let place = HeaderValue::from_str(&trap).unwrap_or(HeaderValue::from_static("/"));
    reply.headers_mut().insert(LOCATION, place);
    reply
}

fn refusal(status: StatusCode, words: &'static str) -> Reply {
    let mut reply = Response::new(Body::whole(words));
    *reply.status_mut() = status;
    reply
}

/// Sends an answer, or what becomes of it.
pub(super) fn send(house: &House, seat: Seat, mut answer: Answer) -> Reply {
    let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
    if !answer.has_body() {
        return answer.reply_with(Body::whole(answer.body.clone()));
    }
    if takes(M::Oversize) {
        return answer.reply_with(oversized(seat.role));
    }
    if takes(M::Truncate) {
        answer.body.truncate(inside_a_record(&answer.body));
    }
    let mut body = Body::whole(answer.body.clone());
    if takes(M::Drip) {
        body = body.dripping(DRIPS, house.conduct.pace);
    }
    if takes(M::CloseMidPage) {
        body = body.cut_off();
    }
    answer.reply_with(body)
}

/// Where readers stop at a mebibyte they are given two; where they would take gibibytes the head alone says too much.
fn oversized(role: Role) -> Body {
    match role {
        Role::WellKnown | Role::Calendar | Role::Headers => Body::endless(SMALL_BYTES),
        _ => Body::announcing(DOCUMENT_BYTES),
    }
}

/// A place in the last third that is no boundary of anything.
fn inside_a_record(body: &[u8]) -> usize {
    let mut at = body.len() * 2 / 3 + 1;
    while at > 1 && b"\n\r\t ,{}[]\"".contains(&body[at - 1]) {
        at -= 1;
    }
    at.min(body.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_never_between_two_records() {
        let text = "{\"a\":1}\n{\"b\":22}\n{\"c\":3}\n";
        for padding in 0..20 {
            let body = format!("{text}{}", "{\"d\":4444}\n".repeat(padding));
            let at = inside_a_record(body.as_bytes());
            let cut = &body[..at];
            assert!(!cut.is_empty() && at < body.len(), "{cut}");
            assert!(!cut.ends_with(['\n', '}']), "{cut}");
        }
    }
}
