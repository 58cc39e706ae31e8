//! A strict reader of POSIX ustar archives (IEEE 1003.1, pax, "ustar Interchange Format") that names what is unsafe.
//!
//! Only regular files under plain relative names come out. Whatever would make two readers see two archives (extended
//! headers, second statements of a size, bytes behind the end, a name with something behind its NUL) is refused, not
//! interpreted. Nothing is written anywhere, and memory is one block (docs/adr/0011-seals.md).

use std::io::{self, ErrorKind, Read};

use super::limits::{SNAPSHOT_EXPANDED_BYTES_MAX, TAR_EXTENSION_BYTES_MAX};

const BLOCK: usize = 512;
/// Offsets and lengths of the header's fields.
const NAME: (usize, usize) = (0, 100);
const SIZE: (usize, usize) = (124, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const TYPE: usize = 156;
const LINK: (usize, usize) = (157, 100);
const MAGIC: (usize, usize) = (257, 8);
const PREFIX: (usize, usize) = (345, 155);

/// Why an archive is refused. Its name stands in the finding's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// A name that starts at the root of a file system.
    Absolute,
    /// A device or pipe.
    Device,
    /// A member that was there already.
    Duplicate,
    /// More members than allowed.
    Entries,
    /// A PAX or GNU header that speaks about another member.
    Extension,
    /// A folder.
    Folder,
    /// A header that is none: magic, checksum, numbers, kind, padding.
    Header,
    /// A hard or symbolic link.
    Link,
    /// A name with an empty part or a character that names do not have.
    Name,
    /// A member before one that the manifest names earlier.
    Order,
    /// It expands too far for its size.
    Ratio,
    /// It expands beyond the limit, or says that it will.
    Size,
    /// A second statement of a size, or one that is not octal: PAX `size`, GNU base-256, GNU sparse.
    SizeConflict,
    /// Bytes behind the end of the archive.
    Trailing,
    /// A name that leads out of the folder.
    Traversal,
    /// A member that the manifest does not name.
    Unlisted,
}

impl Problem {
    /// Every problem.
    pub const ALL: [Self; 16] = [
        Self::Absolute,
        Self::Device,
        Self::Duplicate,
        Self::Entries,
        Self::Extension,
        Self::Folder,
        Self::Header,
        Self::Link,
        Self::Name,
        Self::Order,
        Self::Ratio,
        Self::Size,
        Self::SizeConflict,
        Self::Trailing,
        Self::Traversal,
        Self::Unlisted,
    ];

    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::Device => "device",
            Self::Duplicate => "duplicate",
            Self::Entries => "entries",
            Self::Extension => "extension",
            Self::Folder => "folder",
            Self::Header => "header",
            Self::Link => "link",
            Self::Name => "name",
            Self::Order => "order",
            Self::Ratio => "ratio",
            Self::Size => "size",
            Self::SizeConflict => "size-conflict",
            Self::Trailing => "trailing",
            Self::Traversal => "traversal",
            Self::Unlisted => "unlisted",
        }
    }
}

/// Why reading ended before the archive did.
#[derive(Debug)]
pub enum TarFault {
    /// It must not be read on.
    Unsafe(Problem),
    /// It ends too early.
    CutOff,
    /// The reader below failed.
    Read(io::Error),
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarMember {
    /// A plain relative name.
    pub name: String,
    /// Bytes of content.
    pub size: u64,
}

/// Reads an archive member by member.
pub struct TarReader<R> {
    reader: R,
    /// Content of the present member that was not read yet.
    content: u64,
    /// Zeros after it.
    padding: u64,
    /// Bytes of the archive up to the end of the present member.
    extent: u64,
    /// The name in the last header, for people.
    shown: String,
}

impl<R: Read> TarReader<R> {
    /// An archive from its beginning.
    pub fn new(reader: R) -> Self {
        Self { reader, content: 0, padding: 0, extent: 0, shown: String::new() }
    }

    /// The name in the last header as it stands there, however bad; for people.
    pub fn last_name(&self) -> &str {
        &self.shown
    }

    /// The next regular file; `None` when the archive has ended as it should. What was not read of the last one is passed
    /// over.
    ///
    /// # Errors
    /// [`TarFault`]; nothing more can be read then.
    pub fn next_member(&mut self) -> Result<Option<TarMember>, TarFault> {
        self.pass_over()?;
        let mut header = [0; BLOCK];
        self.block(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            self.block(&mut header)?;
            if header.iter().any(|byte| *byte != 0) {
                return Err(TarFault::Unsafe(Problem::Header));
            }
            return self.nothing_behind().map(|()| None);
        }
        self.shown = String::from_utf8_lossy(until_nul(field(&header, NAME))).into_owned();
        let size = self.judge(&header).map_err(TarFault::Unsafe)?;
        if let Some(problem) = self.extension(header[TYPE], size)? {
            return Err(TarFault::Unsafe(problem));
        }
        let name = name(&header).map_err(TarFault::Unsafe)?;
        self.shown.clone_from(&name);
        Ok(Some(TarMember { name, size }))
    }

    /// Content of the present member; zero at its end.
    ///
    /// # Errors
    /// [`TarFault`].
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TarFault> {
        let wanted = usize::try_from(self.content).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let length = read_some(&mut self.reader, &mut buffer[..wanted])?;
        // A slice's length always fits 64 bits.
        self.content = self.content.saturating_sub(length as u64);
        Ok(length)
    }

    fn pass_over(&mut self) -> Result<(), TarFault> {
        let mut buffer = [0; BLOCK];
        while self.read(&mut buffer)? > 0 {}
        while self.padding > 0 {
            let wanted = usize::try_from(self.padding).unwrap_or(BLOCK).min(BLOCK);
            let length = read_some(&mut self.reader, &mut buffer[..wanted])?;
            if buffer[..length].iter().any(|byte| *byte != 0) {
                return Err(TarFault::Unsafe(Problem::Header));
            }
            // A slice's length always fits 64 bits.
            self.padding = self.padding.saturating_sub(length as u64);
        }
        Ok(())
    }

    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<(), TarFault> {
        let mut filled = 0;
        while filled < BLOCK {
            filled += read_some(&mut self.reader, &mut block[filled..])?;
        }
        self.extent = self.extent.saturating_add(BLOCK as u64);
        Ok(())
    }

    /// After the two blocks of zeros only zeros may follow.
    fn nothing_behind(&mut self) -> Result<(), TarFault> {
        let mut buffer = [0; BLOCK];
        loop {
            match read_some(&mut self.reader, &mut buffer) {
                Ok(length) if buffer[..length].iter().all(|byte| *byte == 0) => {}
                Ok(_) => return Err(TarFault::Unsafe(Problem::Trailing)),
                Err(TarFault::CutOff) => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Takes the member's size in; says no to everything but a regular file of allowed size, and to links and devices
    /// before anything about their names.
    fn judge(&mut self, header: &[u8; BLOCK]) -> Result<u64, Problem> {
        if field(header, MAGIC) != b"ustar\x0000" || octal(field(header, CHECKSUM)) != Some(checksum(header)) {
            return Err(Problem::Header);
        }
        match header[TYPE] {
            b'0' | b'x' | b'g' | b'L' | b'K' | b'N' | b'V' | b'M' | b'X' => {}
            b'1' | b'2' => return Err(Problem::Link),
            b'3' | b'4' | b'6' => return Err(Problem::Device),
            b'5' => return Err(Problem::Folder),
            b'S' => return Err(Problem::SizeConflict),
            _ => return Err(Problem::Header),
        }
        let size = field(header, SIZE);
        if size.first().is_some_and(|byte| byte & 0x80 != 0) {
            return Err(Problem::SizeConflict);
        }
        let size = octal(size).ok_or(Problem::Header)?;
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or(Problem::Size)?;
        self.extent = self.extent.saturating_add(padded);
        if self.extent > SNAPSHOT_EXPANDED_BYTES_MAX {
            return Err(Problem::Size);
        }
        if header[TYPE] == b'0' && field(header, LINK).iter().any(|byte| *byte != 0) {
            return Err(Problem::Link);
        }
        (self.content, self.padding) = (size, padded - size);
        Ok(size)
    }

    /// Why an extended header is refused; `None` when it is none.
    fn extension(&mut self, kind: u8, size: u64) -> Result<Option<Problem>, TarFault> {
        if kind == b'0' {
            return Ok(None);
        }
        let pax = matches!(kind, b'x' | b'g' | b'X');
        let Some(size) = usize::try_from(size).ok().filter(|size| pax && *size <= TAR_EXTENSION_BYTES_MAX) else {
            return Ok(Some(Problem::Extension));
        };
        let mut content = vec![0; size];
        let mut filled = 0;
        while filled < size {
            filled += self.read(&mut content[filled..])?;
        }
        let sizes = content.split(|byte| *byte == b'\n').any(states_size);
        Ok(Some(if sizes { Problem::SizeConflict } else { Problem::Extension }))
    }
}

/// A PAX record `length key=value` whose key is about a size.
fn states_size(record: &[u8]) -> bool {
    let key = record.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    key.starts_with(b"size=") || key.starts_with(b"GNU.sparse.")
}

/// At least one byte; the end of the stream is a fault.
fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, TarFault> {
    loop {
        return match reader.read(buffer) {
            Ok(0) => Err(TarFault::CutOff),
            Ok(length) => Ok(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(TarFault::CutOff),
            Err(error) => Err(TarFault::Read(error)),
        };
    }
}

fn field(header: &[u8; BLOCK], (at, length): (usize, usize)) -> &[u8] {
    &header[at..at + length]
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits and a terminator of NULs and spaces; no digit at all is no number.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.iter().take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
    let ended = digits > 0 && digits < field.len() && field[digits..].iter().all(|byte| matches!(byte, 0 | b' '));
    let value = |total: u64, digit: &u8| total.checked_mul(8)?.checked_add(u64::from(digit - b'0'));
    if ended { field[..digits].iter().try_fold(0, value) } else { None }
}

/// The sum of the header's bytes, its checksum field read as spaces.
fn checksum(header: &[u8; BLOCK]) -> u64 {
    let (from, length) = CHECKSUM;
    let bytes = header.iter().enumerate();
    bytes.map(|(at, byte)| if (from..from + length).contains(&at) { 32 } else { u64::from(*byte) }).sum()
}

fn name(header: &[u8; BLOCK]) -> Result<String, Problem> {
    let mut whole = String::new();
    for part in [PREFIX, NAME] {
        let field = field(header, part);
        let text = until_nul(field);
        // What stands behind the NUL is another name for a reader that does not stop there.
        if field[text.len()..].iter().any(|byte| *byte != 0) {
            return Err(Problem::Name);
        }
        let text = str::from_utf8(text).map_err(|_| Problem::Name)?;
        if !whole.is_empty() {
            whole.push('/');
        }
        whole.push_str(text);
    }
    match name_problem(&whole) {
        Some(problem) => Err(problem),
        None => Ok(whole),
    }
}

/// Why a member may not have this name. Allowed are parts of ASCII letters, digits, `.`, `_` and `-`, joined by `/`.
pub fn name_problem(name: &str) -> Option<Problem> {
    let drive = name.as_bytes().get(1) == Some(&b':');
    if name.starts_with(['/', '\\']) || drive {
        return Some(Problem::Absolute);
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return Some(Problem::Traversal);
    }
    let plain = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !part.is_empty() && part != "." && part.bytes().all(allowed)
    };
    if name.split('/').all(plain) { None } else { Some(Problem::Name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_relative_paths() {
        for name in ["a", "ledger/envelope.jsonl", "..a", "a..", "a.b-c_D9/x"] {
            assert_eq!(name_problem(name), None, "{name}");
        }
        let bad = [
            ("/etc/passwd", Problem::Absolute),
            ("\\share", Problem::Absolute),
            ("C:evil", Problem::Absolute),
            ("..", Problem::Traversal),
            ("a/../b", Problem::Traversal),
            ("a\\..\\b", Problem::Traversal),
            ("", Problem::Name),
            ("a//b", Problem::Name),
            ("a/", Problem::Name),
            ("./a", Problem::Name),
            ("a\\b", Problem::Name),
            ("a b", Problem::Name),
            ("a\u{202e}b", Problem::Name),
            ("a\u{1b}[2J", Problem::Name),
        ];
        for (name, problem) in bad {
            assert_eq!(name_problem(name), Some(problem), "{name:?}");
        }
    }

    #[test]
    fn octal_numbers_end_and_hold_nothing_else() {
        assert_eq!(octal(b"00000000017\0"), Some(15));
        assert_eq!(octal(b"17 \0"), Some(15));
        for field in [b"           \0".as_slice(), b"000000000178", b"17x\0", b"17\x001", b"-1\0", b"777777777777"] {
            assert_eq!(octal(field), None, "{field:?}");
        }
    }

    #[test]
    fn every_problem_has_the_name_it_is_written_with() {
        for problem in Problem::ALL {
            assert_eq!(serde_json::to_value(problem).unwrap(), problem.name());
        }
    }
}
