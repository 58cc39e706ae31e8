//! Counts the messages that a client sends: a relay of others does not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A way to a relay on which messages are counted.
pub struct Meter {
    /// What to connect to instead of the relay.
    pub url: String,
    messages: Arc<AtomicU64>,
}

impl Meter {
    /// Opens a way to the relay at `url`.
    pub async fn before(url: &str) -> std::io::Result<Self> {
        let relay = url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let messages = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&messages);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, relay.clone(), Arc::clone(&counted)));
            }
        });
        Ok(Self { url, messages })
    }

    /// Text messages so far.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }
}

async fn pass(client: TcpStream, relay: String, messages: Arc<AtomicU64>) -> std::io::Result<()> {
    let relay = TcpStream::connect(relay).await?;
    client.set_nodelay(true)?;
    relay.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_relay, mut to_relay) = relay.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_relay, &mut to_client).await });
    let mut frames = Frames::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from_client.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        messages.fetch_add(frames.texts(&buffer[..length]), Ordering::Relaxed);
        to_relay.write_all(&buffer[..length]).await?;
    }
    to_relay.shutdown().await?;
    let _ = back.await;
    Ok(())
}

/// Follows the frames of one direction (RFC 6455, 5.2) after the handshake.
#[derive(Default)]
struct Frames {
    upgraded: bool,
    /// Of the handshake the last bytes, of a frame its header so far.
    held: Vec<u8>,
    /// Bytes of the payload that are still to come.
    payload: u64,
}

impl Frames {
    /// How many text messages begin in these bytes.
    fn texts(&mut self, bytes: &[u8]) -> u64 {
        let mut texts = 0;
        for byte in bytes {
            if self.payload > 0 {
                self.payload -= 1;
                continue;
            }
            self.held.push(*byte);
            if !self.upgraded {
                self.upgraded = self.held.ends_with(b"\r\n\r\n");
                if self.upgraded {
                    self.held.clear();
                }
            } else if let Some(payload) = header(&self.held) {
                texts += u64::from(self.held[0] & 0x0f == 1);
                self.payload = payload;
                self.held.clear();
            }
        }
        texts
    }
}

/// The length of the payload, once the header is whole. A client's frames are masked.
fn header(bytes: &[u8]) -> Option<u64> {
    let short = u64::from(*bytes.get(1)? & 0x7f);
    let extra = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if bytes.len() < 2 + extra + 4 {
        return None;
    }
    let long = bytes[2..2 + extra].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    Some(if extra == 0 { short } else { long })
}
