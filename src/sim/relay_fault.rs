//! A relay's answer to one question as a list of acts, honest or not, and their performance on a socket.

use std::time::Duration;

use futures_util::SinkExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::conduct::Due;
use super::json::{array, quoted};
use super::misbehave::{Behaviour, Misbehaviour};
use super::nostr::{Filter, SimEvent};
use super::relay::{closed, notice, page};
use super::world::World;

/// Challenges and notices of a flood: more than any use explains.
const FLOOD: usize = 200;
/// Pieces of a message that is dripped.
const PIECES: usize = 8;
/// The subscription that nobody opened.
const STRANGER: &str = "sim-stranger";

/// A question that is to be answered.
pub(super) struct Answer {
    pub(super) subscription: String,
    pub(super) filters: Vec<Filter>,
}

/// One thing that a relay does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Text(String),
    Binary(Vec<u8>),
    /// Bytes below the WebSocket's messages.
    Raw(Vec<u8>),
    Pause(Duration),
    /// Closes the connection with a handshake.
    Leave,
    /// Lets the connection fall.
    Drop,
}

/// What became of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Goes,
    Leaves,
    Gone,
}

/// The acts that answer a question: the honest ones, turned by each misbehaviour that is due.
pub(super) fn script(world: &World, answer: &Answer, due: &Due, connection: u64) -> Vec<Act> {
    let widened = |filter: &Filter| match due.has(Misbehaviour::Loop) {
        true => filter.clone().without_window(),
        false => filter.clone(),
    };
    let filters: Vec<Filter> = answer.filters.iter().map(widened).collect();
    let mut events = page(world, &filters);
    if due.has(Misbehaviour::Omit) {
        events.retain(|event| half_of(event) == 1);
    }
    if due.has(Misbehaviour::Equivocate) {
        events.retain(|event| half_of(event) == connection % 2);
    }
    let mut name = answer.subscription.as_str();
    if due.has(Misbehaviour::WrongSubscription) {
        name = STRANGER;
    }
    let told = events.iter().map(|event| Act::Text(event_frame(name, event)));
    let mut acts: Vec<Act> = told.chain([Act::Text(end(&answer.subscription, ""))]).collect();
    for behaviour in &due.0 {
        acts = turn(world, answer, behaviour, acts);
    }
    acts
}

/// Which half of the truth an event belongs to: 0 or 1, by its id.
fn half_of(event: &SimEvent) -> u64 {
    u64::from(event.id.0.as_bytes()[31] & 1)
}

fn event_frame(subscription: &str, event: &SimEvent) -> String {
    array(["\"EVENT\"", &quoted(subscription), &event.line()])
}

fn end(subscription: &str, hint: &str) -> String {
    let name = quoted(subscription);
    if hint.is_empty() { array(["\"EOSE\"", &name]) } else { array(["\"EOSE\"", &name, hint]) }
}

/// One misbehaviour's change. The last act is the end of the answer, unless an earlier change took it away.
fn turn(world: &World, answer: &Answer, behaviour: &Behaviour, mut acts: Vec<Act>) -> Vec<Act> {
    let pause = Act::Pause(Duration::from_millis(behaviour.pause_ms));
    let (half, last) = (acts.len().saturating_sub(1) / 2, acts.len().saturating_sub(1));
    let name = &answer.subscription;
    match behaviour.misbehaviour {
        Misbehaviour::Delay => acts.insert(0, pause),
        Misbehaviour::Drip => {
            let first = frame(&acts.remove(0));
            let pieces = first.chunks(first.len().div_ceil(PIECES).max(1));
            acts.splice(0..0, pieces.flat_map(|piece| [Act::Raw(piece.to_vec()), pause.clone()]));
        }
        Misbehaviour::Truncate => {
            let mut bytes = frame(&acts[half]);
            bytes.truncate(bytes.len() / 2);
            acts.truncate(half);
            acts.extend([Act::Raw(bytes), Act::Drop]);
        }
        Misbehaviour::Disconnect => {
            acts.truncate(half);
            acts.push(Act::Leave);
        }
        Misbehaviour::Oversize => acts.insert(half, Act::Raw(oversized())),
        Misbehaviour::WrongFilter => {
            let misfit = world.events.iter().find(|event| !answer.filters.iter().any(|filter| filter.matches(event)));
            acts.splice(0..0, misfit.map(|event| Act::Text(event_frame(name, event))));
        }
        Misbehaviour::Duplicate => {
            let told: Vec<Act> = acts.drain(..last).flat_map(|act| [act.clone(), act]).collect();
            acts.splice(0..0, told);
        }
        Misbehaviour::Reorder => acts[..last].reverse(),
        Misbehaviour::LieEose => {
            let end = acts.remove(last);
            acts.insert(half, end);
        }
        Misbehaviour::LieFinish => {
            acts.truncate(half);
            acts.push(Act::Text(end(name, "[\"finish\"]")));
        }
        Misbehaviour::Flood => drop(acts.splice(0..0, vec![Act::Text(notice("have you heard")); FLOOD])),
        Misbehaviour::RateLimit => acts = vec![Act::Text(closed(name, "rate-limited: slow down"))],
        Misbehaviour::Auth => {
            acts = vec![challenge(), Act::Text(closed(name, "auth-required: members only"))];
        }
        Misbehaviour::AuthFlood => drop(acts.splice(0..0, vec![challenge(); FLOOD])),
        Misbehaviour::Malformed => {
            acts.insert(half, Act::Text(format!("[\"EVENT\",{},{{\"id\":", quoted(name))));
            acts.insert(half, Act::Text("not json".to_owned()));
        }
        Misbehaviour::InvalidUtf8 => acts.insert(half, Act::Raw(vec![0x81, 4, b'[', 0xff, 0xfe, b']'])),
        Misbehaviour::Binary => acts.insert(half, Act::Binary(vec![0, 1, 2, 0xff])),
        Misbehaviour::WrongSubscription | Misbehaviour::Omit | Misbehaviour::Loop | Misbehaviour::Equivocate => {}
        // Not of questions, or not of relays.
        Misbehaviour::Redirect | Misbehaviour::BadUrl | Misbehaviour::Regress => {}
    }
    acts
}

fn challenge() -> Act {
    Act::Text(array(["\"AUTH\"", "\"who goes there\""]))
}

/// The head of a message of a terabyte, and a little of it.
fn oversized() -> Vec<u8> {
    let mut bytes = vec![0x81, 127];
    bytes.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    bytes.extend_from_slice(&[b'x'; 64]);
    bytes
}

/// A text as the bytes of an unmasked frame (RFC 6455, 5.2).
fn frame(act: &Act) -> Vec<u8> {
    let text = match act {
        Act::Text(text) => text.as_bytes(),
        Act::Binary(bytes) | Act::Raw(bytes) => return bytes.clone(),
        Act::Pause(_) | Act::Leave | Act::Drop => return Vec::new(),
    };
    let mut bytes = vec![0x81];
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short), _) if short < 126 => bytes.push(short),
        (_, Ok(middle)) => {
            bytes.push(126);
            bytes.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    bytes.extend_from_slice(text);
    bytes
}

/// Performs the acts in order; calls `reached` once, when any of them is on the wire or the peer was kept waiting.
pub(super) async fn perform<S>(socket: &mut WebSocketStream<S>, acts: Vec<Act>, reached: impl FnOnce()) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut reached = Some(reached);
    for act in acts {
        let done = match act {
            Act::Text(text) => socket.feed(Message::text(text)).await,
            Act::Binary(bytes) => socket.feed(Message::binary(bytes)).await,
            Act::Raw(bytes) => raw(socket, &bytes).await,
            Act::Pause(pause) => {
                let flushed = socket.flush().await;
                tokio::time::sleep(pause).await;
                flushed
            }
            Act::Leave => {
                let after = if socket.flush().await.is_ok() { After::Leaves } else { After::Gone };
                note(&mut reached);
                return after;
            }
            Act::Drop => return After::Gone,
        };
        if done.is_err() {
            return After::Gone;
        }
        // What is fed goes out with the flush below: a peer that leaves before that has seen what was sent up to here.
        note(&mut reached);
    }
    if socket.flush().await.is_ok() { After::Goes } else { After::Gone }
}

fn note(reached: &mut Option<impl FnOnce()>) {
    if let Some(reached) = reached.take() {
        reached();
    }
}

async fn raw<S>(socket: &mut WebSocketStream<S>, bytes: &[u8]) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.flush().await?;
    socket.get_mut().write_all(bytes).await?;
    socket.get_mut().flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_length_in_the_shortest_form() {
        let framed = |length: usize| frame(&Act::Text("x".repeat(length)));
        assert_eq!(framed(125)[..2], [0x81, 125]);
        assert_eq!(framed(126)[..4], [0x81, 126, 0, 126]);
        assert_eq!(framed(65_535)[..4], [0x81, 126, 0xff, 0xff]);
        assert_eq!(framed(65_536)[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(framed(65_536).len(), 65_546);
    }
}
