//! Registers that people edit by command: small TOML files beside the configuration, which itself is never touched.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::error::AppError;
use super::plan::config_error;
use super::run::write_result;

/// A register larger than this is no register.
const REGISTER_BYTES_MAX: u64 = 4 << 20;

/// The text of the register that the configuration names under `key`.
///
/// # Errors
/// [`AppError::Config`] with that hint when it can't be read.
pub(super) fn read_text(key: &str, file: &Path, hint: &str) -> Result<String, AppError> {
    let told = |error: std::io::Error| config_error(format!("`{key}` {} can't be read: {error}", file.display()), hint);
    bounded(file).map_err(told)?.ok_or_else(|| {
        let what = format!("`{key}`: {} is no file of at most {REGISTER_BYTES_MAX} bytes", file.display());
        config_error(what, "name the right file")
    })
}

/// The text of a regular file that is not too large. Others are not even opened: a pipe waits, a device never ends.
fn bounded(file: &Path) -> io::Result<Option<String>> {
    if !fs::metadata(file)?.is_file() {
        return Ok(None);
    }
    let mut text = String::new();
    // The size that was told can be out of date.
    File::open(file)?.take(REGISTER_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok((text.len() as u64 <= REGISTER_BYTES_MAX).then_some(text))
}

/// Writes the register's new text, unless somebody else has written since it was read; no file reads as an empty one.
///
/// # Errors
/// [`AppError::Config`] for a text that could not be read again; [`AppError::Busy`]; [`AppError::Io`].
pub(super) fn replace_text(file: &Path, before: &str, after: &str) -> Result<(), AppError> {
    if after.len() as u64 > REGISTER_BYTES_MAX {
        let what = format!("{} would be larger than {REGISTER_BYTES_MAX} bytes", file.display());
        return Err(config_error(what, "say less"));
    }
    let found = if file.exists() { bounded(file).map_err(AppError::io("read", file))? } else { Some(String::new()) };
    if found.as_deref() != Some(before) {
        return Err(AppError::Busy {
            what: format!("{} was changed meanwhile", file.display()),
            hint: "run the command again".to_owned(),
        });
    }
    write_result(file, after.as_bytes())
}

/// The text of a register with one more table at its end.
pub(super) fn appended(text: &str, table: &str) -> String {
    let before = text.trim_end();
    if before.is_empty() { table.to_owned() } else { format!("{before}\n\n{table}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(answer: Result<T, AppError>) -> String {
        let error = answer.unwrap_err();
        assert_eq!(error.condition().exit_code().0, 2, "{error}");
        error.to_string()
    }

    #[test]
    fn a_register_of_the_largest_size_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leaks.toml");
        let largest = "#".repeat(usize::try_from(REGISTER_BYTES_MAX).unwrap());
        replace_text(&file, "", &largest).unwrap();
        assert_eq!(read_text("key", &file, "").unwrap().len(), largest.len());
        assert!(refused(replace_text(&file, &largest, &format!("{largest}#"))).contains("larger"));
        fs::write(&file, format!("{largest}#")).unwrap();
        assert!(refused(read_text("key", &file, "")).contains("`key`"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_and_not_read() {
        for device in ["/dev/zero", "/dev"] {
            assert!(refused(read_text("key", Path::new(device), "")).contains(device));
            assert!(replace_text(Path::new(device), "", "").is_err(), "{device}");
        }
    }
}
