//! Lines that hold on to each other: canonical JSON, one a line, each with its own digest and that of the line before
//! (docs/chain-of-custody.md). The custody log of a run and a public feed are such files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::error::AppError;
use super::finished::{newer_version, too_new};
use super::plan::config_error;
use crate::domain::{Digest32, sha256};
use crate::report::canonical_json;

/// A hundred thousand lines of some hundred bytes. What is larger is neither of the two.
const BYTES_MAX: u64 = 256 << 20;

/// What lines are of, and how their file is called when something is wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// The member `schema` of every line, which ends with its version.
    pub(super) schema: &'static str,
    /// The file, as it is told.
    pub(super) name: String,
}

/// What became of a line that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its number, from 1.
    pub line: usize,
    /// The digest of the file's last line, to be remembered.
    pub head: Digest32,
    /// It was added now; otherwise one like it stood there already, and nothing was written.
    pub added: bool,
    /// Bytes of a line that was never finished, which were cut away.
    pub cut: u64,
}

/// Lines that were read and hold on to each other.
#[derive(Debug, Clone)]
pub(super) struct Links {
    form: Form,
    lines: Vec<Value>,
    head: Option<Digest32>,
    whole: u64,
    torn: u64,
}

impl Links {
    /// Reads and verifies the file; one that is not there has no lines, as has an empty one.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] naming the line that was altered, is missing, or stands in another place;
    /// [`AppError::Config`] for lines of a newer version, and for what is no regular file; [`AppError::Io`].
    pub(super) fn read(path: &Path, form: Form) -> Result<Self, AppError> {
        let mut bytes = Vec::new();
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(AppError::io("read", path)(error)),
            Ok(found) if !found.is_file() => {
                return Err(config_error(format!("{} is no regular file", form.name), "name the file itself"));
            }
            Ok(_) => {
                let file = File::open(path).map_err(AppError::io("open", path))?;
                file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(AppError::io("read", path))?;
            }
        }
        if bytes.len() as u64 > BYTES_MAX {
            return Err(config_error(format!("{} is larger than {BYTES_MAX} bytes", form.name), "begin another one"));
        }
        Self::of(&bytes, form)
    }

    fn of(bytes: &[u8], form: Form) -> Result<Self, AppError> {
        let mut links = Self { form, lines: Vec::new(), head: None, whole: 0, torn: 0 };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                // A line is written in one piece that its line feed ends: what has none was never finished.
                links.torn = line.len() as u64;
                break;
            };
            let value = links.checked(line)?;
            links.head = member(&value, "sha256");
            links.lines.push(value);
            links.whole = links.whole.saturating_add(line.len() as u64 + 1);
        }
        Ok(links)
    }

    /// The next line, held against everything that stands before it.
    fn checked(&self, line: &[u8]) -> Result<Value, AppError> {
        let number = self.lines.len() + 1;
        let value: Value =
            serde_json::from_slice(line).map_err(|_| self.wrong(number, "was altered: it is no JSON"))?;
        if canonical_json(&value).trim_ascii_end() != line {
            return Err(self.wrong(number, "was altered: it is not as it was written"));
        }
        self.known(&value, number)?;
        // As text: digits of the other case would be the same digest, and another line.
        if value["sha256"].as_str() != Some(digest(&value).to_hex().as_str()) {
            return Err(self.wrong(number, "was altered: it has another digest than it says"));
        }
        if value["seq"].as_u64() != Some(self.lines.len() as u64) {
            let what = format!("has number {}: lines before it are missing, or in another order", value["seq"]);
            return Err(self.wrong(number, &what));
        }
        let before = self.head.map_or(Value::Null, |head| head.to_hex().into());
        if value.get("previous_sha256") != Some(&before) {
            let what = format!("does not follow from line {}: one of them was replaced", number - 1);
            return Err(self.wrong(number, &what));
        }
        Ok(value)
    }

    fn known(&self, value: &Value, number: usize) -> Result<(), AppError> {
        if value["schema"] == self.form.schema {
            return Ok(());
        }
        if let Some(newer) = newer_version(value, self.form.schema) {
            return Err(too_new(&format!("{} line {number}", self.form.name), &newer));
        }
        Err(self.wrong(number, &format!("is no {}", self.form.schema)))
    }

    fn wrong(&self, number: usize, what: &str) -> AppError {
        AppError::Untrusted { what: format!("checksum_error: {} line {number} {what}", self.form.name) }
    }

    /// Refuses a last line that was never finished: for those who only read.
    ///
    /// # Errors
    /// [`AppError::Untrusted`] naming the line.
    pub(super) fn unbroken(&self) -> Result<(), AppError> {
        if self.torn == 0 {
            return Ok(());
        }
        Err(self.wrong(self.lines.len() + 1, &format!("is torn: {} bytes without an end", self.torn)))
    }

    /// Refuses a file that does not end with the line of that digest: whoever remembers it sees lines that were cut off.
    ///
    /// # Errors
    /// [`AppError::Untrusted`].
    pub(super) fn ends_with(&self, head: &Digest32) -> Result<(), AppError> {
        if self.head == Some(*head) {
            return Ok(());
        }
        let Self { form, lines, .. } = self;
        let place = lines.iter().position(|line| member::<Digest32>(line, "sha256") == Some(*head));
        Err(AppError::Untrusted {
            what: match place {
                Some(place) => format!(
                    "checksum_error: {} goes on after line {}, which was to be its last: it has {} lines",
                    form.name,
                    place + 1,
                    lines.len()
                ),
                None => format!(
                    "checksum_error: {} has no line of digest {head} among its {}: lines were cut off or replaced",
                    form.name,
                    lines.len()
                ),
            },
        })
    }

    /// Leaves out what stands behind the line of that digest. For reading only: the file itself goes on.
    ///
    /// # Errors
    /// As [`Self::ends_with`], for a file that has no such line.
    pub(super) fn cut_behind(&mut self, head: &Digest32) -> Result<(), AppError> {
        if let Some(place) = self.lines.iter().position(|line| member::<Digest32>(line, "sha256") == Some(*head)) {
            self.lines.truncate(place + 1);
            (self.head, self.torn) = (Some(*head), 0);
        }
        self.ends_with(head)
    }

    /// True when a line of that digest stands in it.
    pub(super) fn has(&self, digest: &Digest32) -> bool {
        self.lines.iter().any(|line| member::<Digest32>(line, "sha256") == Some(*digest))
    }

    /// Every whole line, in order.
    pub(super) fn lines(&self) -> &[Value] {
        &self.lines
    }

    /// The digest of the last line; `None` before the first.
    pub(super) fn head(&self) -> Option<Digest32> {
        self.head
    }

    /// Bytes of a last line that was never finished.
    pub(super) fn torn(&self) -> u64 {
        self.torn
    }

    /// Adds a line where none is that says the same, to a file that is made when it is not there. Only one process at a time
    /// adds: others wait.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::add`].
    pub(super) fn append_once(
        path: &Path,
        form: &Form,
        own: Map<String, Value>,
        says_the_same: impl Fn(&Value) -> bool,
    ) -> Result<Appended, AppError> {
        // Looked at before it is opened for writing: what is no such file is not touched.
        Self::read(path, form.clone())?;
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(AppError::io("open", path))?;
        file.lock().map_err(AppError::io("lock", path))?;
        let mut links = Self::read(path, form.clone())?;
        if let (Some(place), Some(head)) = (links.lines.iter().position(says_the_same), links.head) {
            return Ok(Appended { line: place + 1, head, added: false, cut: 0 });
        }
        let cut = links.torn;
        let head = links.add(path, own)?;
        Ok(Appended { line: links.lines.len(), head, added: true, cut })
    }

    /// Adds a line durably, after what is torn was cut away. The caller is the only one who writes.
    ///
    /// # Errors
    /// [`AppError::Io`]; the lines stand as before then, and what was written of the new one is torn.
    pub(super) fn add(&mut self, path: &Path, own: Map<String, Value>) -> Result<Digest32, AppError> {
        let mut line = Value::Object(own);
        line["schema"] = self.form.schema.into();
        line["seq"] = (self.lines.len() as u64).into();
        line["previous_sha256"] = self.head.map_or(Value::Null, |head| head.to_hex().into());
        let head = digest(&line);
        line["sha256"] = head.to_hex().into();
        let bytes = canonical_json(&line);
        let is_new = !path.exists();
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            if self.torn > 0 {
                file.set_len(self.whole)?;
            }
            file.write_all(&bytes)?;
            file.sync_all()?;
            match path.parent().filter(|_| is_new) {
                Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(AppError::io("append to", path))?;
        self.whole = self.whole.saturating_add(bytes.len() as u64);
        self.torn = 0;
        self.head = Some(head);
        self.lines.push(line);
        Ok(head)
    }
}

/// The digest of a line: of its canonical bytes without the member that tells it.
fn digest(line: &Value) -> Digest32 {
    let mut line = line.clone();
    if let Some(members) = line.as_object_mut() {
        members.remove("sha256");
    }
    sha256(canonical_json(&line).trim_ascii_end())
}

/// A member that can be read from text.
pub(super) fn member<T: std::str::FromStr>(value: &Value, name: &str) -> Option<T> {
    value[name].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form() -> Form {
        Form { schema: "reledger/test/1", name: "the file".to_owned() }
    }

    /// Four lines, and the file they stand in.
    fn four() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut links = Links::read(&path, form()).unwrap();
        for number in 0..4 {
            let own = json!({"own": number, "text": "a\u{1b}b"});
            links.add(&path, own.as_object().unwrap().clone()).unwrap();
        }
        let bytes = fs::read(&path).unwrap();
        (folder, path, bytes)
    }

    fn refused(bytes: &[u8]) -> String {
        let error = Links::of(bytes, form()).unwrap_err();
        assert_eq!(error.condition().exit_code().0, 5, "{error}");
        error.to_string()
    }

    #[test]
    fn every_bit_that_flips_in_any_line_is_named_with_its_line() {
        let (_folder, _, bytes) = four();
        assert!(bytes.is_ascii() && !bytes.contains(&0x1b));
        let mut line = 1;
        let flips = (0..bytes.len()).flat_map(|at| [(at, 1), (at, 0x20)]);
        for (at, bit) in flips {
            let mut other = bytes.clone();
            other[at] ^= bit;
            let said = match Links::of(&other, form()) {
                // The last line feed that is none leaves a torn line.
                Ok(links) => links.unbroken().unwrap_err().to_string(),
                Err(error) => error.to_string(),
            };
            let shown = format!("line {line} ");
            assert!(said.contains(&shown), "byte {at} bit {bit}: {said}");
            line += usize::from(bit > 1 && bytes[at] == b'\n');
        }
    }

    #[test]
    fn lines_that_are_missing_or_in_another_order_are_named() {
        let (_folder, _, bytes) = four();
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let of = |places: &[usize]| places.iter().flat_map(|place| lines[*place].to_vec()).collect::<Vec<u8>>();
        for (places, named) in [(&[1, 2, 3][..], 1), (&[0, 2, 3], 2), (&[0, 1, 3], 3), (&[0, 2, 1, 3], 2), (&[0, 0], 2)]
        {
            assert!(refused(&of(places)).contains(&format!("line {named} ")), "{places:?}");
        }
        // The end alone can be cut off without a trace in what is left: for that one remembers the head.
        let whole = Links::of(&bytes, form()).unwrap();
        let cut = Links::of(&of(&[0, 1, 2]), form()).unwrap();
        let head = whole.head().unwrap();
        assert!(whole.ends_with(&head).is_ok() && cut.ends_with(&head).is_err());
        assert!(whole.ends_with(&cut.head().unwrap()).unwrap_err().to_string().contains("line 3"));
    }

    #[test]
    fn a_line_that_was_replaced_with_a_whole_one_does_not_fit() {
        let (_folder, _, bytes) = four();
        let mut lines: Vec<Value> =
            bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        lines[1]["own"] = 9.into();
        lines[1]["sha256"] = digest(&lines[1]).to_hex().into();
        let forged: Vec<u8> = lines.iter().flat_map(canonical_json).collect();
        assert!(refused(&forged).contains("line 3 does not follow from line 2"));
    }

    #[test]
    fn a_torn_last_line_is_told_and_cut_by_the_next_and_nothing_else_is() {
        let (_folder, path, bytes) = four();
        let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        for end in last + 1..bytes.len() {
            let torn = Links::of(&bytes[..end], form()).unwrap();
            assert_eq!((torn.lines().len(), torn.torn()), (3, (end - last) as u64));
            assert!(torn.unbroken().unwrap_err().to_string().contains("line 4 is torn"));
        }
        fs::write(&path, &bytes[..last + 7]).unwrap();
        let mut torn = Links::read(&path, form()).unwrap();
        torn.add(&path, Map::new()).unwrap();
        let again = Links::read(&path, form()).unwrap();
        assert_eq!((again.lines().len(), again.torn()), (4, 0));
        assert_eq!(fs::read(&path).unwrap()[..last], bytes[..last]);
    }

    #[test]
    fn a_newer_version_asks_for_a_newer_program_and_another_form_is_refused() {
        let line = |schema: &str| {
            let mut line = json!({"schema": schema, "seq": 0, "previous_sha256": null});
            line["sha256"] = digest(&line).to_hex().into();
            Links::of(&canonical_json(&line), form())
        };
        assert!(line("reledger/test/1").is_ok());
        let newer = line("reledger/test/2").unwrap_err();
        assert_eq!(newer.condition().exit_code().0, 2);
        assert_eq!(newer.hints(), ["use a newer reledger"]);
        for other in ["reledger/test/0", "reledger/other/1", "reledger/test/1x", ""] {
            assert_eq!(line(other).unwrap_err().condition().exit_code().0, 5, "{other}");
        }
    }
}
