//! Archives byte by byte: ustar headers with any field bent, and zstd frames of raw and run-length blocks (RFC 8878).

const BLOCK: usize = 512;
/// Bytes that one block of a zstd frame may give (RFC 8878, 3.1.1.2.4).
const ZSTD_BLOCK_MAX: usize = 128 * 1024;

/// One entry of an archive, as its header says and as it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarEntry {
    /// Name, at most 100 bytes.
    pub name: Vec<u8>,
    /// Folder part of the name, at most 155 bytes.
    pub prefix: Vec<u8>,
    /// Type flag: `b'0'` is a regular file.
    pub kind: u8,
    /// What a link points to.
    pub link: Vec<u8>,
    /// The size field's 12 bytes, when they are not the content's size in octal.
    pub size: Option<[u8; 12]>,
    /// Magic and version.
    pub magic: [u8; 8],
    /// Added to the right checksum.
    pub checksum_error: u8,
    /// The content, padded to whole blocks.
    pub content: Vec<u8>,
    /// The byte that it is padded with.
    pub padding: u8,
}

impl TarEntry {
    /// A regular file.
    pub fn file(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            prefix: Vec::new(),
            kind: b'0',
            link: Vec::new(),
            size: None,
            magic: *b"ustar\x0000",
            checksum_error: 0,
            content: content.to_vec(),
            padding: 0,
        }
    }

    /// The same of another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: u8) -> Self {
        self.kind = kind;
        self
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, room: usize, bytes: &[u8]| {
            let length = bytes.len().min(room);
            header[at..at + length].copy_from_slice(&bytes[..length]);
        };
        put(0, 100, &self.name);
        put(100, 8, b"0000644\0");
        put(108, 8, b"0000000\0");
        put(116, 8, b"0000000\0");
        put(124, 12, &self.size.unwrap_or_else(|| octal(self.content.len())));
        put(136, 12, b"00000000000\0");
        put(148, 8, b"        ");
        put(156, 1, &[self.kind]);
        put(157, 100, &self.link);
        put(257, 8, &self.magic);
        put(345, 155, &self.prefix);
        let sum = header.iter().map(|byte| u32::from(*byte)).sum::<u32>() + u32::from(self.checksum_error);
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        out.extend(&self.content);
        out.resize(out.len().next_multiple_of(BLOCK), self.padding);
    }
}

fn octal(size: usize) -> [u8; 12] {
    let mut field = [0; 12];
    // Eleven digits hold 8 GiB; what is longer is cut, and is no archive.
    let digits = format!("{size:011o}");
    field[..11].copy_from_slice(&digits.as_bytes()[..11]);
    field
}

/// The entries one after the other and the archive's end: two blocks of zeros.
pub fn pack_tar(entries: &[TarEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        entry.write(&mut out);
    }
    out.extend([0; 2 * BLOCK]);
    out
}

/// The entries as a snapshot's file.
pub fn pack_entries(entries: &[TarEntry]) -> Vec<u8> {
    zstd_frame(&pack_tar(entries))
}

/// One zstd frame: stretches of one byte become run-length blocks, everything else stays as it is.
pub fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    // Magic; no checksum, dictionary or content size; a window of 128 KiB.
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let mut raw: &[u8] = &[];
    let mut at = 0;
    while at < bytes.len() {
        let first = bytes[at];
        let run = bytes[at..].iter().take(ZSTD_BLOCK_MAX).take_while(|byte| **byte == first).count();
        if run >= BLOCK {
            write_raw(&mut out, raw);
            write_block(&mut out, 1, run, &[first], false);
            at += run;
            raw = &bytes[at..at];
        } else {
            let from = at - raw.len();
            at += run;
            raw = &bytes[from..at];
        }
    }
    write_raw(&mut out, raw);
    // An empty last block ends the frame.
    write_block(&mut out, 0, 0, &[], true);
    out
}

fn write_raw(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.chunks(ZSTD_BLOCK_MAX) {
        write_block(out, 0, chunk.len(), chunk, false);
    }
}

/// Three bytes, little-endian: last block, kind, size (RFC 8878, 3.1.1.2).
fn write_block(out: &mut Vec<u8>, kind: u32, size: usize, content: &[u8], last: bool) {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let header = u32::from(last) | kind << 1 | size << 3;
    out.extend(&header.to_le_bytes()[..3]);
    out.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_expands_to_what_went_in() {
        let mut mixed = b"head".to_vec();
        mixed.extend(vec![7; 300_000]);
        mixed.extend((0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()));
        mixed.extend(vec![0; 511]);
        for bytes in [Vec::new(), b"x".to_vec(), vec![0; 512], mixed] {
            let frame = zstd_frame(&bytes);
            assert_eq!(zstd::decode_all(frame.as_slice()).unwrap(), bytes);
        }
        assert!(zstd_frame(&vec![0; 10_000_000]).len() < 1_000);
    }

    #[test]
    fn a_header_is_one_that_others_read() {
        let tar = pack_tar(&[TarEntry::file("a/b", b"content")]);
        assert_eq!(&tar[..4], b"a/b\0");
        assert_eq!(&tar[124..136], b"00000000007\0");
        assert_eq!(&tar[257..265], b"ustar\x0000");
        assert_eq!(&tar[512..519], b"content");
        assert_eq!(tar.len(), 512 * 4);
    }
}
