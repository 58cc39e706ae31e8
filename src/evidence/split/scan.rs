//! Following strings and brackets through JSON text, byte by byte.

/// The longest container name that is recognised; a longer key is no container.
const NAME_BYTES_MAX: usize = 32;

/// Where a scan stands inside nested JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Nest {
    pub(super) depth: u32,
    pub(super) in_string: bool,
    escaped: bool,
}

impl Nest {
    /// Behind one opening bracket.
    pub(super) fn opened() -> Self {
        Self { depth: 1, ..Self::default() }
    }

    pub(super) fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    pub(super) fn is_open(self) -> bool {
        self.depth > 0 || self.in_string
    }
}

/// The scan of a top-level object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) nest: Nest,
    pub(super) layout: Layout,
    key: Key,
    /// A member that is itself an object or array, and not an array of records, was seen since the last such array.
    pub(super) nested: bool,
    /// An array of records was cut out of it.
    pub(super) opened: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// No line feed yet.
    FirstLine,
    /// A line ended inside the object: the next byte tells a document from a bad line.
    LineEnded,
    /// It goes over several lines.
    Document,
}

impl Layout {
    pub(super) fn after(self, byte: u8) -> Self {
        match self {
            _ if byte == b'\n' => Self::LineEnded,
            Self::FirstLine => Self::FirstLine,
            Self::LineEnded | Self::Document => Self::Document,
        }
    }
}

/// What is known of the member being scanned at depth one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Expecting a key.
    Expected,
    /// Inside a key; its bytes so far.
    Inside { bytes: [u8; NAME_BYTES_MAX], len: usize },
    /// Behind a key; whether it names a container.
    Named(bool),
    /// Behind the colon of a key.
    Value(bool),
    /// Inside or behind a value.
    Done,
}

impl Object {
    pub(super) fn opened_at_brace() -> Self {
        let nest = Nest::opened();
        Self { nest, layout: Layout::FirstLine, key: Key::Expected, nested: false, opened: false }
    }

    /// The rest of a container, behind an array of records.
    pub(super) fn behind_array() -> Self {
        Self { layout: Layout::Document, key: Key::Done, opened: true, ..Self::opened_at_brace() }
    }

    /// Takes one byte of the object; true when it opens an array of records.
    pub(super) fn step(&mut self, byte: u8, names: &[&str]) -> bool {
        let before = self.nest;
        self.nest.step(byte);
        if before.depth != 1 {
            return false;
        }
        let container = matches!(self.key, Key::Value(true)) && byte == b'[';
        if !before.in_string && matches!(byte, b'{' | b'[') && !container {
            self.nested = true;
        }
        self.key = self.key.step(byte, before, self.nest, names);
        container
    }
}

impl Key {
    fn step(self, byte: u8, before: Nest, after: Nest, names: &[&str]) -> Self {
        match self {
            Self::Expected if byte == b'"' => Self::Inside { bytes: [0; NAME_BYTES_MAX], len: 0 },
            Self::Inside { bytes, len } if before.in_string && !after.in_string => {
                let key = bytes.get(..len);
                Self::Named(names.iter().any(|name| key == Some(name.as_bytes())))
            }
            Self::Inside { mut bytes, len } => {
                if let Some(slot) = bytes.get_mut(len) {
                    *slot = byte;
                }
                Self::Inside { bytes, len: len.saturating_add(1) }
            }
            Self::Named(container) if byte == b':' => Self::Value(container),
            Self::Value(_) if !is_space(byte) => Self::Done,
            Self::Done if byte == b',' && !before.in_string => Self::Expected,
            same => same,
        }
    }
}

pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
