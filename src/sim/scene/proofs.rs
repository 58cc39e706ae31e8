//! OpenTimestamps proofs by hand, and blocks that commit to what a fault wants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{AS_OF, NoRoom, Scene};
use crate::domain::sha256;
use crate::sim::world::Proven;

pub(in crate::sim) const CALENDAR: &str = "https://alice.btc.calendar.opentimestamps.org";
const BITCOIN: [u8; 8] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
const PENDING: [u8; 8] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];
const SHA256: u8 = 0x08;

/// Little-endian base 128.
fn number(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()), bytes.to_vec()].concat()
}

fn attestation(notary: [u8; 8], payload: &[u8]) -> Vec<u8> {
    [vec![0], notary.to_vec(), counted(payload)].concat()
}

/// So many hashes, then the block.
pub(in crate::sim) fn hashes_then_block(hashes: usize, height: usize) -> Vec<u8> {
    [vec![SHA256; hashes], attestation(BITCOIN, &number(height))].concat()
}

/// So many hashes, then blocks, as a calendar that was upgraded twice gives them.
pub(in crate::sim) fn hashes_then_blocks(hashes: usize, heights: &[usize]) -> Vec<u8> {
    let mut proof = vec![SHA256; hashes];
    for (index, height) in heights.iter().enumerate() {
        proof.extend((index + 1 < heights.len()).then_some(0xff));
        proof.extend(attestation(BITCOIN, &number(*height)));
    }
    proof
}

/// So many hashes, then a calendar's promise about a commitment of that submission time.
pub(in crate::sim) fn pending(hashes: usize, submitted_at: i64, calendar: &str) -> Vec<u8> {
    let time = u32::try_from(submitted_at).unwrap_or(0).to_be_bytes();
    let prepend = [vec![0xf1], counted(&time)].concat();
    let append = [vec![0xf0], counted(&[9; 8])].concat();
    [vec![SHA256; hashes], prepend, append, attestation(PENDING, &counted(calendar.as_bytes()))].concat()
}

/// A proof that is young at the as-of.
pub(in crate::sim) fn young() -> Vec<u8> {
    pending(1, AS_OF - 3_600, CALENDAR)
}

/// A detached file about that digest.
pub(in crate::sim) fn detached(digest: [u8; 32], timestamp: &[u8]) -> Vec<u8> {
    let magic = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08";
    [magic.as_slice(), &digest, timestamp].concat()
}

pub(in crate::sim) fn header_hash(header: &[u8; 80]) -> [u8; 32] {
    sha256(sha256(header).as_bytes()).0
}

/// The hash as people read it.
pub(in crate::sim) fn shown_hash(header: &[u8; 80]) -> String {
    let mut hash = header_hash(header);
    hash.reverse();
    faster_hex::hex_string(&hash)
}

/// Seconds of a header.
pub(in crate::sim) fn time_of(header: &[u8; 80]) -> i64 {
    i64::from(u32::from_le_bytes([header[68], header[69], header[70], header[71]]))
}

/// Work at the lowest difficulty: the hash's top byte below 0x7f.
pub(in crate::sim) fn work(header: &mut [u8; 80]) {
    for nonce in 0..=u32::MAX {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        if header_hash(header)[31] < 0x7f {
            return;
        }
    }
}

/// Links and works every header from there on.
fn relink(headers: &mut [[u8; 80]], from: usize) {
    for height in from..headers.len() {
        let previous = header_hash(&headers[height - 1]);
        headers[height][4..36].copy_from_slice(&previous);
        work(&mut headers[height]);
    }
}

impl Scene {
    /// Height of the last block.
    pub(in crate::sim) fn tip(&self) -> usize {
        self.world.headers.len() - 1
    }

    /// Makes a block at the end of the chain commit to the digest after one hash. The last eight blocks anchor nothing yet,
    /// and each can be given away once.
    pub(in crate::sim) fn anchor(&mut self, digest: [u8; 32], height: usize) -> Result<(), NoRoom> {
        // Later blocks change their hashes: a fault that has shown one of those must not come after.
        self.claim("chain end")?;
        self.commit(digest, height)
    }

    /// As [`Self::anchor`], for a caller that anchors in another block too.
    pub(in crate::sim) fn commit(&mut self, digest: [u8; 32], height: usize) -> Result<(), NoRoom> {
        if height + 8 <= self.tip() {
            return Err(NoRoom);
        }
        self.claim(format!("block {height}"))?;
        self.world.headers[height][36..68].copy_from_slice(sha256(&digest).as_bytes());
        relink(&mut self.world.headers, height);
        self.world.proven.insert(faster_hex::hex_string(&digest), Proven::Block(height));
        Ok(())
    }

    /// A block among those, dated anew as early as its rules allow, and that time, which is to lie so many seconds before the
    /// as-of at least.
    ///
    /// # Errors
    /// [`NoRoom`] when it lies later.
    pub(in crate::sim) fn early_block(&mut self, before: i64) -> Result<(usize, i64), NoRoom> {
        let height = self.tip() - 7;
        // A time must exceed the median of the eleven before: the sixth of them, since times rise.
        let time = time_of(&self.world.headers[height - 6]) + 1;
        if time + before >= AS_OF {
            return Err(NoRoom);
        }
        let bytes = u32::try_from(time).map_err(|_| NoRoom)?.to_le_bytes();
        self.world.headers[height][68..72].copy_from_slice(&bytes);
        relink(&mut self.world.headers, height);
        Ok((height, time))
    }

    /// The `ots` member of a proof that a block confirms.
    pub(in crate::sim) fn confirmed(&self, timestamp: &[u8], height: usize) -> Value {
        json!({
            "status": "confirmed", "proof": base64(timestamp), "calendars": [CALENDAR], "block_height": height,
            "block_hash": shown_hash(&self.world.headers[height]), "upgraded_at": null,
        })
    }
}

/// The `ots` member of a proof that waits.
pub(in crate::sim) fn waiting(timestamp: &[u8]) -> Value {
    json!({
        "status": "pending", "proof": base64(timestamp), "calendars": [CALENDAR], "block_height": null,
        "block_hash": null, "upgraded_at": null,
    })
}

pub(in crate::sim) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
