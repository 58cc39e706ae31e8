//! Evidence in local files: plain, gzip or zstd, single or in folders, or on standard input.

mod cut;
mod decompress;
mod print;
mod walk;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::documents::Documents;
use super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use crate::domain::{
    Addressed, CompletenessBasis, EvidenceId, FetchReceipt, Media, RawEvidence, Slice, SliceEnd, SourceId,
};
use crate::evidence::rails::redact_log_entry;
use crate::evidence::split::StreamEnd;
use crate::scratch::{Scratch, Sorter};

use cut::{Cut, Cutter};
use decompress::{Decompressed, Fault};
use print::{Hashed, Printing};

pub use print::{FilePrints, print_of};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// All local files of one media together: one source and one receipt, so that splitting, repeating, renaming or
/// compressing files changes no report.
pub struct FilesSource {
    media: Media,
    paths: Vec<PathBuf>,
    standard_input: Option<Box<dyn Read + Send>>,
    prints: Option<FilePrints>,
    scratch: Scratch,
}

impl FilesSource {
    /// A source over files and folders, in which `-` is standard input.
    ///
    /// Folders are read with everything below them, in order of name, without hidden files; of a folder of proofs only
    /// `.ots` files are taken, because the stamped files lie beside them. A link that leads out of the folder is not
    /// followed and makes the receipt incomplete.
    pub fn new(media: Media, paths: Vec<PathBuf>) -> Self {
        Self { media, paths, standard_input: None, prints: None, scratch: Scratch::default() }
    }

    /// The same source with another reader in the place of standard input.
    #[must_use]
    pub fn with_standard_input(mut self, reader: Box<dyn Read + Send>) -> Self {
        self.standard_input = Some(reader);
        self
    }

    /// The same source, which counts there: what different pieces came is more than memory is for.
    #[must_use]
    pub fn counting_in(self, scratch: Scratch) -> Self {
        Self { scratch, ..self }
    }

    /// The same source, which leaves the digest of what it read there.
    #[must_use]
    pub fn printing(self, prints: FilePrints) -> Self {
        Self { prints: Some(prints), ..self }
    }
}

impl EvidenceSource for FilesSource {
    fn id(&self) -> SourceId {
        SourceId::files(self.media)
    }

    /// Streams every file in blocks of 64 KiB; a record is bounded by the limits of `evidence`.
    ///
    /// # Errors
    /// [`SourceError::Io`] when a configured path is not there or can't be opened, [`SourceError::Scratch`] when there is no
    /// room to count. What goes wrong later is in the receipt: a cut-off, damaged or exploding stream, an unreadable file of
    /// a folder.
    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let paths = std::mem::take(&mut self.paths);
        let standard_input = self.standard_input.take();
        let mut fetch = Fetch::new(self.media, sink, &self.scratch);
        fetch.printing = self.prints.as_ref().map(|prints| prints.printing(self.media));
        let result = fetch.all(&paths, standard_input);
        self.paths = paths;
        result.map(|receipt| vec![receipt])
    }
}

/// One fetch in progress.
struct Fetch<'s> {
    media: Media,
    source: SourceId,
    sink: &'s mut dyn Sink,
    /// One row for each piece, however often it came.
    ids: Sorter<EvidenceId, ()>,
    scratch: Scratch,
    /// Why the answer is not complete. A set, so that repeated files change nothing.
    faults: BTreeSet<Fault>,
    documents: Documents,
    /// The digest of what was read, where somebody asked for it.
    printing: Option<Printing>,
}

impl<'s> Fetch<'s> {
    fn new(media: Media, sink: &'s mut dyn Sink, scratch: &Scratch) -> Self {
        let (ids, scratch) = (Sorter::in_place(scratch.clone()), scratch.clone());
        let (faults, documents) = (BTreeSet::new(), Documents::default());
        Self { media, source: SourceId::files(media), sink, ids, scratch, faults, documents, printing: None }
    }

    fn all(
        mut self,
        paths: &[PathBuf],
        mut standard_input: Option<Box<dyn Read + Send>>,
    ) -> Result<FetchReceipt, SourceError> {
        // A mistyped path should not show only after an hour of reading.
        for path in paths.iter().filter(|path| !is_standard_input(path)) {
            let found = std::fs::metadata(path).map_err(|source| unreadable(path, source))?;
            if !found.is_file() && !found.is_dir() {
                // Opening a pipe without a writer never returns, and a device never ends.
                let what = "neither a file nor a folder; write \"-\" to read a pipe on standard input";
                return Err(unreadable(path, io::Error::new(io::ErrorKind::InvalidInput, what)));
            }
        }
        for path in paths {
            if is_standard_input(path) {
                let reader = standard_input.take().unwrap_or_else(|| Box::new(io::stdin()));
                self.stream(reader, &Name::standard_input(), None)?;
            } else if path.is_dir() {
                self.folder(path)?;
            } else {
                let file = File::open(path).map_err(|source| unreadable(path, source))?;
                self.stream(Box::new(file), &Name::of(path), Some(path))?;
            }
        }
        // What is read again only where something was amiss is no ground to read nothing again.
        if let Some(printing) = self.printing.take().filter(|_| self.faults.is_empty()) {
            printing.ended();
        }
        self.receipt()
    }

    fn folder(&mut self, folder: &Path) -> Result<(), SourceError> {
        let media = self.media;
        walk::visit(folder, media, &mut |found| match found {
            walk::Found::File(path) => match File::open(path) {
                Ok(file) => self.stream(Box::new(file), &Name::of(path), Some(path)),
                Err(_) => self.fault(Fault::Unreadable),
            },
            walk::Found::Unread(fault) => self.fault(fault),
        })
        .map_err(SourceError::Stopped)
    }

    #[expect(clippy::unnecessary_wraps, reason = "a visitor's arms all may stop the walk")]
    fn fault(&mut self, fault: Fault) -> Result<(), Stopped> {
        self.faults.insert(fault);
        Ok(())
    }

    fn stream(&mut self, reader: Box<dyn Read + '_>, name: &Name, path: Option<&Path>) -> Result<(), Stopped> {
        let Some(mut printing) = self.printing.take() else { return self.take_apart(reader, name, path) };
        let mut hashed = Hashed::new(reader);
        self.take_apart(Box::new(&mut hashed), name, path)?;
        // Without a print nothing is claimed; a pipe can't be read twice.
        if let Some(path) = path.filter(|_| self.faults.is_empty())
            && printing.file(path, hashed).is_ok()
        {
            self.printing = Some(printing);
        }
        Ok(())
    }

    fn take_apart(&mut self, reader: Box<dyn Read + '_>, name: &Name, path: Option<&Path>) -> Result<(), Stopped> {
        if self.faults.contains(&Fault::Cancelled) {
            return Ok(());
        }
        let mut cutter = Cutter::new(self.media, name);
        let mut cuts = Vec::new();
        let mut block = vec![0; BLOCK_BYTES];
        let (mut bytes, mut pieces) = (0, 0);
        let fault = match Decompressed::open(reader) {
            Err(fault) => Some(fault),
            Ok(mut stream) => loop {
                if self.sink.cancelled() {
                    break Some(Fault::Cancelled);
                }
                match stream.read(&mut block) {
                    Ok(0) => break None,
                    Ok(length) => {
                        bytes += length;
                        cutter.feed(&block[..length], &mut |cut| cuts.push(cut));
                        self.documents.note(cutter.take_containers());
                    }
                    Err(fault) => break Some(fault),
                }
                pieces += cuts.len();
                self.accept(&mut cuts, name)?;
            },
        };
        if fault == Some(Fault::Cancelled) {
            // What is left is where we stopped, not where the file ends: no evidence of anything.
            self.faults.extend(fault);
            return Ok(());
        }
        let end = cutter.finish(&mut |cut| cuts.push(cut));
        if bytes == 0 && fault.is_some_and(Fault::is_in_the_bytes) {
            // Nothing came out of it, so what went in is kept.
            cuts.clear();
            if let Some(path) = path {
                self.raw(path, &mut cuts);
            }
        }
        pieces += cuts.len();
        self.accept(&mut cuts, name)?;
        self.faults.extend(fault);
        if bytes == 0 && pieces == 0 && fault.is_none() {
            self.faults.insert(Fault::Empty);
        }
        if end == StreamEnd::CutOff && fault.is_none() {
            self.faults.insert(Fault::EndsInsideRecord);
        }
        Ok(())
    }

    /// The beginning of a compressed file that did not expand, with the digest of the whole in its note.
    fn raw(&mut self, path: &Path, cuts: &mut Vec<Cut>) {
        // A bearer note can't be told in compressed bytes, and must not reach the store in any form.
        if self.media == Media::PaymentLogEntry {
            return;
        }
        let mut cutter = Cutter::raw();
        let mut block = vec![0; BLOCK_BYTES];
        let read = File::open(path).and_then(|mut file| {
            loop {
                match file.read(&mut block)? {
                    0 => return Ok(()),
                    length => cutter.feed(&block[..length], &mut |cut| cuts.push(cut)),
                }
            }
        });
        if read.is_ok() {
            cutter.finish(&mut |cut| cuts.push(cut));
        } else {
            self.faults.insert(Fault::Unreadable);
        }
    }

    fn accept(&mut self, cuts: &mut Vec<Cut>, name: &Name) -> Result<(), Stopped> {
        for mut cut in cuts.drain(..) {
            if self.media == Media::NostrEvent
                && let Some(at) = event_inside(&cut.bytes)
            {
                cut.offset = cut.offset.saturating_add(u64::try_from(at.start).unwrap_or(u64::MAX));
                cut.bytes = cut.bytes[at].to_vec();
            }
            // Bearer notes must not reach the store in any form.
            let redacted = if self.media == Media::PaymentLogEntry { redact_log_entry(&cut.bytes) } else { None };
            let bytes = redacted.unwrap_or(cut.bytes);
            let evidence = Addressed::from(RawEvidence { media: self.media, about: cut.about, bytes });
            self.ids.push(&evidence.id(), &());
            let place = if cut.note.is_empty() { name.file.clone() } else { format!("{} ({})", name.file, cut.note) };
            self.sink.accept(Captured { evidence, source: self.source.clone(), place, offset: cut.offset })?;
        }
        Ok(())
    }

    fn receipt(self) -> Result<FetchReceipt, SourceError> {
        let mut items = 0;
        self.ids.each(|(), ()| (), |_, ()| items += 1);
        self.scratch.check()?;
        let reasons: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        // The gravest fault decides how the slice ended; faults sort from the gravest down.
        let end = self.faults.first().map_or(SliceEnd::Ended, |fault| fault.slice_end());
        let basis = if self.faults.is_empty() { CompletenessBasis::Exhausted } else { CompletenessBasis::None };
        Ok(FetchReceipt {
            end,
            basis,
            items,
            reason: reasons.join("; "),
            signs: self.documents.signs(),
            ..FetchReceipt::whole(self.source, Slice::all(self.media.name()))
        })
    }
}

/// Where the event stands in a relay's message (NIP-01: `["EVENT",<subscription>,<event>]`), or a client's: dumps of relay
/// traffic hold one a line, and the event in it is the same evidence as on a line of its own.
fn event_inside(line: &[u8]) -> Option<Range<usize>> {
    if line.first() != Some(&b'[') {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    let members: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let (first, rest) = members.split_first()?;
    let event = rest.last().filter(|_| first.get() == "\"EVENT\"" && rest.len() <= 2)?.get();
    // It is the last member, so that its last occurrence is itself.
    let start = text.rfind(event).filter(|_| event.starts_with('{'))?;
    Some(start..start + event.len())
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn unreadable(path: &Path, source: io::Error) -> SourceError {
    SourceError::Io { path: path.display().to_string(), source }
}

/// What a file's name says.
struct Name {
    /// The name without its folder, for people.
    file: String,
    /// The name without folder, compression and extension.
    stem: String,
    /// The name of the folder it lies in.
    folder: String,
}

impl Name {
    fn standard_input() -> Self {
        Self { file: "standard input".to_owned(), stem: String::new(), folder: String::new() }
    }

    fn of(path: &Path) -> Self {
        let text =
            |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        let file = text(path.file_name());
        let bare = walk::without_compression(&file);
        let stem = Path::new(bare).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Self { stem, folder: text(path.parent().and_then(Path::file_name)), file }
    }
}
