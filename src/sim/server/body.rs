//! HTTP bodies that come whole, in pieces, or not to their end.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::Sleep;

/// The reply of every server here.
pub(super) type Reply = Response<Body>;

/// The server leaves in the middle of things: hyper then closes the connection.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the server hangs up")]
pub(super) struct HangUp;

/// A body with a given length and a given end.
#[derive(Debug, Default)]
pub(super) struct Body {
    pieces: VecDeque<Bytes>,
    /// What the head says; `None` leaves the length open.
    length: Option<u64>,
    /// Hangs up after the last piece.
    breaks: bool,
    /// Before each piece but the first.
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body {
    /// Everything at once.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = Some(wide(bytes.len()));
        Self { pieces: VecDeque::from([bytes]), length, ..Self::default() }
    }

    /// The same bytes in at most `count` pieces with a pause between them.
    pub(super) fn dripping(mut self, count: usize, pause: Duration) -> Self {
        let all: Vec<u8> = self.pieces.iter().flatten().copied().collect();
        let size = all.len().div_ceil(count.max(1)).max(1);
        self.pieces = all.chunks(size).map(Bytes::copy_from_slice).collect();
        self.pause = pause;
        self
    }

    /// Announces everything, gives the first half, hangs up.
    pub(super) fn cut_off(mut self) -> Self {
        let all: Vec<u8> = self.pieces.iter().flatten().copied().collect();
        self.pieces = VecDeque::from([Bytes::copy_from_slice(&all[..all.len() / 2])]);
        // What was written has to leave before the connection does.
        self.pause = self.pause.max(Duration::from_millis(1));
        self.breaks = true;
        self
    }

    /// Announces this many bytes and hangs up after the first.
    pub(super) fn announcing(length: u64) -> Self {
        let pieces = VecDeque::from([Bytes::from_static(b" ")]);
        Self { pieces, length: Some(length), breaks: true, ..Self::default() }
    }

    /// This many bytes of white space, announced by nothing.
    pub(super) fn endless(length: u64) -> Self {
        const PIECE: usize = 16 * 1024;
        let count = usize::try_from(length).unwrap_or(usize::MAX).div_ceil(PIECE);
        let piece = Bytes::from(vec![b' '; PIECE]);
        Self { pieces: std::iter::repeat_n(piece, count).collect(), ..Self::default() }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        if let Some(waiting) = self.waiting.as_mut() {
            std::task::ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        match self.pieces.pop_front() {
            Some(piece) => {
                if !self.pause.is_zero() && (!self.pieces.is_empty() || self.breaks) {
                    self.waiting = Some(Box::pin(tokio::time::sleep(self.pause)));
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.breaks => Poll::Ready(Some(Err(HangUp))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
