//! Writing a snapshot's archive as a stream: plain ustar with nothing in a header that depends on when, where or by whom
//! (docs/snapshot.md, section 1).

use std::io::{self, Read, Write};

use zstd::Encoder;

use super::signature::tagged;
use crate::domain::{Digest32, PublicKey32, Sha256Stream, Signature64};
use crate::evidence::snapshot::{MANIFEST_NAME, SIGNATURE_NAME, SNAPSHOT_SCHEMA, SnapshotManifest, SnapshotMember};

const BLOCK: usize = 512;
/// Bytes copied at a time.
const PIECE: usize = 256 * 1024;
/// Evidence is text in segments: the default level is within some percent of the best, at ten times its speed.
const LEVEL: i32 = 3;
/// Threads that compress while this one reads and hashes. The bytes do not depend on how many they are, as long as there is one:
/// the stream is cut into jobs by its settings alone.
const WORKERS: u32 = 2;
/// Lengths of the header's name fields.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// What the key signs for these bytes of a manifest.
pub fn manifest_message(manifest: &[u8]) -> Vec<u8> {
    tagged(SNAPSHOT_SCHEMA, manifest)
}

/// The bytes of `manifest.sig`.
pub fn signature_bytes(key: &PublicKey32, sig: &Signature64) -> Vec<u8> {
    format!("{{\"key_id\":\"{key}\",\"sig\":\"{}\"}}", faster_hex::hex_string(&sig.0)).into_bytes()
}

/// Writes the archive of a manifest with its signature. Memory holds some jobs of a few megabytes, whatever the members have.
///
/// # Errors
/// A failure of the writer or of a member's reader, and [`io::ErrorKind::InvalidData`] for a member that is not what the
/// manifest says: somebody is writing to it.
pub fn pack_snapshot<W: Write>(
    out: W,
    manifest: &SnapshotManifest,
    signature: &[u8],
    open: &mut dyn FnMut(&SnapshotMember) -> io::Result<Box<dyn Read>>,
) -> io::Result<W> {
    pack_by(WORKERS, out, manifest, signature, open)
}

fn pack_by<W: Write>(
    workers: u32,
    out: W,
    manifest: &SnapshotManifest,
    signature: &[u8],
    open: &mut dyn FnMut(&SnapshotMember) -> io::Result<Box<dyn Read>>,
) -> io::Result<W> {
    let mut encoder = Encoder::new(out, LEVEL)?;
    encoder.multithread(workers)?;
    for (name, content) in [(MANIFEST_NAME, manifest.to_bytes().as_slice()), (SIGNATURE_NAME, signature)] {
        // A slice's length always fits 64 bits.
        member(&mut encoder, name, content.len() as u64, content)?;
    }
    for wanted in &manifest.members {
        let (measured, more) = {
            let mut reader = open(wanted)?;
            let measured = member(&mut encoder, &wanted.name, wanted.size, &mut reader)?;
            (measured, reader.read(&mut [0])? > 0)
        };
        if measured != wanted.sha256 || more {
            let what = format!("{} changed while it was read", wanted.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    }
    encoder.write_all(&[0; 2 * BLOCK])?;
    encoder.finish()
}

/// Header, content, padding; the content's digest.
fn member(out: &mut impl Write, name: &str, size: u64, content: impl Read) -> io::Result<Digest32> {
    out.write_all(&header(name, size)?)?;
    let (mut content, mut left) = (content.take(size), size);
    let (mut digest, mut piece) = (Sha256Stream::default(), vec![0; PIECE]);
    while left > 0 {
        let length = content.read(&mut piece)?;
        if length == 0 {
            let what = format!("{name} is shorter than it was");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        digest.update(&piece[..length]);
        out.write_all(&piece[..length])?;
        // A slice's length always fits 64 bits.
        left = left.saturating_sub(length as u64);
    }
    let padding = size.next_multiple_of(BLOCK as u64).saturating_sub(size);
    out.write_all(&vec![0; usize::try_from(padding).unwrap_or_default()])?;
    Ok(digest.finish())
}

fn header(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    let refused = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let too_long = || refused(format!("{name} is too long for an archive"));
    let (prefix, short) = if name.len() <= NAME {
        ("", name)
    } else {
        let part = |at: &usize| *at <= PREFIX && name.len() - at - 1 <= NAME;
        let at = name.match_indices('/').map(|(at, _)| at).find(part).ok_or_else(too_long)?;
        (&name[..at], &name[at + 1..])
    };
    // Eleven octal digits: 8 GiB less one byte.
    if size >= 1 << 33 {
        return Err(refused(format!("{name} is too large for an archive")));
    }
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, short.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;
    use crate::evidence::tar::TarReader;

    fn member_of(name: &str, content: &[u8]) -> SnapshotMember {
        SnapshotMember { name: name.to_owned(), sha256: sha256(content), size: content.len() as u64 }
    }

    fn packed(members: &[(&str, &[u8])], given: &[u8]) -> io::Result<Vec<u8>> {
        let members = members.iter().map(|(name, content)| member_of(name, content)).collect();
        let manifest = SnapshotManifest { sequence: 1, entries: 2, schema_cursor: 3, members };
        let given = given.to_vec();
        pack_snapshot(Vec::new(), &manifest, b"sig", &mut |_| Ok(Box::new(io::Cursor::new(given.clone()))))
    }

    #[test]
    fn the_strict_reader_reads_what_is_written_and_twice_the_same_is_the_same() {
        let long = format!("{}/{}", "a".repeat(150), "b".repeat(100));
        for content in [Vec::new(), b"x".to_vec(), vec![7; BLOCK], vec![7; PIECE + 1]] {
            let content = content.as_slice();
            let bytes = packed(&[("a", content), (&long, content)], content).unwrap();
            assert_eq!(bytes, packed(&[("a", content), (&long, content)], content).unwrap());
            let mut tar = TarReader::new(zstd::Decoder::new(bytes.as_slice()).unwrap());
            let mut names = Vec::new();
            while let Some(member) = tar.next_member().unwrap() {
                let mut read = vec![0; usize::try_from(member.size).unwrap()];
                let mut filled = 0;
                while filled < read.len() {
                    filled += tar.read(&mut read[filled..]).unwrap();
                }
                match member.name.as_str() {
                    MANIFEST_NAME => assert_eq!(SnapshotManifest::parse(&read).unwrap().entries, 2),
                    SIGNATURE_NAME => assert_eq!(read, b"sig"),
                    _ => assert_eq!(read, content),
                }
                names.push(member.name);
            }
            assert_eq!(names, [MANIFEST_NAME, SIGNATURE_NAME, "a", &long]);
        }
    }

    #[test]
    fn how_many_threads_compress_changes_no_byte() {
        // Some jobs long, and not of one byte: words in an order that does not repeat.
        let mut state = 7_u64;
        let mut content = Vec::new();
        while content.len() < 20 << 20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            content.extend(format!("{:04x} ", state >> 48).into_bytes());
        }
        let manifest = SnapshotManifest {
            sequence: 1,
            entries: 2,
            schema_cursor: 3,
            members: vec![member_of("evidence/segments/00000001.seg", &content)],
        };
        let by = |workers| {
            let mut open =
                |_: &SnapshotMember| -> io::Result<Box<dyn Read>> { Ok(Box::new(io::Cursor::new(content.clone()))) };
            pack_by(workers, Vec::new(), &manifest, b"sig", &mut open).unwrap()
        };
        let two = by(WORKERS);
        for workers in [1, 3] {
            assert!(by(workers) == two, "{workers}");
        }
    }

    #[test]
    fn a_member_that_changes_while_it_is_read_ends_the_writing() {
        for given in [&b"abcd"[..], b"ab", b"abx", b""] {
            assert_eq!(packed(&[("a", b"abc")], given).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        assert!(packed(&[("a", b"abc")], b"abc").is_ok());
        let name = "a".repeat(300);
        assert_eq!(packed(&[(&name, b"")], b"").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
