//! What files came to, byte for byte: whoever finds the same digest later need not read them apart again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::walk::{self, Found};
use crate::domain::{Digest32, Media, Sha256Stream, TaggedHasher};
use crate::substrate::Stopped;

/// Bytes read at a time when nothing but their digest is asked for.
const PIECE_BYTES: usize = 256 * 1024;

/// One digest over the paths and the bytes of all files of a media, in the order in which they are read.
struct Printer(TaggedHasher);

impl Printer {
    fn new(media: Media) -> Self {
        let mut hasher = TaggedHasher::new("reledger/files-print/1");
        hasher.field(media.name().as_bytes());
        Self(hasher)
    }

    fn file(&mut self, path: &Path, sha256: Digest32) {
        self.0.field(path.as_os_str().as_encoded_bytes()).field(sha256.as_bytes());
    }
}

/// The digests of what the sources of one session read, shared with them: of a media all of whose files were read to their end
/// and without a fault, and of no other.
#[derive(Debug, Clone, Default)]
pub struct FilePrints(Arc<Mutex<BTreeMap<Media, Digest32>>>);

impl FilePrints {
    /// By media.
    pub fn get(&self) -> BTreeMap<Media, Digest32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, media: Media, print: Digest32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(media, print);
    }

    /// Begins to take down what a source reads.
    pub(super) fn printing(&self, media: Media) -> Printing {
        Printing { prints: self.clone(), media, printer: Printer::new(media) }
    }
}

/// The print of a source that is being read.
pub(super) struct Printing {
    prints: FilePrints,
    media: Media,
    printer: Printer,
}

impl Printing {
    /// One file was read to its end.
    pub(super) fn file(&mut self, path: &Path, read: Hashed<'_>) -> io::Result<()> {
        self.printer.file(path, read.finish()?);
        Ok(())
    }

    /// All were.
    pub(super) fn ended(self) {
        self.prints.set(self.media, self.printer.0.finish());
    }
}

/// A reader that knows the digest of what was taken from it.
pub(super) struct Hashed<'r> {
    reader: Box<dyn Read + 'r>,
    hasher: Sha256Stream,
}

impl<'r> Hashed<'r> {
    pub(super) fn new(reader: Box<dyn Read + 'r>) -> Self {
        Self { reader, hasher: Sha256Stream::default() }
    }

    /// The digest, with what nobody took: a decoder may leave some behind.
    fn finish(mut self) -> io::Result<Digest32> {
        let mut piece = vec![0; PIECE_BYTES];
        while self.read(&mut piece)? > 0 {}
        Ok(self.hasher.finish())
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.hasher.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

/// The print that a source over these files and folders would leave now; `None` for standard input, which can't be read twice, and
/// where a file can't be read at all. Decompresses and splits nothing.
pub fn print_of(media: Media, paths: &[PathBuf]) -> Option<Digest32> {
    let mut printer = Printer::new(media);
    for path in paths {
        if super::is_standard_input(path) {
            return None;
        }
        if !path.is_dir() {
            add(&mut printer, path)?;
            continue;
        }
        let mut is_whole = true;
        let walked = walk::visit(path, media, &mut |found| {
            is_whole = match found {
                Found::File(path) => add(&mut printer, path).is_some(),
                Found::Unread(_) => false,
            };
            if is_whole { Ok(()) } else { Err(Stopped) }
        });
        if walked.is_err() {
            return None;
        }
    }
    Some(printer.0.finish())
}

fn add(printer: &mut Printer, path: &Path) -> Option<()> {
    // Opening a pipe without a writer never returns.
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|_| File::open(path).ok())?;
    printer.file(path, Hashed::new(Box::new(file)).finish().ok()?);
    Some(())
}
