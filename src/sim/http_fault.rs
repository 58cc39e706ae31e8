//! What the HTTP server does wrong on demand: to the list of records behind a document, and to the reply itself.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::conduct::{Conduct, Due, REDIRECTED};
use super::misbehave::Misbehaviour;
use super::relay::BAD_URL;
use super::serve::Reply;

/// More than any document may have.
const OVERSIZE: u64 = 1 << 40;
/// Pieces of a body that is dripped.
const PIECES: usize = 8;
/// Long enough for what was written before to leave the machine's buffers.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

/// The items of a document as a server with these faults lists them.
pub(super) fn shaped<T: Clone>(items: impl IntoIterator<Item = T>, due: &Due) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    if due.has(Misbehaviour::Omit) {
        let last = items.len().saturating_sub(1);
        let kept = items.into_iter().enumerate().filter(|(at, _)| *at == last || at.is_multiple_of(2));
        items = kept.map(|(_, item)| item).collect();
    }
    if due.has(Misbehaviour::Duplicate) {
        items = items.into_iter().flat_map(|item| [item.clone(), item]).collect();
    }
    if due.has(Misbehaviour::Reorder) {
        items.reverse();
    }
    items
}

/// How a body goes out.
struct Sending {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    /// Ends in an error instead of an end.
    cut: bool,
    declared: Option<u64>,
}

/// Sends a reply with everything that is due done to it.
///
/// # Errors
/// When the server is to leave without an answer.
pub(super) async fn send(honest: Response<Bytes>, target: &str, due: Due, conduct: &Arc<Conduct>) -> io::Result<Reply> {
    let mut reply = honest;
    let mut sending = Sending { pieces: VecDeque::new(), pause: Duration::ZERO, cut: false, declared: None };
    let mut pieces = 1;
    for behaviour in &due.0 {
        let pause = Duration::from_millis(behaviour.pause_ms);
        match behaviour.misbehaviour {
            Misbehaviour::Delay => tokio::time::sleep(pause).await,
            Misbehaviour::Drip => (pieces, sending.pause) = (PIECES, pause),
            Misbehaviour::Truncate => {
                sending.declared = Some(u64::try_from(reply.body().len()).unwrap_or(u64::MAX));
                let half = reply.body().len() / 2;
                reply.body_mut().truncate(half);
                sending.cut = true;
            }
            Misbehaviour::Disconnect => {
                conduct.reached(&due);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Misbehaviour::Oversize => {
                reply = Response::new(Bytes::from_static(&[b'x'; 1_000]));
                (sending.declared, sending.cut) = (Some(OVERSIZE), true);
            }
            other => reply = replaced(other, reply, target),
        }
    }
    let body = reply.body();
    let mut rest = body.clone();
    let size = body.len().div_ceil(pieces).max(1);
    while !rest.is_empty() {
        sending.pieces.push_back(rest.split_to(size.min(rest.len())));
    }
    let declared = sending.declared.or_else(|| u64::try_from(body.len()).ok());
    let mut reply = reply.map(|_| body_of(sending, due, Arc::clone(conduct)));
    if let Some(length) = declared {
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(reply)
}

/// Another reply in the place of the honest one, for what is a reply of its own.
fn replaced(misbehaviour: Misbehaviour, honest: Response<Bytes>, target: &str) -> Response<Bytes> {
    let with = |status, name: HeaderName, value: &str| {
        let mut reply = Response::new(Bytes::from_static(b"not now\n"));
        *reply.status_mut() = status;
        if let Ok(value) = HeaderValue::from_str(value) {
            reply.headers_mut().insert(name, value);
        }
        reply
    };
    match misbehaviour {
        Misbehaviour::RateLimit => with(StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER, "1"),
        Misbehaviour::Auth => with(StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, "Basic realm=\"members\""),
        Misbehaviour::Redirect => with(StatusCode::FOUND, LOCATION, &format!("{REDIRECTED}{target}")),
        Misbehaviour::BadUrl => with(StatusCode::FOUND, LOCATION, BAD_URL),
        Misbehaviour::Malformed => Response::new(Bytes::from_static(b"{\"oops\": [")),
        Misbehaviour::InvalidUtf8 => honest.map(|bytes| {
            let (before, after) = bytes.split_at(bytes.len() / 2);
            Bytes::from([before, &[0xff, 0xfe], after].concat())
        }),
        // Of a length that is no multiple of a header's.
        Misbehaviour::Binary => Response::new((0..=250).collect::<Vec<u8>>().into()),
        _ => honest,
    }
}

/// The body as it goes out; what is due has reached the wire when its first piece is taken.
fn body_of(
    sending: Sending,
    due: Due,
    conduct: Arc<Conduct>,
) -> http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error> {
    let state = (sending, Some(due), conduct);
    let frames = stream::unfold(state, |(mut sending, mut due, conduct)| async move {
        let is_first = due.is_some();
        if let Some(due) = due.take() {
            conduct.reached(&due);
        }
        if let Some(piece) = sending.pieces.pop_front() {
            if !is_first {
                tokio::time::sleep(sending.pause).await;
            }
            return Some((Ok(Frame::data(piece)), (sending, due, conduct)));
        }
        if !sending.cut {
            return None;
        }
        tokio::time::sleep(BEFORE_THE_CUT).await;
        sending.cut = false;
        Some((Err(io::ErrorKind::ConnectionAborted.into()), (sending, due, conduct)))
    });
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::misbehave::{Behaviour, Role, Schedule};

    fn shape(misbehaviour: Misbehaviour) -> Vec<u8> {
        let behaviour = Behaviour::new(Role::Invoices, misbehaviour, Schedule::Every);
        shaped([1, 2, 3, 4, 5, 6], &Due(vec![behaviour]))
    }

    #[test]
    fn lists_are_shaped_as_asked() {
        assert_eq!(shape(Misbehaviour::Duplicate), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
        assert_eq!(shape(Misbehaviour::Reorder), [6, 5, 4, 3, 2, 1]);
        assert_eq!(shape(Misbehaviour::Omit), [1, 3, 5, 6], "the first and the last stay");
        assert_eq!(shape(Misbehaviour::Auth), [1, 2, 3, 4, 5, 6]);
    }
}
