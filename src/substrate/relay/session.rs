//! One WebSocket connection to a relay: TCP_NODELAY, bounded messages, no compression, every wait bounded.

use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::super::limits::{CONNECT_MS, WS_MESSAGE_BYTES_MAX};
use crate::domain::{Sign, SliceEnd};

/// A message or frame above [`WS_MESSAGE_BYTES_MAX`].
const OVERSIZED: &str = "a message above the byte limit";

/// Why a page did not come to its proper end. Foreign text is raw here and made inert in the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageFailure {
    /// The relay would not open a WebSocket: HTTP status.
    Rejected(u16),
    /// No TCP or TLS connection.
    Unreachable,
    /// CLOSED with this reason.
    Closed(String),
    /// Nothing but NOTICEs came: how relays refuse that do not know CLOSED.
    NoticeOnly(String),
    /// A time limit of ours; the events that came before.
    TimedOut { events: u64 },
    /// The connection ended inside the page.
    Disconnected,
    /// The peer broke the WebSocket protocol, or a message was above the limit.
    Protocol(&'static str),
    /// A budget of ours.
    Budget(&'static str),
    /// The run was cancelled.
    Cancelled,
}

impl PageFailure {
    /// False for what another attempt would only repeat.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            // NIP-01 machine-readable prefixes; `rate-limited` and `error` pass with time, so does vendor text.
            Self::Closed(_) => !["auth-required", "restricted", "blocked", "invalid", "unsupported", "mute"]
                .iter()
                .any(|prefix| self.says(prefix)),
            Self::Rejected(status) => matches!(status, 408 | 429 | 500..=599),
            Self::Unreachable
            | Self::NoticeOnly(_)
            | Self::TimedOut { .. }
            | Self::Disconnected
            | Self::Protocol(_) => true,
            Self::Budget(_) | Self::Cancelled => false,
        }
    }

    fn says(&self, prefix: &str) -> bool {
        matches!(self, Self::Closed(reason) if reason.trim_start().to_ascii_lowercase().starts_with(prefix))
    }

    /// True when the relay wants to know first who asks (NIP-42).
    pub(super) fn is_auth_required(&self) -> bool {
        self.says("auth-required")
    }

    /// True when it wants to be asked less often.
    pub(super) fn is_rate_limited(&self) -> bool {
        self.says("rate-limited")
    }

    /// True when something smaller may be answered where this was not.
    pub(super) fn may_be_of_size(&self) -> bool {
        self.says("error") || matches!(self, Self::TimedOut { events } if *events > 0)
    }

    /// True when the connection is of no further use.
    pub(super) fn breaks_connection(&self) -> bool {
        !matches!(self, Self::Closed(_))
    }

    /// True when nothing else can be asked either.
    pub(super) fn ends_fetch(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Unreachable | Self::Budget(_) | Self::Cancelled)
    }

    /// What the peer did that no peer may do.
    pub(super) fn offence(&self) -> Option<Sign> {
        match self {
            Self::Protocol(what) if *what == OVERSIZED => Some(Sign::Oversized),
            Self::Protocol(_) => Some(Sign::Malformed),
            _ => None,
        }
    }

    pub(super) fn slice_end(&self) -> SliceEnd {
        match self {
            Self::Rejected(_) | Self::Closed(_) | Self::NoticeOnly(_) => SliceEnd::Refused,
            Self::Unreachable | Self::Disconnected | Self::Protocol(_) => SliceEnd::Unreachable,
            Self::TimedOut { .. } => SliceEnd::TimedOut,
            Self::Budget(_) => SliceEnd::BudgetTripped,
            Self::Cancelled => SliceEnd::Cancelled,
        }
    }
}

impl fmt::Display for PageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(status) => write!(f, "no WebSocket: HTTP status {status}"),
            Self::Unreachable => f.write_str("no connection"),
            Self::Closed(reason) if reason.is_empty() => f.write_str("closed without a reason"),
            Self::Closed(reason) => write!(f, "closed: {reason}"),
            Self::NoticeOnly(notice) => write!(f, "only a notice: {notice}"),
            Self::TimedOut { events: 0 } => f.write_str("no answer in time"),
            Self::TimedOut { .. } => f.write_str("no end-of-stored-events in time"),
            Self::Disconnected => f.write_str("the connection ended inside an answer"),
            Self::Protocol(what) => f.write_str(what),
            Self::Budget(what) => write!(f, "budget reached: {what}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// What came from the socket.
pub(super) enum Received {
    /// A text message.
    Text(Utf8Bytes),
    /// The echo of our ping.
    Echo,
    /// Something else of this many bytes: binary messages are no part of the protocol, pings are answered below us.
    Other { bytes: usize, binary: bool },
}

/// One open connection.
pub(super) struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Session {
    /// Connects; TCP, TLS and WebSocket handshake share one bound.
    pub(super) async fn open(url: &Url, wait: Duration) -> Result<Self, PageFailure> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(WS_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(WS_MESSAGE_BYTES_MAX));
        let wait = wait.min(Duration::from_millis(CONNECT_MS));
        // TCP_NODELAY: 27 times faster on short questions (CAPTURE 0.8).
        match timeout(wait, connect_async_with_config(url.as_str(), Some(config), true)).await {
            Ok(Ok((socket, _))) => Ok(Self { socket }),
            Ok(Err(Error::Http(response))) => Err(PageFailure::Rejected(response.status().as_u16())),
            Ok(Err(_)) | Err(_) => Err(PageFailure::Unreachable),
        }
    }

    /// Sends one client message.
    pub(super) async fn send(&mut self, text: String, wait: Duration) -> Result<(), PageFailure> {
        self.write(Message::text(text), wait).await
    }

    /// Asks for an echo: what the relay wrote before it comes before it.
    pub(super) async fn ping(&mut self, wait: Duration) -> Result<(), PageFailure> {
        self.write(Message::Ping(bytes::Bytes::from_static(b"reledger")), wait).await
    }

    async fn write(&mut self, message: Message, wait: Duration) -> Result<(), PageFailure> {
        match timeout(wait, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(PageFailure::TimedOut { events: 0 }),
        }
    }

    /// Waits for the next message and takes the time waited off `left`. A message that trickles in is waited for as a
    /// whole: bytes that complete nothing do not prolong the wait.
    ///
    /// Only waiting counts, so that a slow writer on our side is not held against the relay.
    pub(super) async fn receive(&mut self, idle: Duration, left: &mut Duration) -> Result<Received, PageFailure> {
        let wait = idle.min(*left);
        let began = Instant::now();
        let message = timeout(wait, self.socket.next()).await;
        *left = left.saturating_sub(began.elapsed());
        match message {
            Err(_) => Err(PageFailure::TimedOut { events: 0 }),
            Ok(None) => Err(PageFailure::Disconnected),
            Ok(Some(Err(error))) => Err(failure(&error)),
            Ok(Some(Ok(message))) => match message {
                Message::Text(text) => Ok(Received::Text(text)),
                Message::Pong(_) => Ok(Received::Echo),
                Message::Close(_) => Err(PageFailure::Disconnected),
                Message::Ping(payload) => Ok(Received::Other { bytes: payload.len(), binary: false }),
                Message::Binary(payload) => Ok(Received::Other { bytes: payload.len(), binary: true }),
                Message::Frame(_) => Ok(Received::Other { bytes: 0, binary: true }),
            },
        }
    }

    /// Says goodbye; whether anyone listens does not matter any more.
    pub(super) async fn close(mut self, wait: Duration) {
        let _ = timeout(wait, self.socket.close(None)).await;
    }
}

fn failure(error: &Error) -> PageFailure {
    match error {
        Error::Capacity(_) => PageFailure::Protocol(OVERSIZED),
        Error::Utf8(_) => PageFailure::Protocol("a text message that is not UTF-8"),
        // A peer that is gone without a closing handshake is reported as a protocol violation.
        Error::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            PageFailure::Disconnected
        }
        Error::Protocol(_) | Error::AttackAttempt => PageFailure::Protocol("a violation of the WebSocket protocol"),
        _ => PageFailure::Disconnected,
    }
}
