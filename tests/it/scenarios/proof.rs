//! OpenTimestamps proofs by hand, and blocks that commit to what a case wants.

use reledger::domain::sha256;

use super::scene::{AS_OF, Scene};

pub(crate) const CALENDAR: &str = "https://alice.btc.calendar.opentimestamps.org";
const BITCOIN: [u8; 8] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
const PENDING: [u8; 8] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];
const SHA256: u8 = 0x08;

/// Little-endian base 128.
fn number(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn counted(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()), bytes.to_vec()].concat()
}

fn attestation(notary: [u8; 8], payload: &[u8]) -> Vec<u8> {
    [vec![0], notary.to_vec(), counted(payload)].concat()
}

/// So many hashes, then the block.
pub(crate) fn hashes_then_block(hashes: usize, height: usize) -> Vec<u8> {
    [vec![SHA256; hashes], attestation(BITCOIN, &number(height))].concat()
}

/// So many hashes, then a calendar's promise about a commitment of that submission time.
pub(crate) fn pending(hashes: usize, submitted_at: i64, calendar: &str) -> Vec<u8> {
    let time = u32::try_from(submitted_at).unwrap().to_be_bytes();
    let prepend = [vec![0xf1], counted(&time)].concat();
    let append = [vec![0xf0], counted(&[9; 8])].concat();
    [vec![SHA256; hashes], prepend, append, attestation(PENDING, &counted(calendar.as_bytes()))].concat()
}

/// A proof that is young at the as-of.
pub(crate) fn young() -> Vec<u8> {
    pending(1, AS_OF - 3_600, CALENDAR)
}

/// A detached file about that digest.
pub(crate) fn detached(digest: [u8; 32], timestamp: &[u8]) -> Vec<u8> {
    let magic = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08";
    [magic.as_slice(), &digest, timestamp].concat()
}

pub(crate) fn header_hash(header: &[u8; 80]) -> [u8; 32] {
    sha256(sha256(header).as_bytes()).0
}

/// The hash as people read it.
pub(crate) fn shown_hash(header: &[u8; 80]) -> String {
    let mut hash = header_hash(header);
    hash.reverse();
    faster_hex::hex_string(&hash)
}

/// Seconds of a header.
pub(crate) fn time_of(header: &[u8; 80]) -> i64 {
    i64::from(u32::from_le_bytes([header[68], header[69], header[70], header[71]]))
}

/// Work at the lowest difficulty: the hash's top byte below 0x7f.
pub(crate) fn work(header: &mut [u8; 80]) {
    let nonce = (0..=u32::MAX).find(|nonce| {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        header_hash(header)[31] < 0x7f
    });
    assert!(nonce.is_some());
}

/// Links and works every header from there on.
pub(crate) fn relink(headers: &mut [[u8; 80]], from: usize) {
    for height in from..headers.len() {
        let previous = header_hash(&headers[height - 1]);
        headers[height][4..36].copy_from_slice(&previous);
        work(&mut headers[height]);
    }
}

impl Scene {
    /// Height of the last block.
    pub(crate) fn tip(&self) -> usize {
        self.world.headers.len() - 1
    }

    /// Makes a block at the end of the chain commit to the digest after one hash. The last eight blocks anchor nothing yet.
    pub(crate) fn anchor(&mut self, digest: [u8; 32], height: usize) {
        assert!(height + 8 > self.tip());
        self.world.headers[height][36..68].copy_from_slice(sha256(&digest).as_bytes());
        relink(&mut self.world.headers, height);
    }

    /// The `ots` member of a proof that a block confirms.
    pub(crate) fn confirmed(&self, timestamp: &[u8], height: usize) -> serde_json::Value {
        serde_json::json!({
            "status": "confirmed", "proof": base64(timestamp), "calendars": [CALENDAR], "block_height": height,
            "block_hash": shown_hash(&self.world.headers[height]), "upgraded_at": null,
        })
    }
}

/// The `ots` member of a proof that waits.
pub(crate) fn waiting(timestamp: &[u8]) -> serde_json::Value {
    serde_json::json!({
        "status": "pending", "proof": base64(timestamp), "calendars": [CALENDAR], "block_height": null,
        "block_hash": null, "upgraded_at": null,
    })
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
