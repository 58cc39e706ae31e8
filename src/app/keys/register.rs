//! The register of leaked key ids (CONTRACT 3). The earliest known instant of a kid counts; what was registered stays listed.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::app::config::{CompromisedSection, Config};
use crate::app::error::AppError;
use crate::app::plan::config_error;
use crate::app::register::{self, appended, replace_text};
use crate::domain::{CompromisedKey, KeyId, UnixSeconds, inert, inert_limited};

/// Years that TOML can write.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9_999;

/// One registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The key id. Foreign text.
    pub kid: KeyId,
    /// Leaked from this instant on.
    pub at: UnixSeconds,
    /// How that is known.
    pub reason: Option<String>,
    /// It stands in the register; else in the configuration.
    pub is_registered: bool,
}

/// A register's file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    #[serde(default)]
    compromised: Vec<CompromisedSection>,
}

/// All registrations, and the text of the register that can be added to.
#[derive(Debug)]
pub struct LeakRegister {
    leaks: Vec<Leak>,
    file: Option<PathBuf>,
    has_section: bool,
    /// As read; empty when there is no file yet.
    text: String,
}

impl LeakRegister {
    /// Reads the leaks of the configuration and of the register it names. A register that is not there is empty.
    ///
    /// # Errors
    /// [`AppError::Config`] naming what is wrong.
    pub fn read(config: &Config, base: &Path) -> Result<Self, AppError> {
        let file = config.keys.as_ref().and_then(|keys| keys.compromised_file.as_ref()).map(|file| base.join(file));
        let text = match &file {
            Some(file) if file.exists() => read_text(file)?,
            _ => String::new(),
        };
        Self::parse(config, file, text)
    }

    fn parse(config: &Config, file: Option<PathBuf>, text: String) -> Result<Self, AppError> {
        let own = config.keys.iter().flat_map(|keys| &keys.compromised).map(|section| leak(section, false));
        let registered = parse(&text, file.as_deref())?.compromised;
        let leaks: Result<Vec<Leak>, AppError> =
            own.chain(registered.iter().map(|section| leak(section, true))).collect();
        Ok(Self { leaks: leaks?, file, has_section: config.keys.is_some(), text })
    }

    /// Every registration: the configuration's, then the register's, in their order.
    pub fn leaks(&self) -> &[Leak] {
        &self.leaks
    }

    /// The register's text with one more leak.
    ///
    /// # Errors
    /// [`AppError::Config`] for an empty kid, a time that TOML can't write, or when the configuration names no register;
    /// [`AppError::Refused`] when the kid is registered with that instant or an earlier one.
    pub fn with(&self, kid: &str, at: UnixSeconds, reason: Option<&str>) -> Result<String, AppError> {
        checked(kid, at)?;
        let lines = lines(kid, at, reason);
        self.named_for(&lines)?;
        let known = self.leaks.iter().filter(|leak| leak.kid.as_str() == kid).map(|leak| leak.at).min();
        if let Some(known) = known.filter(|known| *known <= at) {
            return Err(AppError::Refused {
                what: format!("{} is registered as leaked since {known} already", inert_limited(kid, 64)),
                hint: "of several instants the earliest counts; a later one changes nothing".to_owned(),
            });
        }
        let text = appended(&self.text, &format!("[[compromised]]\n{}\n", lines.join("\n")));
        let before = self.leaks.iter().filter(|leak| leak.is_registered).count();
        let read = parse(&text, self.file.as_deref()).ok();
        if read.is_some_and(|file| file.compromised.len() == before + 1) {
            return Ok(text);
        }
        let what = "`keys.compromised_file` can't be added to: its leaks stand in another form than [[compromised]]";
        Err(config_error(what.to_owned(), "write each leak as a [[compromised]] table"))
    }

    /// Writes the register's text, unless somebody else has written meanwhile.
    ///
    /// # Errors
    /// [`AppError::Busy`]; [`AppError::Io`].
    pub fn write(&self, text: &str) -> Result<(), AppError> {
        replace_text(self.register()?, &self.text, text)
    }

    /// The register's file.
    ///
    /// # Errors
    /// [`AppError::Config`] when the configuration names none.
    pub fn register(&self) -> Result<&Path, AppError> {
        self.named_for(&[])
    }

    /// The register's file, or what to write into the configuration in its place.
    fn named_for(&self, lines: &[String]) -> Result<&Path, AppError> {
        self.file.as_deref().ok_or_else(|| {
            let place = if self.has_section { "under [keys]" } else { "under a new section [keys]" };
            let hint = format!(
                "add `compromised_file = \"compromised.toml\"` {place}, or these lines at the end of the \
                 configuration: `[[keys.compromised]]` {}",
                lines.iter().map(|line| format!("`{}`", inert(line))).collect::<Vec<_>>().join(" ")
            );
            config_error("the configuration names no register of leaked keys".to_owned(), hint.trim_end())
        })
    }
}

fn lines(kid: &str, at: UnixSeconds, reason: Option<&str>) -> Vec<String> {
    let text = |text: &str| toml::Value::String(text.to_owned());
    let reason = reason.map(|reason| format!("reason = {}", text(reason)));
    [format!("kid = {}", text(kid)), format!("at = {at}")].into_iter().chain(reason).collect()
}

/// The configuration together with what its register says: every reader of leaks goes through here.
///
/// # Errors
/// [`AppError::Config`] when a register is named that is not there or can't be read.
pub(in crate::app) fn with_register(mut config: Config, base: &Path) -> Result<Config, AppError> {
    if let Some(keys) = &mut config.keys
        && let Some(file) = &keys.compromised_file
    {
        let file = base.join(file);
        let text = read_text(&file)?;
        keys.compromised.extend(parse(&text, Some(&file))?.compromised);
    }
    Ok(config)
}

/// The leaks as policy: sorted, each once.
///
/// # Errors
/// [`AppError::Config`] for an empty kid or a time outside the calendar.
pub(in crate::app) fn compromised(sections: &[CompromisedSection]) -> Result<Vec<CompromisedKey>, AppError> {
    let key = |section: &CompromisedSection| {
        let Leak { kid, at, .. } = leak(section, false)?;
        Ok(CompromisedKey { kid, at })
    };
    let mut keys = sections.iter().map(key).collect::<Result<Vec<_>, AppError>>()?;
    keys.sort();
    keys.dedup();
    Ok(keys)
}

fn read_text(file: &Path) -> Result<String, AppError> {
    let hint = "`reledger keys compromise` makes it; or take the key out of the configuration";
    register::read_text("keys.compromised_file", file, hint)
}

fn parse(text: &str, file: Option<&Path>) -> Result<RegisterFile, AppError> {
    toml::from_str(text).map_err(|error| {
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        let why = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        config_error(
            format!("`keys.compromised_file` {file} can't be read: {}", inert(&why)),
            "it holds [[compromised]] tables with kid, at and perhaps reason, and nothing else",
        )
    })
}

fn leak(section: &CompromisedSection, is_registered: bool) -> Result<Leak, AppError> {
    let at = section.at.0;
    checked(&section.kid, at)?;
    Ok(Leak { kid: KeyId::from(section.kid.clone()), at, reason: section.reason.clone(), is_registered })
}

fn checked(kid: &str, at: UnixSeconds) -> Result<(), AppError> {
    if kid.trim().is_empty() {
        return Err(config_error("`keys.compromised`: a kid is empty".to_owned(), "name the key id that leaked"));
    }
    if YEARS.contains(&at.civil_date().0) {
        return Ok(());
    }
    let what = format!("`keys.compromised`: {} leaked outside the years 0 to 9999", inert_limited(kid, 64));
    Err(config_error(what, "give a UTC time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# ours\n[[compromised]]\nkid = \"env-1\"\nat = 2026-08-01T00:00:00Z   # theirs\n";
    const AUGUST: UnixSeconds = UnixSeconds(1_785_542_400);

    fn register(text: &str) -> Result<LeakRegister, AppError> {
        LeakRegister::parse(&Config::default(), Some(PathBuf::from("c.toml")), text.to_owned())
    }

    #[test]
    fn a_leak_leaves_what_was_written_and_reads_back_as_it_was_given() {
        let kid = "a \"kid\"\n[x]";
        let text = register(OLD).unwrap().with(kid, UnixSeconds(7), Some("a 'reason'\n")).unwrap();
        assert!(text.starts_with(OLD.trim_end()), "{text}");
        let after = register(&text).unwrap();
        assert_eq!(after.leaks().len(), 2);
        let leak = &after.leaks()[1];
        assert_eq!((leak.kid.as_str(), leak.at, leak.reason.as_deref()), (kid, UnixSeconds(7), Some("a 'reason'\n")));
        assert!(leak.is_registered);
    }

    #[test]
    fn an_earlier_instant_is_added_and_a_later_or_equal_one_refused() {
        let before = register(OLD).unwrap();
        for late in [AUGUST, AUGUST.plus(1)] {
            assert_eq!(before.with("env-1", late, None).unwrap_err().condition().exit_code().0, 6);
        }
        let text = before.with("env-1", AUGUST.plus(-1), None).unwrap();
        let policy = compromised(&parse(&text, None).unwrap().compromised).unwrap();
        assert_eq!(policy.iter().map(|key| key.at).collect::<Vec<_>>(), [AUGUST.plus(-1), AUGUST], "both stay listed");
        assert!(before.with("env-2", AUGUST.plus(1), None).is_ok(), "another kid");
    }

    #[test]
    fn what_is_no_leak_is_refused_with_the_key_of_the_configuration() {
        for text in ["[[compromised]]\nkid = \"\"\nat = 5\n", "[[compromised]]\nkid = \"a\"\n", "[[leaks]]\n", "at = 5"]
        {
            let error = register(text).unwrap_err();
            assert_eq!(error.condition().exit_code().0, 2, "{text}");
            assert!(error.to_string().contains("keys.compromised"), "{error}");
        }
        assert_eq!(register("").unwrap().with(" ", AUGUST, None).unwrap_err().condition().exit_code().0, 2);
        let far = UnixSeconds(i64::MAX / 2);
        assert_eq!(register("").unwrap().with("a", far, None).unwrap_err().condition().exit_code().0, 2);
        assert!(register("compromised = [{ kid = \"a\", at = 5 }]").unwrap().with("b", AUGUST, None).is_err());
    }

    #[test]
    fn without_a_register_the_hint_is_what_to_write() {
        let none = LeakRegister::parse(&Config::default(), None, String::new()).unwrap();
        let error = none.with("env-1", AUGUST, None).unwrap_err();
        let hint = error.hints().join(" ");
        for wanted in ["compromised_file", "[[keys.compromised]]", "kid = \"env-1\"", "at = 2026-08-01T00:00:00Z"] {
            assert!(hint.contains(wanted), "{hint}");
        }
    }
}
