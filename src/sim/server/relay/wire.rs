//! What a relay puts on the wire, one step after the other.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::sim::json::{array, quoted};

/// One thing that a relay does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A text message.
    Text(String),
    /// A text message in three fragments, with a pause after each.
    Drip(String),
    /// A text message of any bytes.
    Raw(Vec<u8>),
    /// A binary message.
    Binary(Vec<u8>),
    /// So many paces of silence.
    Pause(u32),
    /// The closing handshake.
    Close,
    /// The connection ends without one.
    Drop,
}

/// Fragments of a dripped message.
const FRAGMENTS: usize = 3;

/// Takes the steps; false when the conversation is over.
pub(super) async fn take<S>(socket: &mut WebSocketStream<S>, steps: Vec<Step>, pace: Duration) -> Result<bool, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for step in steps {
        match step {
            Step::Text(text) => socket.feed(Message::text(text)).await?,
            Step::Raw(bytes) => socket.feed(text_frame(bytes.into(), OpCode::Data(Data::Text), true)).await?,
            Step::Binary(bytes) => socket.feed(Message::binary(bytes)).await?,
            Step::Drip(text) => drip(socket, text.as_bytes(), pace).await?,
            Step::Pause(paces) => {
                socket.flush().await?;
                tokio::time::sleep(pace.saturating_mul(paces)).await;
            }
            Step::Close => {
                socket.flush().await?;
                socket.close(None).await?;
                return Ok(false);
            }
            Step::Drop => {
                socket.flush().await?;
                return Ok(false);
            }
        }
    }
    socket.flush().await?;
    Ok(true)
}

async fn drip<S>(socket: &mut WebSocketStream<S>, bytes: &[u8], pace: Duration) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let size = bytes.len().div_ceil(FRAGMENTS).max(1);
    let pieces = bytes.chunks(size);
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.enumerate() {
        let code = if at == 0 { Data::Text } else { Data::Continue };
        socket.send(text_frame(Bytes::copy_from_slice(piece), OpCode::Data(code), at == last)).await?;
        tokio::time::sleep(pace).await;
    }
    Ok(())
}

fn text_frame(bytes: Bytes, code: OpCode, is_last: bool) -> Message {
    Message::Frame(Frame::message(bytes, code, is_last))
}

/// A message of the relay: its name, and parts that are JSON already.
pub(super) fn message<const N: usize>(name: &str, parts: [&str; N]) -> String {
    array(std::iter::once(quoted(name).as_str()).chain(parts))
}

pub(super) fn notice(text: &str) -> Step {
    Step::Text(message("NOTICE", [quoted(text).as_str()]))
}

pub(super) fn closed(subscription: &str, reason: &str) -> Step {
    Step::Text(message("CLOSED", [quoted(subscription).as_str(), quoted(reason).as_str()]))
}
