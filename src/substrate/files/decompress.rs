//! Plain, gzip and zstd streams, told apart by their first bytes, with a bound on what they may expand to.

use std::fmt;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use crate::domain::SliceEnd;

/// RFC 1952, 2.3.1.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// RFC 8878, 3.1.1.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const MAGIC_BYTES_MAX: usize = 4;
/// A stream that expands more than a hundredfold is a bomb, not a log (THREATS 5.3) ...
const RATIO_MAX: u64 = 100;
/// ... once it has given this much: a short file of repeated lines may well compress better.
const RATIO_FREE_BYTES: u64 = 16 * 1024 * 1024;
/// One compressed file, expanded: an archive of some 50 million events. Memory does not depend on it.
const EXPANDED_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// The window of `zstd --long`, which is what the reference tool accepts unasked: 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Why a file was not read to its end; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Cancelled,
    Bomb,
    Unreadable,
    Damaged,
    CutOff,
    EndsInsideRecord,
    LinkOutside,
    TooDeep,
    Empty,
}

impl Fault {
    /// True when the file was read and its bytes are bad.
    pub(super) const fn is_in_the_bytes(self) -> bool {
        match self {
            Self::Bomb | Self::Damaged | Self::CutOff => true,
            Self::Cancelled
            | Self::Unreadable
            | Self::EndsInsideRecord
            | Self::LinkOutside
            | Self::TooDeep
            | Self::Empty => false,
        }
    }

    pub(super) const fn slice_end(self) -> SliceEnd {
        match self {
            Self::Cancelled => SliceEnd::Cancelled,
            Self::Bomb | Self::TooDeep => SliceEnd::BudgetTripped,
            Self::LinkOutside => SliceEnd::Refused,
            Self::Unreadable | Self::Damaged | Self::CutOff | Self::EndsInsideRecord => SliceEnd::Unreachable,
            // Read to its end; that it says nothing is for the basis to tell.
            Self::Empty => SliceEnd::Ended,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::Bomb => "budget reached: a compressed file expands too far",
            Self::Unreadable => "a file can't be read",
            Self::Damaged => "a compressed file is damaged",
            Self::CutOff => "a compressed file is cut off",
            Self::EndsInsideRecord => "a file ends inside a record",
            Self::LinkOutside => "a link out of the folder was not followed",
            Self::TooDeep => "budget reached: folders inside folders",
            Self::Empty => "a file is empty",
        })
    }
}

/// An expanding stream.
pub(super) struct Decompressed<'r> {
    form: Form<'r>,
    expanded: u64,
}

enum Form<'r> {
    Plain(Box<dyn Read + 'r>),
    Gzip(Box<MultiGzDecoder<Counted<'r>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Counted<'r>>>>),
}

/// A reader that knows how much was taken from it.
struct Counted<'r> {
    reader: Box<dyn Read + 'r>,
    taken: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        // A slice's length always fits 64 bits.
        self.taken = self.taken.saturating_add(length as u64);
        Ok(length)
    }
}

impl<'r> Decompressed<'r> {
    /// Looks at the first bytes. Several members one after the other are one stream, as for `gzip` and `zstd`.
    pub(super) fn open(mut reader: Box<dyn Read + 'r>) -> Result<Self, Fault> {
        let mut magic = Vec::with_capacity(MAGIC_BYTES_MAX);
        // A slice's length always fits 64 bits.
        (&mut reader).take(MAGIC_BYTES_MAX as u64).read_to_end(&mut magic).map_err(|_| Fault::Unreadable)?;
        let gzip = magic.starts_with(GZIP_MAGIC);
        let zstd = magic.starts_with(ZSTD_MAGIC);
        let whole: Box<dyn Read + 'r> = Box::new(Cursor::new(magic).chain(reader));
        let form = if gzip {
            Form::Gzip(Box::new(MultiGzDecoder::new(Counted { reader: whole, taken: 0 })))
        } else if zstd {
            let decoder = zstd::Decoder::new(Counted { reader: whole, taken: 0 });
            let mut decoder = decoder.map_err(|_| Fault::Damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| Fault::Damaged)?;
            Form::Zstd(Box::new(decoder))
        } else {
            Form::Plain(whole)
        };
        Ok(Self { form, expanded: 0 })
    }

    /// Reads the next bytes; zero at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            let length = match &mut self.form {
                Form::Plain(reader) => reader.read(buffer),
                Form::Gzip(decoder) => decoder.read(buffer),
                Form::Zstd(decoder) => decoder.read(buffer),
            };
            match length {
                Ok(length) => {
                    // A slice's length always fits 64 bits.
                    self.expanded = self.expanded.saturating_add(length as u64);
                    return if self.is_bomb() { Err(Fault::Bomb) } else { Ok(length) };
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(&error)),
            }
        }
    }

    fn taken(&self) -> Option<u64> {
        match &self.form {
            Form::Plain(_) => None,
            Form::Gzip(decoder) => Some(decoder.get_ref().taken),
            Form::Zstd(decoder) => Some(decoder.get_ref().get_ref().taken),
        }
    }

    fn is_bomb(&self) -> bool {
        let Some(taken) = self.taken() else { return false };
        let allowed = taken.saturating_mul(RATIO_MAX).clamp(RATIO_FREE_BYTES, EXPANDED_BYTES_MAX);
        self.expanded > allowed
    }

    fn fault(&self, error: &io::Error) -> Fault {
        match (&self.form, error.kind()) {
            (Form::Plain(_), _) => Fault::Unreadable,
            (_, ErrorKind::UnexpectedEof) => Fault::CutOff,
            _ => Fault::Damaged,
        }
    }
}
