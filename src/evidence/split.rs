//! Cuts a stream of bytes into records without reading the whole of it: JSON Lines, a JSON array, or one object that
//! holds such an array (FORMATS 6.2 knows no single container, so all three are read).
//!
//! The splitter follows strings and brackets only. It never judges a record: what is not JSON comes out like any other
//! record, and decoding says what is wrong with it. Memory is bounded by the largest record allowed.

mod pending;
mod scan;

use std::io::BufRead as _;

use crate::domain::Digest32;

use pending::Pending;
use scan::{Layout, Nest, Object, is_space};

/// The members of an object whose array holds records (FORMATS 6.2, TREASURY 1.2 and 3).
pub const CONTAINER_MEMBERS: &[&str] =
    &["settlements", "invoices", "events", "payments", "pays", "transactions", "balances"];
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// Bytes remembered of what stands beside a container's records: page positions and counts.
const BESIDE_BYTES_MAX: usize = 4_096;

/// What the splitter cuts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// One record, without the white space around it.
    Record {
        /// Byte offset of its first byte in the stream.
        offset: u64,
        /// Its bytes as they stand.
        bytes: Vec<u8>,
    },
    /// A record above the limit: only its beginning is kept.
    Oversized {
        /// Byte offset of its first byte in the stream.
        offset: u64,
        /// Its length up to the separator.
        length: u64,
        /// sha256 of all its bytes.
        sha256: Digest32,
        /// Its first `limit + 1` bytes: enough for decoding to see that the limit is exceeded.
        prefix: Vec<u8>,
    },
    /// The stream ended inside this record.
    Truncated {
        /// Byte offset of its first byte in the stream.
        offset: u64,
        /// What there is of it.
        bytes: Vec<u8>,
    },
}

/// How records lie in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Found out from the first bytes. An object is the container of its array members of these names.
    Detect(&'static [&'static str]),
    /// The whole stream is one record.
    Whole,
}

/// An object that held an array of records, as it was closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Its JSON text with `null` in the place of each array of records: what it says about them.
    pub beside: Vec<u8>,
    /// Records that its arrays held.
    pub records: u64,
}

/// Whether the stream ended where a record may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// After a record, or inside nothing.
    Proper,
    /// Inside a record or a container.
    CutOff,
}

/// An incremental splitter; see the module.
#[derive(Debug)]
pub struct RecordSplitter {
    names: &'static [&'static str],
    pending: Pending,
    state: State,
    /// Bytes fed so far.
    position: u64,
    /// Bytes of a byte order mark matched so far.
    bom: usize,
    /// The container being read.
    open: Held,
    /// Containers that were closed and not taken yet.
    closed: Vec<Held>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte: a byte order mark may stand here.
    Beginning { whole: bool },
    /// Between documents: the next visible byte decides.
    Between,
    /// Behind a `[` that may open an array of records, or be a line like `["EVENT",...]`.
    Bracket,
    /// Inside an object of which it is not known yet whether it is a line, a document or a container.
    Object(Object),
    /// Inside an array of records.
    Array { in_object: bool, nest: Nest },
    /// One record a line, to the end of the stream.
    Lines,
    /// One record, to the end of the stream.
    Whole,
}

impl RecordSplitter {
    /// A splitter whose records have at most this many bytes.
    pub fn new(container: Container, record_bytes_max: usize) -> Self {
        let (names, whole): (&'static [&'static str], bool) = match container {
            Container::Detect(names) => (names, false),
            Container::Whole => (&[], true),
        };
        let pending = Pending::new(record_bytes_max);
        let open = Held { beside: Vec::new(), records: 0 };
        Self { names, pending, state: State::Beginning { whole }, position: 0, bom: 0, open, closed: Vec::new() }
    }

    /// The containers closed since the last call. One whose members are too many to be remembered says nothing: its text
    /// is empty.
    pub fn take_containers(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.closed)
    }

    /// Bytes held at the moment: never more than the record limit plus one.
    pub fn buffered(&self) -> usize {
        self.pending.bytes.len()
    }

    /// Takes the next bytes of the stream; hands over every record that they complete. Where chunks are cut changes nothing.
    pub fn feed(&mut self, chunk: &[u8], emit: &mut dyn FnMut(Piece)) {
        let mut rest = chunk;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::Beginning { whole } => {
                    if self.step_beginning(byte, whole) {
                        self.advance(1);
                        tail
                    } else {
                        rest
                    }
                }
                State::Lines => self.feed_line(rest, emit),
                State::Whole => {
                    self.pending.extend(self.position, rest);
                    self.advance(rest.len());
                    &[]
                }
                _ => {
                    self.step(byte, emit);
                    self.advance(1);
                    tail
                }
            };
        }
    }

    /// Ends the stream: hands over what is left and says whether the stream was cut off.
    pub fn finish(mut self, emit: &mut dyn FnMut(Piece)) -> StreamEnd {
        let end = match self.state {
            State::Beginning { .. } => {
                let half_a_mark = if self.bom < BOM.len() { self.bom } else { 0 };
                self.pending.extend(0, &BOM[..half_a_mark]);
                StreamEnd::Proper
            }
            State::Bracket | State::Array { .. } => StreamEnd::CutOff,
            State::Object(object) => end_inside(object.nest.is_open()),
            State::Lines => end_inside(self.pending.is_unbalanced()),
            State::Between | State::Whole => StreamEnd::Proper,
        };
        let keep = !matches!(self.state, State::Object(object) if object.opened && !object.nested);
        if keep {
            let piece = if self.state == State::Whole { self.pending.take_untrimmed() } else { self.pending.take() };
            if let Some(piece) = piece {
                emit(if end == StreamEnd::CutOff { piece.cut_off() } else { piece });
            }
        }
        end
    }

    fn advance(&mut self, bytes: usize) {
        // A slice's length always fits 64 bits.
        self.position = self.position.saturating_add(bytes as u64);
    }

    fn emit_pending(&mut self, emit: &mut dyn FnMut(Piece)) {
        if let Some(piece) = self.pending.take() {
            emit(piece);
        }
    }

    fn feed_line<'a>(&mut self, rest: &'a [u8], emit: &mut dyn FnMut(Piece)) -> &'a [u8] {
        let (line, tail) = rest.split_at(line_len(rest));
        self.pending.extend_trimmed(self.position, line);
        self.advance(line.len());
        let Some((_line_feed, tail)) = tail.split_first() else { return tail };
        self.advance(1);
        self.emit_pending(emit);
        tail
    }

    fn step(&mut self, byte: u8, emit: &mut dyn FnMut(Piece)) {
        match self.state {
            State::Between => self.begin(byte),
            State::Bracket => self.step_bracket(byte),
            State::Object(object) => self.step_object(object, byte, emit),
            State::Array { in_object, nest } => self.step_array(in_object, nest, byte, emit),
            // These are fed elsewhere, in runs.
            State::Beginning { .. } | State::Lines | State::Whole => {}
        }
    }

    /// Takes a byte of the byte order mark; otherwise leaves the byte to the state that follows and returns false.
    fn step_beginning(&mut self, byte: u8, whole: bool) -> bool {
        if BOM.get(self.bom) == Some(&byte) {
            self.bom += 1;
            return true;
        }
        let half_a_mark = if self.bom < BOM.len() { self.bom } else { 0 };
        self.pending.extend(0, &BOM[..half_a_mark]);
        self.state = match (whole, half_a_mark) {
            (true, _) => State::Whole,
            (false, 0) => State::Between,
            (false, _) => State::Lines,
        };
        false
    }

    /// Decides by the first visible byte what follows.
    fn begin(&mut self, byte: u8) {
        self.state = match byte {
            _ if is_space(byte) => State::Between,
            b'[' => State::Bracket,
            b'{' => State::Object(Object::opened_at_brace()),
            _ => State::Lines,
        };
        if !is_space(byte) {
            self.pending.extend(self.position, &[byte]);
        }
    }

    /// Records of an array are objects or, in one gateway version, arrays (TREASURY 1.3); a line that is itself an array
    /// begins with something else.
    fn step_bracket(&mut self, byte: u8) {
        if is_space(byte) {
            self.pending.extend(self.position, &[byte]);
            return;
        }
        match byte {
            b'{' | b'[' => {
                self.pending.clear();
                self.pending.extend(self.position, &[byte]);
                self.state = State::Array { in_object: false, nest: Nest::opened() };
            }
            b']' => {
                self.pending.clear();
                self.state = State::Between;
            }
            _ => {
                self.pending.extend(self.position, &[byte]);
                self.state = State::Lines;
            }
        }
    }

    fn step_object(&mut self, mut object: Object, byte: u8, emit: &mut dyn FnMut(Piece)) {
        if object.layout == Layout::LineEnded && matches!(byte, b'{' | b'[') {
            // Pretty-printed text indents: an opening bracket in column one is the next line of JSON Lines, and what
            // stands before it is bad.
            self.emit_pending(emit);
            self.state = State::Lines;
            self.pending.extend(self.position, &[byte]);
            return;
        }
        if byte == b'\n' && object.layout == Layout::FirstLine && (object.nest.in_string || object.nest.depth == 0) {
            // JSON forbids a raw line feed inside a string: closed or not, this was one line.
            self.emit_pending(emit);
            self.state = State::Lines;
            return;
        }
        if object.nest.depth == 0 {
            // Something stands behind the object on its own line: that is part of the line.
            self.pending.extend(self.position, &[byte]);
            return;
        }
        if object.step(byte, self.names) {
            self.remember(b"null");
            self.emit_unless_scalars(object, emit);
            self.state = State::Array { in_object: true, nest: Nest::default() };
            return;
        }
        object.layout = object.layout.after(byte);
        self.pending.extend(self.position, &[byte]);
        self.state = State::Object(object);
        if object.nest.depth == 0 && object.layout != Layout::FirstLine {
            if object.opened {
                self.remember(b"");
                self.close_container();
                self.emit_unless_scalars(object, emit);
            } else {
                self.emit_pending(emit);
            }
            self.state = State::Between;
        }
    }

    /// Adds what stands beside a container's array to what is remembered of it.
    fn remember(&mut self, place: &[u8]) {
        if self.open.beside.len() <= BESIDE_BYTES_MAX {
            self.open.beside.extend_from_slice(&self.pending.bytes);
            self.open.beside.extend_from_slice(place);
        }
    }

    fn close_container(&mut self) {
        let mut held = std::mem::replace(&mut self.open, Held { beside: Vec::new(), records: 0 });
        if held.beside.len() > BESIDE_BYTES_MAX {
            held.beside.clear();
        }
        self.closed.push(held);
    }

    /// Scalars beside a container's array (page positions) are no records. An object or array there would be lost in
    /// silence, so what surrounds it comes out as a record, which decoding will refuse.
    fn emit_unless_scalars(&mut self, object: Object, emit: &mut dyn FnMut(Piece)) {
        if object.nested {
            self.emit_pending(emit);
        }
        self.pending.clear();
    }

    fn step_array(&mut self, in_object: bool, mut nest: Nest, byte: u8, emit: &mut dyn FnMut(Piece)) {
        if !nest.is_open() && matches!(byte, b',' | b']') {
            self.open.records = self.open.records.saturating_add(u64::from(in_object && self.pending.is_begun()));
            self.emit_pending(emit);
            if byte == b']' {
                self.state = if in_object { State::Object(Object::behind_array()) } else { State::Between };
            }
            return;
        }
        nest.step(byte);
        self.pending.extend_trimmed(self.position, &[byte]);
        self.state = State::Array { in_object, nest };
    }
}

/// How many bytes stand before the first line feed.
fn line_len(bytes: &[u8]) -> usize {
    let mut behind = bytes;
    // What the standard library searches a byte with; a slice is read without fail.
    let passed = behind.skip_until(b'\n').unwrap_or_default();
    passed - usize::from(bytes[..passed].ends_with(b"\n"))
}

const fn end_inside(open: bool) -> StreamEnd {
    if open { StreamEnd::CutOff } else { StreamEnd::Proper }
}

impl Piece {
    fn cut_off(self) -> Self {
        match self {
            Self::Record { offset, bytes } => Self::Truncated { offset, bytes },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
