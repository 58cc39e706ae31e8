//! The one pass over a proof's bytes. Iterative: a fork costs one saved length, never a stack frame.

use super::{Attestation, FileHash, MAGIC, Op, Proof, Refusal, Root, Step};
use crate::domain::BlockHeight;
use crate::evidence::limits;

/// The only version known; one byte, as the reference's current head reads it (OTS 1.2).
pub(super) const VERSION: u8 = 1;
/// An integer of nine groups of seven bits fits 63 bits. More groups are never needed and would overflow (OTS 1.2).
const VARINT_BYTES_MAX: u32 = 9;

pub(super) const TAG_ATTESTATION: u8 = 0x00;
pub(super) const TAG_SHA1: u8 = 0x02;
pub(super) const TAG_RIPEMD160: u8 = 0x03;
pub(super) const TAG_SHA256: u8 = 0x08;
pub(super) const TAG_KECCAK256: u8 = 0x67;
pub(super) const TAG_APPEND: u8 = 0xf0;
pub(super) const TAG_PREPEND: u8 = 0xf1;
pub(super) const TAG_REVERSE: u8 = 0xf2;
pub(super) const TAG_HEXLIFY: u8 = 0xf3;
pub(super) const TAG_FORK: u8 = 0xff;

pub(super) const NOTARY_BITCOIN: [u8; 8] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
pub(super) const NOTARY_PENDING: [u8; 8] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];

const DIGEST_LEN: usize = 32;
/// What a step of calendars' proofs takes: now a digest beside a tag and its length, now a tag alone.
const STEP_BYTES_USUAL: usize = 16;

/// Detached when the magic stands there, else bare from a 32-byte digest.
pub(super) fn proof(bytes: &[u8]) -> Result<Proof<'_>, Refusal> {
    if !bytes.starts_with(MAGIC) {
        return bare(bytes, DIGEST_LEN);
    }
    let mut reader = Reader { bytes, at: MAGIC.len() };
    if reader.byte()? != VERSION {
        return Err(Refusal::malformed("unknown version", MAGIC.len()));
    }
    let tag_at = reader.at;
    let (hash, len) = match reader.byte()? {
        TAG_SHA1 => (FileHash::Sha1, 20),
        TAG_RIPEMD160 => (FileHash::Ripemd160, 20),
        TAG_SHA256 => (FileHash::Sha256, 32),
        TAG_KECCAK256 => return Err(Refusal::malformed("file hash keccak256 is unsupported", tag_at)),
        _ => return Err(Refusal::malformed("unknown file hash", tag_at)),
    };
    let digest = reader.take(len)?;
    timestamp(reader, Root::Detached { hash, digest }, len)
}

/// A timestamp without file header that starts from a message of `start_len` bytes.
pub(super) fn bare(bytes: &[u8], start_len: usize) -> Result<Proof<'_>, Refusal> {
    timestamp(Reader { bytes, at: 0 }, Root::Bare, start_len)
}

/// State of the walk at one point of the tree.
#[derive(Clone, Copy)]
struct Place {
    message_len: usize,
    depth: usize,
}

struct Parser<'a> {
    steps: Vec<Step<'a>>,
    counted: usize,
    branches: usize,
    work: usize,
}

fn timestamp<'a>(mut reader: Reader<'a>, root: Root<'a>, start_len: usize) -> Result<Proof<'a>, Refusal> {
    let mut parser =
        Parser { steps: Vec::with_capacity(reader.bytes.len() / STEP_BYTES_USUAL), counted: 0, branches: 1, work: 0 };
    let mut place = Place { message_len: start_len, depth: 0 };
    let mut kept: Vec<Place> = Vec::new();
    let mut after_fork = false;
    loop {
        let tag_at = reader.at;
        let tag = reader.byte()?;
        match tag {
            // A branch begins with an operation or an attestation; the reference knows no operation ff.
            TAG_FORK if after_fork => return Err(Refusal::malformed("fork inside a fork", tag_at)),
            TAG_FORK => {
                parser.fork(place, tag_at)?;
                kept.push(place);
            }
            TAG_ATTESTATION => {
                parser.attest(attestation(&mut reader)?, place, tag_at)?;
                match kept.pop() {
                    Some(earlier) => place = earlier,
                    None => break,
                }
            }
            _ => place = parser.operate(operation(tag, &mut reader)?, place, tag_at)?,
        }
        after_fork = tag == TAG_FORK;
    }
    if reader.at != reader.bytes.len() {
        return Err(Refusal::malformed("bytes after the end of the proof", reader.at));
    }
    Ok(Proof { root, start_len, steps: parser.steps, work: parser.work })
}

impl<'a> Parser<'a> {
    fn fork(&mut self, place: Place, at: usize) -> Result<(), Refusal> {
        self.branches += 1;
        if self.branches > limits::OTS_BRANCHES_MAX {
            return Err(Refusal::limit("too many branches", at));
        }
        self.spend(place.message_len, at)?;
        self.steps.push(Step::Fork);
        Ok(())
    }

    fn attest(&mut self, attestation: Attestation<'a>, place: Place, at: usize) -> Result<(), Refusal> {
        self.count(at)?;
        self.spend(place.message_len, at)?;
        self.steps.push(Step::Attest(attestation));
        Ok(())
    }

    fn operate(&mut self, op: Op<'a>, place: Place, at: usize) -> Result<Place, Refusal> {
        self.count(at)?;
        let message_len = match op {
            Op::Sha1 | Op::Ripemd160 => 20,
            Op::Sha256 | Op::Keccak256 => 32,
            Op::Append(more) | Op::Prepend(more) => place.message_len + more.len(),
            Op::Reverse => place.message_len,
            Op::Hexlify => place.message_len * 2,
        };
        if message_len > limits::OTS_MESSAGE_BYTES_MAX {
            return Err(Refusal::limit("result of an operation too long", at));
        }
        let depth = place.depth + 1;
        if depth > limits::OTS_DEPTH_MAX {
            return Err(Refusal::limit("too many operations in a row", at));
        }
        self.spend(place.message_len + message_len, at)?;
        self.steps.push(Step::Op(op));
        Ok(Place { message_len, depth })
    }

    fn count(&mut self, at: usize) -> Result<(), Refusal> {
        self.counted += 1;
        if self.counted > limits::OTS_STEPS_MAX { Err(Refusal::limit("too many steps", at)) } else { Ok(()) }
    }

    fn spend(&mut self, bytes: usize, at: usize) -> Result<(), Refusal> {
        self.work += bytes;
        if self.work > limits::OTS_WORK_BYTES_MAX {
            return Err(Refusal::limit("too many bytes to hash", at));
        }
        Ok(())
    }
}

fn operation<'a>(tag: u8, reader: &mut Reader<'a>) -> Result<Op<'a>, Refusal> {
    let at = reader.at - 1;
    Ok(match tag {
        TAG_SHA1 => Op::Sha1,
        TAG_RIPEMD160 => Op::Ripemd160,
        TAG_SHA256 => Op::Sha256,
        TAG_KECCAK256 => Op::Keccak256,
        TAG_APPEND => Op::Append(argument(reader)?),
        TAG_PREPEND => Op::Prepend(argument(reader)?),
        TAG_REVERSE => Op::Reverse,
        TAG_HEXLIFY => Op::Hexlify,
        _ => return Err(Refusal::malformed("unknown operation", at)),
    })
}

fn argument<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let at = reader.at;
    let bytes = reader.counted_bytes(limits::OTS_MESSAGE_BYTES_MAX, "argument of an operation too long")?;
    if bytes.is_empty() { Err(Refusal::malformed("empty argument of an operation", at)) } else { Ok(bytes) }
}

/// The payload of a known notary must be consumed to its last byte; that of an unknown one is passed over.
fn attestation<'a>(reader: &mut Reader<'a>) -> Result<Attestation<'a>, Refusal> {
    let mut notary = [0; 8];
    notary.copy_from_slice(reader.take(8)?);
    let payload = reader.counted_bytes(limits::OTS_PAYLOAD_BYTES_MAX, "payload of an attestation too long")?;
    let mut inner = Reader { bytes: &reader.bytes[..reader.at], at: reader.at - payload.len() };
    let attestation = match notary {
        NOTARY_BITCOIN => bitcoin(&mut inner)?,
        NOTARY_PENDING => pending(&mut inner)?,
        _ => return Ok(Attestation::Unknown { tag: notary, payload }),
    };
    if inner.at == reader.at {
        Ok(attestation)
    } else {
        Err(Refusal::malformed("bytes after the end of an attestation", inner.at))
    }
}

fn bitcoin<'a>(payload: &mut Reader<'a>) -> Result<Attestation<'a>, Refusal> {
    let at = payload.at;
    let height = u32::try_from(payload.varint()?).map_err(|_| Refusal::malformed("no such block height", at))?;
    Ok(Attestation::Bitcoin(BlockHeight(height)))
}

fn pending<'a>(payload: &mut Reader<'a>) -> Result<Attestation<'a>, Refusal> {
    let at = payload.at;
    let uri = payload.counted_bytes(limits::OTS_URI_BYTES_MAX, "calendar address too long")?;
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/:-".contains(byte);
    match std::str::from_utf8(uri) {
        Ok(text) if uri.iter().all(allowed) => Ok(Attestation::Pending(text)),
        _ => Err(Refusal::malformed("calendar address with a forbidden character", at)),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Refusal> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        let end = self.at.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Refusal::malformed("cut off", self.at))?;
        self.at += len;
        Ok(taken)
    }

    /// Bytes behind their declared length. The length is judged before anything is read or allocated.
    fn counted_bytes(&mut self, max: usize, too_long: &'static str) -> Result<&'a [u8], Refusal> {
        let at = self.at;
        match usize::try_from(self.varint()?) {
            Ok(len) if len <= max => self.take(len),
            _ => Err(Refusal::limit(too_long, at)),
        }
    }

    /// Little-endian groups of seven bits. Padding with empty groups is accepted, as the reference does.
    fn varint(&mut self) -> Result<u64, Refusal> {
        let at = self.at;
        let mut value = 0;
        for group in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Refusal::malformed("integer of more than nine bytes", at))
    }
}
