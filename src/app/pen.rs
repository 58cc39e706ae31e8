//! The key that signs acknowledgements and attestations. It is read, used and forgotten: never shown, stored or logged.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ed25519_dalek::{Signer as _, SigningKey};

use super::error::AppError;
use super::plan::config_error;
use crate::domain::{Digest32, PublicKey32, Signature64, SignedStatement, Statement};
use crate::substrate::SourceError;

/// More than a key in hex with blank space around it.
const SECRET_BYTES_MAX: u64 = 1_024;
/// What a key is.
const FORM: &str = "it holds the 32 bytes of an Ed25519 secret key (RFC 8032) as 64 hex digits";

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In a file that only its owner can read.
    File(PathBuf),
    /// On the standard output of a command of the shell.
    Command(String),
}

/// Signs.
pub struct Pen(SigningKey);

impl Pen {
    /// Reads the key.
    ///
    /// # Errors
    /// [`AppError::Source`] for a file that others can read (exit 6); [`AppError::Config`] for what is no key, or a command
    /// that fails. Nothing of a secret stands in them.
    pub fn of(source: &KeySource) -> Result<Self, AppError> {
        Ok(Self(SigningKey::from_bytes(secret(source, "--key-command", FORM)?.as_bytes())))
    }

    /// The public key.
    pub fn key(&self) -> PublicKey32 {
        PublicKey32::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a statement.
    pub fn sign(&self, body: Statement) -> SignedStatement {
        let sig = self.sign_bytes(&body.message());
        SignedStatement { body, key_id: self.key(), sig }
    }

    /// Signs bytes that say themselves what they are: a message of one kind must not be one of another.
    pub(super) fn sign_bytes(&self, message: &[u8]) -> Signature64 {
        Signature64(self.0.sign(message).to_bytes())
    }
}

/// The 32 bytes of a secret; `flag` names the command that prints it, `form` says what it is.
///
/// # Errors
/// As [`Pen::of`].
pub(super) fn secret(source: &KeySource, flag: &str, form: &str) -> Result<Digest32, AppError> {
    let text = match source {
        KeySource::File(path) => of_file(path, SECRET_BYTES_MAX)?,
        KeySource::Command(command) => of_command(command, flag)?,
    };
    let seed = std::str::from_utf8(&text).ok().and_then(|text| Digest32::from_hex(text.trim()).ok());
    seed.ok_or_else(|| {
        let place = match source {
            KeySource::File(path) => path.display().to_string(),
            KeySource::Command(_) => format!("the output of {flag}"),
        };
        config_error(format!("{place} is no key"), form)
    })
}

/// A password: a line of text, whose end is not part of it.
///
/// # Errors
/// As [`Pen::of`].
#[cfg(feature = "redis")]
pub(super) fn password(source: &KeySource) -> Result<String, AppError> {
    let text = match source {
        KeySource::File(path) => of_file(path, SECRET_BYTES_MAX)?,
        KeySource::Command(command) => of_command(command, "--password-command")?,
    };
    let text = String::from_utf8(text).ok();
    let line = text.as_deref().map(|text| text.strip_suffix('\n').unwrap_or(text));
    let line = line.map(|line| line.strip_suffix('\r').unwrap_or(line));
    let line = line.filter(|line| !line.is_empty() && !line.contains(char::is_control)).map(str::to_owned);
    line.ok_or_else(|| {
        let place = match source {
            KeySource::File(path) => path.display().to_string(),
            KeySource::Command(_) => "the output of --password-command".to_owned(),
        };
        config_error(format!("{place} is no password"), "it holds one line of text")
    })
}

fn bounded(from: impl Read, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// So many bytes of a file that only its owner can read.
///
/// # Errors
/// [`AppError::Source`] for one that others can read (exit 6); [`AppError::Config`] when it can't be read.
pub(super) fn of_file(path: &Path, limit: u64) -> Result<Vec<u8>, AppError> {
    let told =
        |error| config_error(format!("the key file {} can't be read: {error}", path.display()), "check the path");
    let file = File::open(path).map_err(told)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The opened file is judged, not the path: it can't be swapped in between.
        if file.metadata().map_err(told)?.permissions().mode() & 0o077 != 0 {
            return Err(SourceError::Exposed { file: path.display().to_string() }.into());
        }
    }
    bounded(file, limit).map_err(told)
}

fn of_command(command: &str, flag: &str) -> Result<Vec<u8>, AppError> {
    let told =
        |what: String| config_error(format!("{flag} {what}"), "it prints the key, and nothing else, and ends with 0");
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| told(format!("can't be started: {error}")))?;
    let text = child.stdout.take().map_or(Ok(Vec::new()), |output| bounded(output, SECRET_BYTES_MAX));
    // A command that says more than a key finds its pipe closed here.
    let status = child.wait().map_err(|error| told(format!("can't be waited for: {error}")))?;
    if !status.success() {
        return Err(told(format!("failed: {status}")));
    }
    text.map_err(|error| told(format!("can't be read: {error}")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    // RFC 8032, section 7.1, test 1.
    const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, KeySource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, KeySource::File(path))
    }

    #[test]
    fn a_key_that_only_its_owner_can_read_is_the_one_of_the_standard() {
        for mode in [0o600, 0o400] {
            let (_folder, source) = file(&format!(" {SECRET}\n"), mode);
            assert_eq!(Pen::of(&source).unwrap().key().to_string(), PUBLIC);
        }
        let source = KeySource::Command(format!("printf %s {SECRET}"));
        assert_eq!(Pen::of(&source).unwrap().key().to_string(), PUBLIC);
    }

    #[test]
    fn a_loose_key_file_is_refused_and_what_is_no_key_is_a_mistake() {
        for mode in [0o640, 0o604, 0o644] {
            let (_folder, source) = file(SECRET, mode);
            let error = Pen::of(&source).err().unwrap();
            assert_eq!(error.condition().exit_code().0, 6, "{error}");
            assert!(error.hints()[0].contains("chmod 600"));
        }
        let bad = [file("", 0o600), file("zz", 0o600), file(&format!("{SECRET}{SECRET}"), 0o600)];
        let commands = ["false", "true", "yes", "echo 00; exit 3"].map(|text| KeySource::Command(text.to_owned()));
        for source in bad.iter().map(|(_, source)| source).chain(&commands) {
            let error = Pen::of(source).err().unwrap();
            assert_eq!(error.condition().exit_code().0, 2, "{error}");
            assert!(!error.to_string().contains(SECRET));
        }
    }
}
