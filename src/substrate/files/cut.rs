//! Cutting a file into pieces of evidence, by media.

use super::Name;
use crate::domain::{Digest32, Media};
use crate::evidence::limits::{
    EVENT_BYTES_MAX, HEADERS_PER_RUN_MAX, OTS_BYTES_MAX, RECORD_BYTES_MAX, SNAPSHOT_OUTLINE_BYTES_MAX,
};
use crate::evidence::split::{CONTAINER_MEMBERS, Container, Held, Piece, RecordSplitter, StreamEnd};

const HEADER_BYTES: usize = 80;
const RUN_BYTES_MAX: usize = HEADER_BYTES * HEADERS_PER_RUN_MAX;
/// Enough of a headers file to tell hex text from raw headers: one header's hex.
const SNIFF_BYTES: usize = 2 * HEADER_BYTES;

/// One piece of evidence to be.
pub(super) struct Cut {
    pub(super) about: String,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    /// What people should know about it; empty when nothing.
    pub(super) note: String,
}

/// Cuts the stream of one file.
pub(super) enum Cutter {
    Records(RecordSplitter),
    Whole(Whole),
    Headers(Box<Headers>),
}

impl Cutter {
    pub(super) fn new(media: Media, name: &Name) -> Self {
        match media {
            // An event is a record wherever it stands; no member of it makes it a container.
            Media::NostrEvent => Self::Records(RecordSplitter::new(Container::Detect(&[]), EVENT_BYTES_MAX)),
            Media::Settlement
            | Media::PaymentLogEntry
            | Media::Invoice
            | Media::Custody
            | Media::Activity
            | Media::Balance
            | Media::Checkpoint => {
                Self::Records(RecordSplitter::new(Container::Detect(CONTAINER_MEMBERS), RECORD_BYTES_MAX))
            }
            Media::Jwks | Media::AuthJwks | Media::ProjectConfig | Media::FederationDirectory | Media::Charter => {
                Self::Whole(Whole::new(String::new(), RECORD_BYTES_MAX))
            }
            Media::OtsProof => {
                let about = name.stem.parse::<Digest32>().map(|digest| digest.to_string()).unwrap_or_default();
                Self::Whole(Whole::new(about, OTS_BYTES_MAX))
            }
            // An outline that was kept; archives have a reader of their own.
            Media::Snapshot => Self::Whole(Whole::new(String::new(), SNAPSHOT_OUTLINE_BYTES_MAX)),
            // A kept reply lies as `host/commitment.timestamp`.
            Media::CalendarReply => Self::Whole(Whole::new(format!("{}/{}", name.folder, name.stem), OTS_BYTES_MAX)),
            Media::Headers => Self::Headers(Box::new(Headers::new(name))),
        }
    }

    /// Cuts nothing: one piece, or its beginning.
    pub(super) fn raw() -> Self {
        Self::Whole(Whole::new(String::new(), OTS_BYTES_MAX))
    }

    pub(super) fn feed(&mut self, block: &[u8], emit: &mut dyn FnMut(Cut)) {
        match self {
            Self::Records(splitter) => splitter.feed(block, &mut |piece| emit(cut_of(piece, ""))),
            Self::Whole(whole) => {
                let about = &whole.about;
                let pieces = &mut whole.pieces;
                whole.splitter.feed(block, &mut |piece| {
                    *pieces = true;
                    emit(cut_of(piece, about));
                });
            }
            Self::Headers(headers) => headers.feed(block, emit),
        }
    }

    /// The containers of records closed since the last call.
    pub(super) fn take_containers(&mut self) -> Vec<Held> {
        match self {
            Self::Records(splitter) => splitter.take_containers(),
            Self::Whole(_) | Self::Headers(_) => Vec::new(),
        }
    }

    pub(super) fn finish(self, emit: &mut dyn FnMut(Cut)) -> StreamEnd {
        match self {
            Self::Records(splitter) => splitter.finish(&mut |piece| emit(cut_of(piece, ""))),
            Self::Whole(whole) => whole.finish(emit),
            Self::Headers(headers) => headers.finish(emit),
        }
    }
}

fn cut_of(piece: Piece, about: &str) -> Cut {
    let (offset, bytes, note) = match piece {
        Piece::Record { offset, bytes } => (offset, bytes, String::new()),
        Piece::Truncated { offset, bytes } => (offset, bytes, "cut off".to_owned()),
        Piece::Oversized { offset, length, sha256, prefix } => {
            (offset, prefix, format!("the beginning of {length} bytes with sha256 {sha256}"))
        }
    };
    Cut { about: about.to_owned(), offset, bytes, note }
}

/// One file is one piece.
pub(super) struct Whole {
    about: String,
    splitter: RecordSplitter,
    pieces: bool,
}

impl Whole {
    fn new(about: String, bytes_max: usize) -> Self {
        Self { about, splitter: RecordSplitter::new(Container::Whole, bytes_max), pieces: false }
    }

    fn finish(self, emit: &mut dyn FnMut(Cut)) -> StreamEnd {
        let mut pieces = self.pieces;
        let end = self.splitter.finish(&mut |piece| {
            pieces = true;
            emit(cut_of(piece, &self.about));
        });
        if !pieces {
            // An empty file is a document too, and a bad one: decoding must get to say so.
            emit(Cut { about: self.about, offset: 0, bytes: Vec::new(), note: String::new() });
        }
        end
    }
}

/// Headers one after the other, raw or as a line of hex each, gathered into runs of at most one epoch.
pub(super) struct Headers {
    form: HeadersForm,
    run: Vec<u8>,
    /// Height of the run's first header: from the file's name, as long as nothing unreadable came in between.
    height: Option<u32>,
    /// Offset of the run's first byte.
    run_offset: u64,
    position: u64,
}

enum HeadersForm {
    Undecided(Vec<u8>),
    Raw,
    Hex(Box<RecordSplitter>),
}

impl Headers {
    fn new(name: &Name) -> Self {
        let digits = !name.stem.is_empty() && name.stem.bytes().all(|byte| byte.is_ascii_digit());
        let height = if digits { name.stem.parse().ok() } else { None };
        Self { form: HeadersForm::Undecided(Vec::new()), run: Vec::new(), height, run_offset: 0, position: 0 }
    }

    fn feed(&mut self, block: &[u8], emit: &mut dyn FnMut(Cut)) {
        if let HeadersForm::Undecided(head) = &mut self.form {
            let wanted = SNIFF_BYTES.saturating_sub(head.len()).min(block.len());
            let (more, rest) = block.split_at(wanted);
            head.extend_from_slice(more);
            if head.len() < SNIFF_BYTES {
                return;
            }
            self.decide(emit);
            self.feed_decided(rest, emit);
        } else {
            self.feed_decided(block, emit);
        }
    }

    fn decide(&mut self, emit: &mut dyn FnMut(Cut)) {
        if let HeadersForm::Undecided(head) = &mut self.form {
            let head = std::mem::take(head);
            let is_text = head.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
            self.form = if is_text {
                // Two hex digits a byte: a line may hold a whole run.
                HeadersForm::Hex(Box::new(RecordSplitter::new(Container::Detect(&[]), 2 * RUN_BYTES_MAX)))
            } else {
                HeadersForm::Raw
            };
            self.feed_decided(&head, emit);
        }
    }

    fn feed_decided(&mut self, block: &[u8], emit: &mut dyn FnMut(Cut)) {
        let mut lines = Vec::new();
        match &mut self.form {
            HeadersForm::Undecided(_) => {}
            HeadersForm::Raw => self.extend_run(block, emit),
            HeadersForm::Hex(splitter) => splitter.feed(block, &mut |line| lines.push(line)),
        }
        for line in lines {
            self.line(line, emit);
        }
    }

    fn line(&mut self, line: Piece, emit: &mut dyn FnMut(Cut)) {
        if let Piece::Record { offset, bytes } = &line {
            let mut headers = vec![0; bytes.len() / 2];
            let is_hex = decode_hex(bytes, &mut headers);
            if is_hex && headers.len().is_multiple_of(HEADER_BYTES) {
                self.position = *offset;
                self.extend_run(&headers, emit);
                return;
            }
        }
        // The line stays evidence as it is, and ends what is known of heights.
        self.emit_run(emit);
        self.height = None;
        emit(cut_of(line, ""));
    }

    fn extend_run(&mut self, headers: &[u8], emit: &mut dyn FnMut(Cut)) {
        let mut rest = headers;
        while !rest.is_empty() {
            if self.run.is_empty() {
                self.run_offset = self.position;
            }
            let (now, later) = rest.split_at(rest.len().min(RUN_BYTES_MAX.saturating_sub(self.run.len())));
            self.run.extend_from_slice(now);
            // A slice's length always fits 64 bits.
            self.position = self.position.saturating_add(now.len() as u64);
            if self.run.len() == RUN_BYTES_MAX {
                self.emit_run(emit);
            }
            rest = later;
        }
    }

    fn emit_run(&mut self, emit: &mut dyn FnMut(Cut)) {
        let whole = self.run.len() / HEADER_BYTES;
        let rest = self.run.split_off(whole * HEADER_BYTES);
        let bytes = std::mem::replace(&mut self.run, rest);
        if bytes.is_empty() {
            return;
        }
        let about = self.height.map(|height| height.to_string()).unwrap_or_default();
        let next = |height: u32| height.checked_add(u32::try_from(whole).ok()?);
        self.height = self.height.and_then(next);
        let offset = self.run_offset;
        // A slice's length always fits 64 bits.
        self.run_offset = offset.saturating_add(bytes.len() as u64);
        emit(Cut { about, offset, bytes, note: String::new() });
    }

    fn finish(mut self, emit: &mut dyn FnMut(Cut)) -> StreamEnd {
        self.decide(emit);
        let form = std::mem::replace(&mut self.form, HeadersForm::Raw);
        if let HeadersForm::Hex(splitter) = form {
            let mut lines = Vec::new();
            splitter.finish(&mut |line| lines.push(line));
            for line in lines {
                self.line(line, emit);
            }
        }
        self.emit_run(emit);
        if self.run.is_empty() {
            return StreamEnd::Proper;
        }
        // A part of a header: decoding says that it is none.
        let (offset, bytes) = (self.run_offset, self.run);
        emit(Cut { about: String::new(), offset, bytes, note: "cut off".to_owned() });
        StreamEnd::CutOff
    }
}

fn decode_hex(digits: &[u8], out: &mut [u8]) -> bool {
    if digits.len() != out.len() * 2 {
        return false;
    }
    digits.chunks_exact(2).zip(out).all(|(pair, byte)| {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let value = nibble(pair[0]).zip(nibble(pair[1])).map(|(high, low)| high << 4 | low);
        *byte = value.unwrap_or_default();
        value.is_some()
    })
}
