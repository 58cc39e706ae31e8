//! What an archive may be wrapped in: the age format (age-encryption.org/v1), for X25519 recipients. It hides and protects
//! nothing else: what counts is signed inside.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

use crate::app::error::AppError;
#[cfg(feature = "age")]
use crate::app::pen;
use crate::app::plan::config_error;

/// How every such file begins.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// How one in the text form begins.
const ARMOR: &[u8] = b"-----BEGIN AGE";
/// Bytes of a header: some five hundred recipients.
const HEADER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a file of recipients or identities.
#[cfg(feature = "age")]
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The payload: a nonce, then chunks of so many bytes with a tag each.
const NONCE: u64 = 16;
const CHUNK: u64 = 64 * 1024;
const TAG: u64 = 16;

/// For whom a snapshot is encrypted.
#[derive(Clone)]
pub struct Recipients(#[cfg(feature = "age")] Vec<age::x25519::Recipient>);

/// Who opens encrypted snapshots. Never shown.
#[derive(Clone, Default)]
pub struct Identities(#[cfg(feature = "age")] Vec<age::x25519::Identity>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities")
    }
}

/// An archive as a stream of its own bytes, whatever it is wrapped in.
pub(super) struct Plain {
    pub(super) reader: Box<dyn Read>,
    /// Bytes that the stream has when all of it holds.
    pub(super) bytes: u64,
}

/// Lines of a file that are no comments.
#[cfg(feature = "age")]
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    let text = std::str::from_utf8(bytes).unwrap_or("not UTF-8");
    let lines = text.lines().map(str::trim).enumerate();
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(at, line)| (at + 1, line))
}

/// Opens an archive, encrypted or not.
///
/// # Errors
/// [`AppError::Config`] when it is not there, no file, in the text form of age, or encrypted and nobody was named who opens it;
/// [`AppError::Refused`] for one that a passphrase opens; [`AppError::Untrusted`] for one that is for others; [`AppError::Io`].
pub(super) fn open(path: &Path, identities: &Identities) -> Result<Plain, AppError> {
    let mut file = File::open(path).map_err(AppError::missing(path))?;
    let found = file.metadata().map_err(AppError::io("read", path))?;
    if !found.is_file() {
        let what = format!("{} is no regular file", path.display());
        return Err(config_error(what, "a snapshot is read from a file"));
    }
    let header = header_of(&mut file).map_err(AppError::io("read", path))?;
    if header.starts_with(ARMOR) {
        let what = format!("{} is encrypted in the text form of age, which is not read", path.display());
        return Err(config_error(what, "`age --decrypt` and encrypt it without --armor"));
    }
    if !header.starts_with(MAGIC) {
        return Ok(Plain { reader: Box::new(file), bytes: found.len() });
    }
    if header.windows(11).any(|bytes| bytes == b"\n-> scrypt ") {
        return Err(AppError::Refused {
            what: format!(
                "{} is encrypted with a passphrase: how much work that takes is up to whoever made it, so it is not opened",
                path.display()
            ),
            hint: "encrypt it for a recipient (age1...)".to_owned(),
        });
    }
    // A header without an end is as damaged as a payload that is too short for its tags.
    let bytes = header_end(&header).and_then(|end| plain_bytes(found.len(), end));
    decrypted(path, file, identities, bytes)
}

/// What the file begins with, as far as a header may reach; the file stands at its beginning again.
fn header_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    Read::by_ref(file).take(HEADER_BYTES_MAX).read_to_end(&mut begin)?;
    file.rewind()?;
    Ok(begin)
}

/// Where the header ends: behind the line of its MAC.
fn header_end(begin: &[u8]) -> Option<u64> {
    let mac = begin.windows(5).position(|bytes| bytes == b"\n--- ")?;
    let line = begin[mac + 1..].iter().position(|byte| *byte == b'\n')?;
    // A slice's length always fits 64 bits.
    Some((mac + 1 + line + 1) as u64)
}

/// Bytes behind the chunks of a file of that size.
fn plain_bytes(file: u64, header: u64) -> Option<u64> {
    let payload = file.checked_sub(header)?.checked_sub(NONCE)?;
    let chunks = payload.div_ceil(CHUNK + TAG).max(1);
    payload.checked_sub(chunks.checked_mul(TAG)?)
}

#[cfg(not(feature = "age"))]
fn decrypted(path: &Path, _: File, _: &Identities, _: Option<u64>) -> Result<Plain, AppError> {
    Err(not_built(&format!("{} is encrypted", path.display())))
}

#[cfg(not(feature = "age"))]
fn not_built(what: &str) -> AppError {
    config_error(format!("{what}, and this program was built without the feature `age`"), "use one that has it")
}

#[cfg(feature = "age")]
fn decrypted(path: &Path, file: File, identities: &Identities, bytes: Option<u64>) -> Result<Plain, AppError> {
    if identities.0.is_empty() {
        let what = format!("{} is encrypted, and nobody was named who can open it", path.display());
        return Err(config_error(what, "name a file with an age identity by --identity"));
    }
    let damaged = || Plain { reader: Box::new(Damaged), bytes: 0 };
    let Some(bytes) = bytes else { return Ok(damaged()) };
    let Ok(decryptor) = age::Decryptor::new_buffered(io::BufReader::new(file)) else { return Ok(damaged()) };
    let all = identities.0.iter().map(|identity| -> &dyn age::Identity { identity });
    match decryptor.decrypt(all) {
        Ok(stream) => Ok(Plain { reader: Box::new(Covered(stream)), bytes }),
        Err(age::DecryptError::NoMatchingKeys) => Err(AppError::Untrusted {
            what: format!(
                "checksum_error: {} is encrypted for others than the identity that was named",
                path.display()
            ),
        }),
        Err(_) => Ok(damaged()),
    }
}

/// A file whose header does not hold.
#[cfg(feature = "age")]
struct Damaged;

#[cfg(feature = "age")]
impl Read for Damaged {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// A payload, of which one chunk is held at a time.
#[cfg(feature = "age")]
struct Covered<R>(R);

#[cfg(feature = "age")]
impl<R: Read> Read for Covered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            // A chunk that was altered, and a payload that ends before its last one.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => io::ErrorKind::InvalidData.into(),
            _ => error,
        })
    }
}

impl Recipients {
    /// Reads recipients, given as text and in files of one a line; `None` where none is given.
    ///
    /// # Errors
    /// [`AppError::Config`] for what is no X25519 recipient, naming its place.
    #[cfg(feature = "age")]
    pub fn of(texts: &[String], files: &[PathBuf]) -> Result<Option<Self>, AppError> {
        let parsed = |text: &str, place: &str| {
            text.parse().map_err(|why| {
                config_error(format!("{place} is no recipient ({why})"), "recipients are written age1...")
            })
        };
        let mut all = Vec::new();
        for text in texts {
            all.push(parsed(text, "--encrypt-to")?);
        }
        for file in files {
            let mut bytes = Vec::new();
            let opened = File::open(file).map_err(AppError::missing(file))?;
            opened.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(AppError::missing(file))?;
            for (at, line) in lines(&bytes) {
                all.push(parsed(line, &format!("{} line {at}", file.display()))?);
            }
        }
        if all.is_empty() && !(texts.is_empty() && files.is_empty()) {
            return Err(config_error("nobody is named to encrypt for".to_owned(), "recipients are written age1..."));
        }
        Ok(if all.is_empty() { None } else { Some(Self(all)) })
    }

    /// As where the feature is there.
    ///
    /// # Errors
    /// [`AppError::Config`] where anything is given.
    #[cfg(not(feature = "age"))]
    pub fn of(texts: &[String], files: &[PathBuf]) -> Result<Option<Self>, AppError> {
        if texts.is_empty() && files.is_empty() { Ok(None) } else { Err(not_built("encryption is asked for")) }
    }

    /// Lets `by` write through the encryption, and gives back who can read that here. It is of a key that is made for this one
    /// file and forgotten with what is returned: what was written can be read back, and by nobody else than the recipients later.
    ///
    /// # Errors
    /// Those of the writer.
    #[cfg(feature = "age")]
    pub(super) fn write<W: Write>(
        &self,
        out: W,
        by: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<(W, Identities)> {
        let once = age::x25519::Identity::generate();
        let own = once.to_public();
        let all = self.0.iter().chain([&own]).map(|recipient| -> &dyn age::Recipient { recipient });
        let encryptor = age::Encryptor::with_recipients(all).map_err(io::Error::other)?;
        let mut stream = encryptor.wrap_output(out)?;
        by(&mut stream)?;
        Ok((stream.finish()?, Identities(vec![once])))
    }

    /// As where the feature is there; nobody has recipients where it is not.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "age"))]
    #[expect(clippy::unused_self, reason = "the form of the other one")]
    pub(super) fn write<W: Write>(
        &self,
        _: W,
        _: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<(W, Identities)> {
        Err(io::Error::other("built without the feature `age`"))
    }
}

impl Identities {
    /// Reads identities out of files that only their owner can read, one a line.
    ///
    /// # Errors
    /// [`AppError::Source`] for a file that others can read (exit 6); [`AppError::Config`] for what is no X25519 identity. Nothing
    /// of a secret stands in them.
    #[cfg(feature = "age")]
    pub fn of(files: &[PathBuf]) -> Result<Self, AppError> {
        let mut all = Vec::new();
        for file in files {
            let bytes = pen::of_file(file, FILE_BYTES_MAX)?;
            let before = all.len();
            for (at, line) in lines(&bytes) {
                let identity = line.parse().map_err(|_| {
                    let what = format!("{} line {at} is no identity", file.display());
                    config_error(what, "identities are written AGE-SECRET-KEY-1...; one with a passphrase is not read")
                })?;
                all.push(identity);
            }
            if all.len() == before {
                let what = format!("{} holds no identity", file.display());
                return Err(config_error(what, "identities are written AGE-SECRET-KEY-1..."));
            }
        }
        Ok(Self(all))
    }

    /// As where the feature is there.
    ///
    /// # Errors
    /// [`AppError::Config`] where anything is given.
    #[cfg(not(feature = "age"))]
    pub fn of(files: &[PathBuf]) -> Result<Self, AppError> {
        if files.is_empty() { Ok(Self::default()) } else { Err(not_built("an identity is named")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_behind_the_chunks_follows_from_the_format() {
        // A nonce, and chunks of 64 KiB with 16 bytes each; the last one may be short, and is there also when it is empty.
        assert_eq!(plain_bytes(100 + 16 + 16, 100), Some(0));
        assert_eq!(plain_bytes(100 + 16 + 17, 100), Some(1));
        assert_eq!(plain_bytes(100 + 16 + CHUNK + 16, 100), Some(CHUNK));
        assert_eq!(plain_bytes(100 + 16 + CHUNK + 16 + 17, 100), Some(CHUNK + 1));
        for short in [0, 99, 100, 116, 131] {
            assert_eq!(plain_bytes(short, 100), None, "{short}");
        }
    }

    #[test]
    fn a_header_ends_behind_its_mac() {
        assert_eq!(header_end(b"age-encryption.org/v1\n-> X25519 a\nb\n--- mac\nrest"), Some(44));
        assert_eq!(header_end(b"age-encryption.org/v1\n-> X25519 a\nb\n--- mac"), None);
        assert_eq!(header_end(b"age-encryption.org/v1\n"), None);
    }
}
