//! The register of acknowledgements: signed statements, one a line, beside the configuration. Lines are only ever added
//! (docs/acknowledgements.md).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::error::AppError;
use super::federations::pins;
use super::plan::{Plan, config_error};
use super::register::{read_text, replace_text};
use crate::domain::{Digest32, PinnedKey, PublicKey32, SignedStatement, Statement, UnixSeconds, inert_limited};

/// `[acknowledgements]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgementsSection {
    /// Pinned keys: hex, or `{ key, from, until }`. Nobody else's acknowledgement counts.
    pub keys: Vec<toml::Value>,
    /// The register, which `reledger divergences ack` adds to. Where it lies changes no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl AcknowledgementsSection {
    /// What two parties share: the keys.
    pub(super) fn shared(self) -> Option<Self> {
        (!self.keys.is_empty()).then_some(Self { file: None, ..self })
    }
}

/// The register that the configuration names.
pub(super) fn file(config: &Config, base: &Path) -> Option<PathBuf> {
    config.acknowledgements.as_ref()?.file.as_ref().map(|file| base.join(file))
}

/// Who may acknowledge.
///
/// # Errors
/// [`AppError::Config`] for an entry that is no key.
pub(super) fn trusted_keys(section: Option<&AcknowledgementsSection>) -> Result<Vec<PinnedKey>, AppError> {
    let mut keys = section.map_or(Ok(Vec::new()), |section| pins(&section.keys, "acknowledgements.keys"))?;
    keys.dedup();
    Ok(keys)
}

/// What the plan's register says now, sorted, each statement once: an input of the run.
///
/// # Errors
/// [`AppError::Config`] when the register can't be read.
pub(super) fn recorded(plan: &Plan) -> Result<Vec<SignedStatement>, AppError> {
    let statements = parse(&text(plan.acknowledgements.as_deref())?, plan.acknowledgements.as_deref())?;
    Ok(statements.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

/// The register as its commands see it.
#[derive(Debug)]
pub struct AcknowledgementRegister {
    statements: Vec<SignedStatement>,
    keys: Vec<PinnedKey>,
    file: Option<PathBuf>,
    has_section: bool,
    /// As read; empty when there is no file yet.
    text: String,
}

impl AcknowledgementRegister {
    /// Reads the register that the configuration names. One that is not there is empty.
    ///
    /// # Errors
    /// [`AppError::Config`] naming what is wrong.
    pub fn read(config: &Config, base: &Path) -> Result<Self, AppError> {
        let file = file(config, base);
        let text = text(file.as_deref())?;
        let statements = parse(&text, file.as_deref())?;
        let keys = trusted_keys(config.acknowledgements.as_ref())?;
        Ok(Self { statements, keys, file, has_section: config.acknowledgements.is_some(), text })
    }

    /// Every statement, in the order in which they were added. Nothing of them is verified.
    pub fn statements(&self) -> &[SignedStatement] {
        &self.statements
    }

    /// The register's file.
    ///
    /// # Errors
    /// [`AppError::Config`] when the configuration names none.
    pub fn register(&self) -> Result<&Path, AppError> {
        self.file.as_deref().ok_or_else(|| {
            let place = if self.has_section { "under [acknowledgements]" } else { "under a new section" };
            config_error(
                "the configuration names no register of acknowledgements".to_owned(),
                &format!("add `file = \"acknowledgements.jsonl\"` {place}{}", section_hint(self.has_section)),
            )
        })
    }

    /// Whether a statement of that key and date will count.
    ///
    /// # Errors
    /// [`AppError::Refused`] with what to write into the configuration.
    pub fn may_sign(&self, key: &PublicKey32, at: UnixSeconds) -> Result<(), AppError> {
        if self.keys.iter().any(|pin| pin.is_for(key, at)) {
            return Ok(());
        }
        Err(AppError::Refused {
            what: format!("the key {key} is not pinned for {at}: what it signs counts for nothing"),
            hint: format!(
                "add it to `keys` of [acknowledgements], `keys = [\"{key}\"]`, or say --yes to sign all the same"
            ),
        })
    }

    /// The acknowledgement that a text names by the beginning of its id.
    ///
    /// # Errors
    /// [`AppError::Config`] when it names none, or several.
    pub fn acknowledgement(&self, prefix: &str) -> Result<Digest32, AppError> {
        let ids: BTreeSet<Digest32> = (self.statements.iter())
            .filter(|signed| matches!(signed.body, Statement::Acknowledgement(_)))
            .map(|signed| signed.body.id())
            .filter(|id| prefix.len() >= super::ID_DIGITS_MIN && id.to_hex().starts_with(&prefix.to_ascii_lowercase()))
            .collect();
        let mut ids = ids.into_iter();
        match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(config_error(
                format!("`{}` names no acknowledgement of the register", inert_limited(prefix, 64)),
                "`reledger divergences show FINGERPRINT` tells the ids of its acknowledgements; give at least 8 digits",
            )),
            (Some(_), Some(_)) => {
                let what = format!("`{}` names several acknowledgements", inert_limited(prefix, 64));
                Err(config_error(what, "give more digits"))
            }
        }
    }

    /// The register's text with these statements at its end.
    ///
    /// # Errors
    /// [`AppError::Refused`] when one stands there already.
    pub fn with(&self, statements: &[SignedStatement]) -> Result<String, AppError> {
        if let Some(known) = statements.iter().find(|signed| self.statements.contains(signed)) {
            return Err(AppError::Refused {
                what: format!("{} stands in the register already", known.body.id()),
                hint: "`reledger rebuild --yes` judges the run with it".to_owned(),
            });
        }
        let mut text = self.text.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for signed in statements {
            text.push_str(&signed.to_line());
        }
        Ok(text)
    }

    /// Writes the register's text, unless somebody else has written meanwhile.
    ///
    /// # Errors
    /// [`AppError::Busy`]; [`AppError::Io`].
    pub fn write(&self, text: &str) -> Result<(), AppError> {
        replace_text(self.register()?, &self.text, text)
    }
}

fn section_hint(has_section: bool) -> &'static str {
    if has_section { "" } else { " [acknowledgements], with the `keys` of those who may acknowledge" }
}

fn text(file: Option<&Path>) -> Result<String, AppError> {
    match file {
        Some(file) if file.exists() => {
            read_text("acknowledgements.file", file, "name the register, or take the key out of the configuration")
        }
        _ => Ok(String::new()),
    }
}

/// A statement that was lost could be a withdrawal: one bad line and the whole register counts for nothing.
fn parse(text: &str, file: Option<&Path>) -> Result<Vec<SignedStatement>, AppError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(place, line)| {
        serde_json::from_str(line).map_err(|error| {
            let file = file.map(|file| file.display().to_string()).unwrap_or_default();
            config_error(
                format!(
                    "`acknowledgements.file` {file} line {} is no signed statement: {}",
                    place + 1,
                    inert_limited(&error.to_string(), 160)
                ),
                "put the line back as it was signed, from a copy of the register; `divergences ack` only ever adds lines",
            )
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Signature64, Withdrawal, sha256};

    fn statement(text: &str) -> SignedStatement {
        SignedStatement {
            body: Statement::Withdrawal(Withdrawal {
                acknowledgement: sha256(b"a"),
                reason: text.to_owned(),
                by: "me".to_owned(),
                issued_at: UnixSeconds(5),
            }),
            key_id: PublicKey32::from_bytes([7; 32]),
            sig: Signature64([9; 64]),
        }
    }

    fn register(text: &str) -> Result<AcknowledgementRegister, AppError> {
        let statements = parse(text, None)?;
        let file = Some(PathBuf::from("a.jsonl"));
        Ok(AcknowledgementRegister { statements, keys: Vec::new(), file, has_section: true, text: text.to_owned() })
    }

    #[test]
    fn what_stands_there_stays_byte_by_byte_and_the_new_line_is_read_as_it_was_signed() {
        let old = format!("\n {}  \n\n", statement("first").to_line().trim_end());
        let before = old.trim_end_matches('\n');
        for old in [old.as_str(), before] {
            let text = register(old).unwrap().with(&[statement("a \"second\"\n\u{202e}")]).unwrap();
            assert!(text.starts_with(old), "{text}");
            let read = register(&text).unwrap();
            assert_eq!(read.statements(), [statement("first"), statement("a \"second\"\n\u{202e}")]);
        }
        assert_eq!(register(&old).unwrap().with(&[statement("first")]).unwrap_err().condition().exit_code().0, 6);
    }

    #[test]
    fn a_damaged_register_is_an_error_with_its_line_and_a_hint() {
        let good = statement("first").to_line();
        let cut = &good[..good.len() - 9];
        for bad in [cut, "{}", "junk", &good.replace("\"by\"", "\"bx\""), &format!("{} {}", good.trim_end(), good)] {
            let error = register(&format!("{good}{bad}")).unwrap_err();
            assert_eq!(error.condition().exit_code().0, 2);
            assert!(error.to_string().contains("line 2"), "{error}");
            assert!(!error.hints().is_empty());
        }
    }

    #[test]
    fn where_the_register_lies_changes_no_digest_and_who_is_trusted_does() {
        let digest = |text: &str| {
            let plan = Plan::resolve(&Config::from_toml(text).unwrap(), Path::new("/base")).unwrap();
            (plan.config_sha256, plan.policy.digest())
        };
        let none = digest("");
        assert_eq!(digest("[acknowledgements]\nfile = \"a.jsonl\"\n"), none);
        let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
        let keyed = digest(&format!("[acknowledgements]\nkeys = [\"{key}\"]\n"));
        assert!(keyed.0 != none.0 && keyed.1 != none.1);
        assert_eq!(digest(&format!("[acknowledgements]\nkeys = [\"{key}\"]\nfile = \"b\"\n")), keyed);
        let windowed = digest(&format!("[acknowledgements]\nkeys = [{{ key = \"{key}\", until = 2027-01-01 }}]\n"));
        assert_ne!(windowed.1, keyed.1);
        let bad = Config::from_toml("[acknowledgements]\nkeys = [\"zz\"]\n").unwrap();
        let error = Plan::resolve(&bad, Path::new("")).unwrap_err();
        assert!(error.to_string().contains("acknowledgements.keys"), "{error}");
    }
}
