//! OpenTimestamps proofs and calendar replies, parsed in one bounded pass (OTS 1.4, FORMATS 9).
//!
//! A proof is read into a flat list of [`Step`]s. Nothing is hashed: only the message's *length* is followed, which is
//! enough to know every limit and the whole cost of a later walk before the first hash is computed.

mod parse;
#[cfg(test)]
mod tests;
mod tree;

pub use tree::{Tree, TreeNode};

use std::fmt;

use super::claim::{Claim, Decoded, OtsClaim};
use super::limits;
use crate::domain::{BlockHeight, Code, Digest32, Finding, Media, Subject, sha256};

/// First bytes of a detached proof file (FORMATS 9.3).
const MAGIC: &[u8] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94";

/// Reads a proof, detached or bare. `about` is the hex digest its file name claims; anything else counts as none.
pub fn decode(about: &str, bytes: &[u8]) -> Decoded {
    match Proof::parse(bytes) {
        Ok(_) => claim(OtsClaim {
            about: Digest32::from_hex(about).ok(),
            proof: bytes.to_vec(),
            commitment: None,
            calendar: None,
        }),
        Err(refusal) => Decoded::Undecodable(vec![refusal.finding(subject(Media::OtsProof, about, bytes))]),
    }
}

/// Reads a calendar's reply. `about` is `host/commitment-hex`: a reply means nothing without the message it starts from.
pub fn decode_reply(about: &str, bytes: &[u8]) -> Decoded {
    let read = || -> Result<OtsClaim, Refusal> {
        let (calendar, commitment) = asked_for(about)?;
        Proof::parse_reply(bytes, commitment.len())?;
        Ok(OtsClaim { about: None, proof: bytes.to_vec(), commitment: Some(commitment), calendar: Some(calendar) })
    };
    match read() {
        Ok(reply) => claim(reply),
        Err(refusal) => Decoded::Undecodable(vec![refusal.finding(subject(Media::CalendarReply, about, bytes))]),
    }
}

fn claim(claim: OtsClaim) -> Decoded {
    Decoded::Claim(Box::new(Claim::Ots(claim)), Vec::new())
}

fn subject(media: Media, about: &str, bytes: &[u8]) -> Subject {
    Subject::new("media", media).and("sha256", sha256(bytes)).and("about", about)
}

/// Splits `host/commitment-hex`. A commitment is a message, so it has a message's bound.
fn asked_for(about: &str) -> Result<(String, Vec<u8>), Refusal> {
    let (host, hex) = about.split_once('/').ok_or(Refusal::malformed("the reply does not say what was asked", 0))?;
    if hex.len() / 2 > limits::OTS_MESSAGE_BYTES_MAX {
        return Err(Refusal::limit("commitment longer than a message may be", 0));
    }
    let mut commitment = vec![0; hex.len() / 2];
    if host.is_empty() || hex.is_empty() || faster_hex::hex_decode(hex.as_bytes(), &mut commitment).is_err() {
        return Err(Refusal::malformed("the reply does not say what was asked", 0));
    }
    Ok((host.to_owned(), commitment))
}

/// A parsed proof. Borrows from the bytes; every limit of [`limits`] held when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof<'a> {
    root: Root<'a>,
    start_len: usize,
    steps: Vec<Step<'a>>,
    work: usize,
}

impl<'a> Proof<'a> {
    /// Parses a detached proof, or a bare timestamp that starts at a 32-byte digest.
    ///
    /// # Errors
    /// [`Refusal`] when the bytes are no proof or pass a limit.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > limits::OTS_BYTES_MAX {
            return Err(Refusal::limit("proof too large", limits::OTS_BYTES_MAX));
        }
        parse::proof(bytes)
    }

    /// Parses a calendar's reply: a bare timestamp that starts at a commitment of that many bytes (OTS 2.3).
    ///
    /// # Errors
    /// [`Refusal`] when the bytes are no timestamp or pass a limit.
    pub fn parse_reply(bytes: &'a [u8], commitment_len: usize) -> Result<Self, Refusal> {
        if bytes.len() > limits::CALENDAR_REPLY_BYTES_MAX {
            return Err(Refusal::limit("calendar reply too large", limits::CALENDAR_REPLY_BYTES_MAX));
        }
        parse::bare(bytes, commitment_len)
    }

    /// What the proof starts from.
    pub fn root(&self) -> Root<'a> {
        self.root
    }

    /// Length in bytes of the message that the steps start from.
    pub fn start_len(&self) -> usize {
        self.start_len
    }

    /// The steps in the order of the file.
    pub fn steps(&self) -> &[Step<'a>] {
        &self.steps
    }

    /// Bytes that a walk reads, writes or copies; at most [`limits::OTS_WORK_BYTES_MAX`].
    pub fn work(&self) -> usize {
        self.work
    }
}

/// What a proof starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root<'a> {
    /// A `.ots` file: the digest of a file stands inside.
    Detached {
        /// How the file was hashed.
        hash: FileHash,
        /// 20 or 32 bytes.
        digest: &'a [u8],
    },
    /// A bare timestamp: the digest must be known from elsewhere.
    Bare,
}

/// File-hash operations of a detached proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileHash {
    /// Tag 02.
    Sha1,
    /// Tag 03.
    Ripemd160,
    /// Tag 08.
    Sha256,
}

/// One step of a proof. The steps are a walk in depth-first order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// The message is kept for one more branch.
    Fork,
    /// The message becomes the operation's result.
    Op(Op<'a>),
    /// Ends the branch; the walk goes on with the message kept last.
    Attest(Attestation<'a>),
}

/// Operations (OTS 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// Tag 02.
    Sha1,
    /// Tag 03.
    Ripemd160,
    /// Tag 08.
    Sha256,
    /// Tag 67: the original Keccak padding, not SHA3-256.
    Keccak256,
    /// Tag f0.
    Append(&'a [u8]),
    /// Tag f1.
    Prepend(&'a [u8]),
    /// Tag f2, deprecated.
    Reverse,
    /// Tag f3: lower-case hex digits.
    Hexlify,
}

/// What stands at the end of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation<'a> {
    /// The message is the Merkle root of the block at this height.
    Bitcoin(BlockHeight),
    /// A calendar at this address promises to know more.
    Pending(&'a str),
    /// Another notary; skipped.
    Unknown {
        /// Which one.
        tag: [u8; 8],
        /// What it says, unread.
        payload: &'a [u8],
    },
}

/// Why bytes are not taken as a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    reason: &'static str,
    offset: usize,
}

impl Refusal {
    const fn malformed(reason: &'static str, offset: usize) -> Self {
        Self { code: Code::OtsMalformed, reason, offset }
    }

    const fn limit(reason: &'static str, offset: usize) -> Self {
        Self { code: Code::OtsLimit, reason, offset }
    }

    /// `OTS_MALFORMED` or `OTS_LIMIT`.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The finding about that subject.
    pub fn finding(&self, subject: Subject) -> Finding {
        let expected = match self.code {
            Code::OtsLimit => "a proof within the limits",
            _ => "a readable proof",
        };
        Finding::new(self.code, subject)
            .with_values(expected, self)
            .with_explanation(format!("the proof is not read: {self}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.offset)
    }
}
