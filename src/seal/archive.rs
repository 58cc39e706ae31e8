//! Reading one snapshot as a stream: signature first, then members, each measured and none kept.

use std::collections::BTreeMap;
use std::io::{self, BufReader, ErrorKind, Read};

use zstd::Decoder;

use super::signature::{self, SealTrust};
use crate::domain::{Digest32, PublicKey32, Sha256Stream};
use crate::evidence::limits::{
    SNAPSHOT_EXPANDED_BYTES_MAX, SNAPSHOT_MANIFEST_BYTES_MAX, SNAPSHOT_RATIO_MAX, SNAPSHOT_SIGNATURE_BYTES_MAX,
    SNAPSHOT_WINDOW_LOG_MAX,
};
use crate::evidence::snapshot::{
    MANIFEST_NAME, ReadEnd, SIGNATURE_NAME, SNAPSHOT_SCHEMA, SnapshotManifest, SnapshotMember, SnapshotOutline,
    SnapshotSignature,
};
use crate::evidence::tar::{Problem, TarFault, TarReader};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// How far an archive may expand, whatever its members say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Times the file's own size.
    pub(super) ratio: u64,
    /// Bytes.
    pub(super) expanded: u64,
}

/// THREATS 5.3.
pub(super) const BOUNDS: Bounds = Bounds { ratio: SNAPSHOT_RATIO_MAX, expanded: SNAPSHOT_EXPANDED_BYTES_MAX };

/// Reads a snapshot of `file_bytes` bytes to its end, or to where it must not be read on. Memory holds one block, the
/// manifest, and a digest a member. `None` when `stop` said so.
///
/// A reader that fails with [`ErrorKind::InvalidData`] gives what was damaged: it is the archive's cover that does not hold.
///
/// # Errors
/// A failure of the reader itself, and a file whose size is not `file_bytes`: somebody is writing to it.
pub fn read_snapshot(
    reader: impl Read,
    file_bytes: u64,
    trust: SealTrust<'_>,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<SnapshotOutline>> {
    read_within(BOUNDS, reader, file_bytes, trust, stop)
}

/// Who takes the members of an archive, one after another.
pub trait MemberSink {
    /// A member begins, whose name and size the manifest states.
    ///
    /// # Errors
    /// Ends the reading.
    fn begin(&mut self, name: &str, size: u64) -> io::Result<()>;

    /// More of its content.
    ///
    /// # Errors
    /// Ends the reading.
    fn content(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// It has ended, with this digest.
    ///
    /// # Errors
    /// Ends the reading.
    fn end(&mut self, sha256: &Digest32) -> io::Result<()>;
}

/// Whose archive is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Only one that is signed as the trust says.
    Vouched,
    /// Any that has a manifest, whatever its signature comes to.
    Any,
}

/// [`read_snapshot`], with every member handed on. What the sink was given is believed only when the outline of this very
/// reading is judged good: the file may have changed since it was read before.
///
/// # Errors
/// As [`read_snapshot`]; what the sink fails with.
pub fn unpack_snapshot(
    reader: impl Read,
    file_bytes: u64,
    (trust, demand): (SealTrust<'_>, Demand),
    sink: &mut dyn MemberSink,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<SnapshotOutline>> {
    read_all(BOUNDS, (reader, file_bytes), (trust, demand), Some(sink), stop)
}

/// Manifest and signature as they stand at the beginning of an archive; `None` where they do not. Nothing is verified, and no
/// member is read.
pub fn snapshot_head(reader: impl Read) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut tar = TarReader::new(decoder(reader)?);
    let manifest = document(&mut tar, MANIFEST_NAME, SNAPSHOT_MANIFEST_BYTES_MAX).ok()??;
    let signature = document(&mut tar, SIGNATURE_NAME, SNAPSHOT_SIGNATURE_BYTES_MAX).ok()??;
    Some((manifest, signature))
}

/// True when that key has signed the manifest, whatever else is in the archive.
pub fn is_sealed_by(manifest: &[u8], signature: &[u8], key: &PublicKey32) -> bool {
    SnapshotSignature::parse(signature).is_ok_and(|signature| {
        let holds = signature::check(SealTrust::Anyone, SNAPSHOT_SCHEMA, manifest, &signature.key, &signature.sig);
        signature.key == *key && holds.is_ok()
    })
}

/// [`read_snapshot`] with bounds of the caller's.
///
/// # Errors
/// As [`read_snapshot`].
pub(super) fn read_within(
    bounds: Bounds,
    reader: impl Read,
    file_bytes: u64,
    trust: SealTrust<'_>,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<SnapshotOutline>> {
    read_all(bounds, (reader, file_bytes), (trust, Demand::Vouched), None, stop)
}

fn read_all(
    bounds: Bounds,
    (reader, file_bytes): (impl Read, u64),
    (trust, demand): (SealTrust<'_>, Demand),
    sink: Option<&mut dyn MemberSink>,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<SnapshotOutline>> {
    let mut source = Source { reader, stop, digest: Sha256Stream::default(), taken: 0, failed: None };
    let mut outline = SnapshotOutline::new(crate::domain::sha256(b""), file_bytes);
    expand(&mut source, bounds, (trust, demand), sink, &mut outline)?;
    // Whatever was found, the digest is that of the whole file: the finding names it.
    let mut block = vec![0; BLOCK_BYTES];
    while source.failed.is_none() && source.read(&mut block).is_ok_and(|length| length > 0) {}
    match source.failed {
        Some(Failure::Stopped) => return Ok(None),
        Some(Failure::Reader(error)) => return Err(error),
        Some(Failure::Cover) => {
            if outline.end == ReadEnd::Whole {
                outline.end = ReadEnd::Damaged;
            }
            outline.file_sha256 = source.digest.finish();
            return Ok(Some(outline));
        }
        None => {}
    }
    if source.taken != file_bytes {
        return Err(io::Error::other("the file changed while it was read"));
    }
    outline.file_sha256 = source.digest.finish();
    Ok(Some(outline))
}

/// True for a stream that begins as a snapshot does: zstd around a tar archive whose first member is the manifest.
pub fn is_snapshot(reader: impl Read) -> bool {
    let Some(decoder) = decoder(reader) else { return false };
    let mut tar = TarReader::new(decoder);
    let _ = tar.next_member();
    tar.last_name() == MANIFEST_NAME
}

fn decoder<R: Read>(reader: R) -> Option<Decoder<'static, BufReader<R>>> {
    let mut decoder = Decoder::new(reader).ok()?;
    decoder.window_log_max(SNAPSHOT_WINDOW_LOG_MAX).ok()?;
    Some(decoder)
}

/// Why the file itself could not be read on.
enum Failure {
    Stopped,
    /// What the archive is wrapped in does not hold: an altered or cut-off ciphertext.
    Cover,
    Reader(io::Error),
}

/// The file: digests what is taken from it, and remembers its own failures apart from those of the formats above.
struct Source<'s, R> {
    reader: R,
    stop: &'s dyn Fn() -> bool,
    digest: Sha256Stream,
    taken: u64,
    failed: Option<Failure>,
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            self.failed = Some(Failure::Stopped);
        }
        if self.failed.is_some() {
            return Err(io::Error::other("stopped"));
        }
        loop {
            match self.reader.read(buffer) {
                Ok(length) => {
                    self.digest.update(&buffer[..length]);
                    // A slice's length always fits 64 bits.
                    self.taken = self.taken.saturating_add(length as u64);
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // No file fails so.
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    self.failed = Some(Failure::Cover);
                    return Err(io::Error::other("damaged"));
                }
                Err(error) => {
                    self.failed = Some(Failure::Reader(error));
                    return Err(io::Error::other("unreadable"));
                }
            }
        }
    }
}

/// The expanded stream, up to its limits.
struct Bounded<R> {
    reader: R,
    expanded: u64,
    /// What the file's own size allows.
    ratio_limit: u64,
    size_limit: u64,
    tripped: Option<Problem>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        // A slice's length always fits 64 bits.
        self.expanded = self.expanded.saturating_add(length as u64);
        self.tripped = if self.expanded > self.ratio_limit {
            Some(Problem::Ratio)
        } else if self.expanded > self.size_limit {
            Some(Problem::Size)
        } else {
            None
        };
        if self.tripped.is_some() { Err(io::Error::other("too far")) } else { Ok(length) }
    }
}

fn expand<R: Read>(
    source: &mut Source<'_, R>,
    bounds: Bounds,
    (trust, demand): (SealTrust<'_>, Demand),
    sink: Option<&mut dyn MemberSink>,
    outline: &mut SnapshotOutline,
) -> io::Result<()> {
    let Some(decoder) = decoder(source) else {
        outline.end = ReadEnd::Damaged;
        return Ok(());
    };
    let ratio_limit = outline.file_bytes.saturating_mul(bounds.ratio);
    let mut bounded = Bounded { reader: decoder, expanded: 0, ratio_limit, size_limit: bounds.expanded, tripped: None };
    let mut tar = TarReader::new(&mut bounded);
    let read = Reading { trust, demand, sink, outline: &mut *outline, tar: &mut tar }.all();
    let stopped_at = tar.last_name().to_owned();
    let (end, problem) = match read {
        Ok(end) => (end, None),
        Err(Stop::Sink(error)) => return Err(error),
        Err(Stop::Unsafe(problem) | Stop::Tar(TarFault::Unsafe(problem))) => (ReadEnd::Unsafe, Some(problem)),
        Err(Stop::Tar(TarFault::CutOff)) => (ReadEnd::CutOff, None),
        Err(Stop::Tar(TarFault::Read(_))) => match bounded.tripped {
            Some(problem) => (ReadEnd::Unsafe, Some(problem)),
            None => (ReadEnd::Damaged, None),
        },
    };
    (outline.end, outline.problem) = (end, problem);
    if end != ReadEnd::Whole && outline.at.is_empty() {
        outline.set_at(&stopped_at);
    }
    Ok(())
}

/// Why an archive is not read on.
enum Stop {
    Unsafe(Problem),
    Tar(TarFault),
    /// Whoever takes the members can't go on.
    Sink(io::Error),
}

impl From<TarFault> for Stop {
    fn from(fault: TarFault) -> Self {
        Self::Tar(fault)
    }
}

/// One archive being read.
struct Reading<'r, 's, R> {
    trust: SealTrust<'r>,
    demand: Demand,
    sink: Option<&'r mut (dyn MemberSink + 's)>,
    outline: &'r mut SnapshotOutline,
    tar: &'r mut TarReader<R>,
}

impl<R: Read> Reading<'_, '_, R> {
    fn all(mut self) -> Result<ReadEnd, Stop> {
        let Some(manifest) = document(self.tar, MANIFEST_NAME, SNAPSHOT_MANIFEST_BYTES_MAX)? else {
            return Ok(ReadEnd::Unvouched);
        };
        self.outline.set_manifest(&manifest);
        let Some(signature) = document(self.tar, SIGNATURE_NAME, SNAPSHOT_SIGNATURE_BYTES_MAX)? else {
            return Ok(ReadEnd::Unvouched);
        };
        self.outline.set_signature(&signature);
        let vouched = SnapshotSignature::parse(&signature).is_ok_and(|signature| {
            signature::check(self.trust, SNAPSHOT_SCHEMA, &manifest, &signature.key, &signature.sig).is_ok()
        });
        if !vouched && self.demand == Demand::Vouched {
            return Ok(ReadEnd::Unvouched);
        }
        let Ok(manifest) = SnapshotManifest::parse(&manifest) else { return Ok(ReadEnd::Unreadable) };
        if let Some((problem, name)) = manifest.problem() {
            self.outline.set_at(name);
            return Err(Stop::Unsafe(problem));
        }
        self.members(&manifest)?;
        Ok(ReadEnd::Whole)
    }

    fn members(&mut self, manifest: &SnapshotManifest) -> Result<(), Stop> {
        let places: BTreeMap<&str, usize> =
            manifest.members.iter().enumerate().map(|(at, member)| (member.name.as_str(), at)).collect();
        let mut seen = vec![false; manifest.members.len()];
        let mut next = 0;
        let mut block = vec![0; BLOCK_BYTES];
        while let Some(member) = self.tar.next_member()? {
            let Some(at) = places.get(member.name.as_str()).copied() else {
                let again = [MANIFEST_NAME, SIGNATURE_NAME].contains(&member.name.as_str());
                return Err(Stop::Unsafe(if again { Problem::Duplicate } else { Problem::Unlisted }));
            };
            if seen[at] {
                return Err(Stop::Unsafe(Problem::Duplicate));
            }
            if at < next {
                return Err(Stop::Unsafe(Problem::Order));
            }
            seen[at] = true;
            next = at + 1;
            let mut digest = Sha256Stream::default();
            self.tell(|sink| sink.begin(&member.name, member.size))?;
            loop {
                match self.tar.read(&mut block)? {
                    0 => break,
                    length => {
                        digest.update(&block[..length]);
                        self.tell(|sink| sink.content(&block[..length]))?;
                    }
                }
            }
            let measured = SnapshotMember { name: member.name, sha256: digest.finish(), size: member.size };
            self.tell(|sink| sink.end(&measured.sha256))?;
            self.outline.members.push(measured);
        }
        Ok(())
    }

    fn tell(&mut self, what: impl FnOnce(&mut dyn MemberSink) -> io::Result<()>) -> Result<(), Stop> {
        match &mut self.sink {
            Some(sink) => what(&mut **sink).map_err(Stop::Sink),
            None => Ok(()),
        }
    }
}

/// The content of the next member, when it has that name.
fn document<R: Read>(tar: &mut TarReader<R>, name: &str, limit: usize) -> Result<Option<Vec<u8>>, Stop> {
    match tar.next_member()? {
        Some(member) if member.name == name => {
            let size = usize::try_from(member.size).ok().filter(|size| *size <= limit);
            let size = size.ok_or(Stop::Unsafe(Problem::Size))?;
            let mut content = vec![0; size];
            let mut filled = 0;
            while filled < size {
                filled += tar.read(&mut content[filled..])?;
            }
            Ok(Some(content))
        }
        _ => Ok(None),
    }
}
