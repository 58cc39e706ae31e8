//! Registers that people edit by command: small TOML files beside the configuration, which itself is never touched.

use std::fs;
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
    let size = fs::metadata(file).map_err(told)?.len();
    if size > REGISTER_BYTES_MAX {
        let what = format!("`{key}`: {} is larger than any register", file.display());
        return Err(config_error(what, "name the right file"));
    }
    fs::read_to_string(file).map_err(told)
}

/// Writes the register's new text, unless somebody else has written since it was read; no file reads as an empty one.
///
/// # Errors
/// [`AppError::Busy`]; [`AppError::Io`].
pub(super) fn replace_text(file: &Path, before: &str, after: &str) -> Result<(), AppError> {
    let found =
        if file.exists() { fs::read_to_string(file).map_err(AppError::io("read", file))? } else { String::new() };
    if found != before {
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
