//! The register of known gaps (CONTRACT 3): dated, cited, expiring. What a gap explains is listed and never subtracted.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::config::{Config, GapSection};
use super::coverage::{CoverageTable, Survey, Wanted};
use super::error::AppError;
use super::observer::{Cancel, Observer};
use super::plan::{Plan, config_error};
use super::register::{self, appended, replace_text};
use super::run::{Found, RunFolder};
use super::{AsOfWanted, Instant};
use crate::domain::{KnownGap, SourceId, UnixSeconds, sha256};
use crate::reconcile::GapUse;

/// Digits of a gap's name.
const NAME_DIGITS: usize = 12;
/// Years that TOML can write.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9_999;

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapOrigin {
    /// In the configuration.
    Config,
    /// In the register that the configuration names.
    Register,
}

impl GapOrigin {
    /// The name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Register => "register",
        }
    }
}

/// One registration with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Twelve hex digits out of source and times.
    pub name: String,
    /// What is registered.
    pub gap: KnownGap,
    /// Where it stands.
    pub origin: GapOrigin,
}

impl Gap {
    /// True when it explains nothing any more.
    pub fn is_expired(&self, at: UnixSeconds) -> bool {
        at >= self.gap.expires
    }
}

/// A register's file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    #[serde(default)]
    gaps: Vec<GapSection>,
}

/// The same file, with the places of the expiry dates in its text.
#[derive(Debug, Deserialize)]
struct Places {
    #[serde(default)]
    gaps: Vec<Place>,
}

#[derive(Debug, Deserialize)]
struct Place {
    expires: toml::Spanned<toml::Value>,
}

/// All registrations, and the text of the register that can be edited.
#[derive(Debug)]
pub struct GapRegister {
    gaps: Vec<Gap>,
    file: Option<PathBuf>,
    /// As read; empty when there is no file yet.
    text: String,
}

impl GapRegister {
    /// Reads the registrations of the configuration and of the register it names. A register that is not there is empty.
    ///
    /// # Errors
    /// [`AppError::Config`] naming what is wrong; [`AppError::Io`].
    pub fn read(config: &Config, base: &Path) -> Result<Self, AppError> {
        let file = config.gaps_file.as_ref().map(|file| base.join(file));
        let text = match &file {
            Some(file) if file.exists() => read_text(file)?,
            _ => String::new(),
        };
        Self::parse(config, file, text)
    }

    fn parse(config: &Config, file: Option<PathBuf>, text: String) -> Result<Self, AppError> {
        let registered = parse(&text, file.as_deref())?;
        let named = |origin| {
            move |gap: KnownGap| {
                let digest = sha256(format!("{}\n{}\n{}", gap.source, gap.from.0, gap.until.0).as_bytes()).to_hex();
                Gap { name: digest.chars().take(NAME_DIGITS).collect(), gap, origin }
            }
        };
        let own = valid(&config.gaps)?.into_iter().map(named(GapOrigin::Config));
        let gaps = own.chain(valid(&registered.gaps)?.into_iter().map(named(GapOrigin::Register))).collect();
        Ok(Self { gaps, file, text })
    }

    /// Every registration: the configuration's, then the register's, in their order.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The register's text with one more gap.
    ///
    /// # Errors
    /// [`AppError::Config`] for times or texts that no gap may have, or when the configuration names no register;
    /// [`AppError::Refused`] when the gap is registered already.
    pub fn with(&self, gap: &KnownGap, now: UnixSeconds) -> Result<String, AppError> {
        self.register()?;
        checked(gap)?;
        if gap.expires <= now {
            return Err(bad("expires in the past and would explain nothing", "give a later --expires"));
        }
        let same =
            |known: &&Gap| (&known.gap.source, known.gap.from, known.gap.until) == (&gap.source, gap.from, gap.until);
        if let Some(known) = self.gaps.iter().find(same) {
            return Err(AppError::Refused {
                what: format!("this gap is registered already, as {}", known.name),
                hint: format!("`reledger gaps expire {}` ends it", known.name),
            });
        }
        let text = |text: &str| toml::Value::String(text.to_owned());
        let lines = format!(
            "[[gaps]]\nsource = {}\nfrom = {}\nuntil = {}\nreason = {}\ncite = {}\nexpires = {}\n",
            text(&gap.source.0),
            gap.from,
            gap.until,
            text(&gap.reason),
            text(&gap.cite),
            gap.expires
        );
        self.proven(appended(&self.text, &lines), self.registered() + 1)
    }

    /// The register's text with the end of that gap set to `at`. Nothing is deleted.
    ///
    /// # Errors
    /// [`AppError::Config`] when no gap of the register has that name, or it has ended already.
    pub fn expired(&self, name: &str, at: UnixSeconds) -> Result<String, AppError> {
        let mut fitting = self.gaps.iter().filter(|gap| !name.is_empty() && gap.name.starts_with(name));
        let (Some(gap), None) = (fitting.next(), fitting.next()) else {
            let what = format!("`{}` names no gap, or several", crate::domain::inert_limited(name, 64));
            return Err(config_error(what, "`reledger gaps list` shows their names"));
        };
        if gap.origin == GapOrigin::Config {
            let what = format!("the gap {} stands in the configuration, which is yours to edit", gap.name);
            let hint = format!("set its `expires` to {at} there");
            return Err(AppError::Refused { what, hint });
        }
        if gap.gap.expires <= at {
            return Err(bad(&format!("{} ended at {} already", gap.name, gap.gap.expires), "nothing is left to do"));
        }
        let place = self.gaps.iter().filter(|one| one.origin == GapOrigin::Register).position(|one| one == gap);
        let places: Places = toml::from_str(&self.text).map_err(|error| unreadable(self.file.as_deref(), &error))?;
        let span = place.and_then(|place| Some(places.gaps.get(place)?.expires.span()));
        let parts = span.and_then(|span| Some((self.text.get(..span.start)?, self.text.get(span.end..)?)));
        let (before, after) = parts.ok_or_else(|| AppError::Internal("a gap without a place".to_owned()))?;
        year(at)?;
        self.proven(format!("{before}{at}{after}"), self.registered())
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
        self.file.as_deref().ok_or_else(|| {
            config_error(
                "the configuration names no register of gaps".to_owned(),
                "add `gaps_file = \"gaps.toml\"` above its first section, or write [[gaps]] into it yourself",
            )
        })
    }

    fn registered(&self) -> usize {
        self.gaps.iter().filter(|gap| gap.origin == GapOrigin::Register).count()
    }

    /// The edited text, when it reads as so many gaps.
    fn proven(&self, text: String, count: usize) -> Result<String, AppError> {
        let read = parse(&text, self.file.as_deref()).ok().and_then(|file| valid(&file.gaps).ok());
        if read.is_some_and(|gaps| gaps.len() == count) {
            return Ok(text);
        }
        Err(bad("can't be edited: its gaps stand in another form than [[gaps]]", "write each gap as a [[gaps]] table"))
    }
}

/// The configuration together with what its register says: every reader of gaps goes through here.
///
/// # Errors
/// [`AppError::Config`] when a register is named that is not there or can't be read.
pub(super) fn with_register(config: &Config, base: &Path) -> Result<Config, AppError> {
    let mut config = config.clone();
    if let Some(file) = &config.gaps_file {
        let file = base.join(file);
        let text = read_text(&file)?;
        config.gaps.extend(parse(&text, Some(&file))?.gaps);
    }
    Ok(config)
}

/// The gaps as policy: sorted, each once.
///
/// # Errors
/// [`AppError::Config`] for times or texts that no gap may have.
pub(super) fn known_gaps(sections: &[GapSection]) -> Result<Vec<KnownGap>, AppError> {
    let mut gaps = valid(sections)?;
    gaps.sort();
    gaps.dedup();
    Ok(gaps)
}

/// What each gap of the plan explains in the run, or `None` when there is no evidence in that folder.
///
/// # Errors
/// As [`super::coverage_of_run`].
pub fn gap_uses(
    root: &Path,
    plan: &Plan,
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Option<Vec<GapUse>>, AppError> {
    let folder = RunFolder::at(root);
    if matches!(folder.look(), Ok(Found::Fresh) | Err(AppError::Refused { .. })) || !folder.evidence().is_dir() {
        return Ok(None);
    }
    let survey = Survey::of(root, Wanted::Planned(plan), how, observer, cancel)?;
    Ok(Some(CoverageTable::of(&survey).gaps))
}

fn read_text(file: &Path) -> Result<String, AppError> {
    register::read_text("gaps_file", file, "`reledger gaps add` makes it; or take the key out of the configuration")
}

fn parse(text: &str, file: Option<&Path>) -> Result<RegisterFile, AppError> {
    toml::from_str(text).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: Option<&Path>, error: &toml::de::Error) -> AppError {
    let file = file.map(|file| file.display().to_string()).unwrap_or_default();
    let why = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    config_error(
        format!("`gaps_file` {file} can't be read: {}", crate::domain::inert(&why)),
        "it holds [[gaps]] tables with source, from, until, reason, cite and expires, and nothing else",
    )
}

fn valid(sections: &[GapSection]) -> Result<Vec<KnownGap>, AppError> {
    let gap = |section: &GapSection| {
        let Instant(from) = section.from;
        let gap = KnownGap {
            source: SourceId(section.source.clone()),
            from,
            until: section.until.0,
            reason: section.reason.clone(),
            cite: section.cite.clone(),
            expires: section.expires.0,
        };
        checked(&gap)?;
        Ok(gap)
    };
    sections.iter().map(gap).collect()
}

/// A gap has a source, a reason, a citation, and times in order.
fn checked(gap: &KnownGap) -> Result<(), AppError> {
    for (name, text) in [("source", &gap.source.0), ("reason", &gap.reason), ("cite", &gap.cite)] {
        if text.trim().is_empty() {
            return Err(bad(
                &format!("has an empty `{name}`"),
                "say whose gap it is, why, and where that is written down",
            ));
        }
    }
    if gap.until <= gap.from {
        return Err(bad(&format!("ends at {} and begins at {}", gap.until, gap.from), "`until` is after `from`"));
    }
    [gap.from, gap.until, gap.expires].into_iter().try_for_each(year)
}

fn year(at: UnixSeconds) -> Result<(), AppError> {
    if YEARS.contains(&at.civil_date().0) {
        return Ok(());
    }
    Err(bad("has a time outside the years 0 to 9999", "give UTC times"))
}

fn bad(what: &str, hint: &str) -> AppError {
    config_error(format!("`gaps`: a gap {what}"), hint)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GAP: &str = "[[gaps]]\nsource = \"wss://a\"\nfrom = 2026-05-08T00:00:00Z\nuntil = 2026-06-05T00:00:00Z\n\
                       reason = \"down\"\ncite = \"log\"\nexpires = 2027-01-01\n";
    const NOW: UnixSeconds = UnixSeconds(1_790_812_800);

    fn register(text: &str) -> Result<GapRegister, AppError> {
        GapRegister::parse(&Config::default(), Some(PathBuf::from("gaps.toml")), text.to_owned())
    }

    fn gap(source: &str) -> KnownGap {
        KnownGap {
            source: SourceId(source.to_owned()),
            from: UnixSeconds(10),
            until: UnixSeconds(20),
            reason: "it \"was\"\ndown".to_owned(),
            cite: "a log".to_owned(),
            expires: NOW.plus(1),
        }
    }

    #[test]
    fn one_more_gap_leaves_what_was_written_and_reads_back_as_it_was_given() {
        let before = format!("# ours\n{GAP}   # the end\n\n");
        let text = register(&before).unwrap().with(&gap("wss://b"), NOW).unwrap();
        assert!(text.starts_with(before.trim_end()), "{text}");
        let after = register(&text).unwrap();
        assert_eq!(after.gaps().len(), 2);
        assert_eq!(after.gaps()[1].gap, gap("wss://b"));
        assert_eq!(
            register("").unwrap().with(&gap("x"), NOW).map(|text| register(&text).unwrap().gaps().len()).unwrap(),
            1
        );
    }

    #[test]
    fn a_gap_that_ends_keeps_its_place_and_everything_but_its_end() {
        let text = format!("{GAP}\n{}", GAP.replace("wss://a", "wss://b").replace("2027-01-01", "2028-01-01 # far"));
        let register = register(&text).unwrap();
        let second = &register.gaps()[1];
        let ended = register.expired(&second.name, NOW).unwrap();
        assert_eq!(ended, text.replace("2028-01-01 # far", "2026-10-01T00:00:00Z # far"));
        let again = super::GapRegister::parse(&Config::default(), None, ended).unwrap();
        assert!(again.gaps()[1].is_expired(NOW) && !again.gaps()[1].is_expired(NOW.plus(-1)));
        assert!(!again.gaps()[0].is_expired(NOW));
        let refused = again.expired(&second.name, NOW).unwrap_err();
        assert_eq!(refused.condition().exit_code().0, 2, "it ended already");
        for name in ["", "zz", "0123456789ab"] {
            assert_eq!(register.expired(name, NOW).unwrap_err().condition().exit_code().0, 2, "{name}");
        }
    }

    #[test]
    fn a_gap_has_times_in_order_a_reason_and_a_citation() {
        let register = register(GAP).unwrap();
        assert!(register.with(&gap("wss://b"), NOW).is_ok());
        let wrong = |change: &dyn Fn(&mut KnownGap)| {
            let mut gap = gap("wss://b");
            change(&mut gap);
            register.with(&gap, NOW).unwrap_err().condition().exit_code().0
        };
        assert_eq!(wrong(&|gap| gap.until = gap.from), 2);
        assert_eq!(wrong(&|gap| gap.expires = NOW), 2);
        assert_eq!(wrong(&|gap| gap.reason = " ".to_owned()), 2);
        assert_eq!(wrong(&|gap| gap.cite = String::new()), 2);
        assert_eq!(wrong(&|gap| gap.source = SourceId(String::new())), 2);
        assert_eq!(wrong(&|gap| gap.from = UnixSeconds(i64::MIN)), 2);
        assert_eq!(wrong(&|gap| *gap = register.gaps()[0].gap.clone()), 6, "it is registered already");
        for text in [
            GAP.replace("cite = \"log\"\n", ""),
            GAP.replace("\"log\"", "\"\""),
            GAP.replace("2026-06-05", "2026-05-07"),
            GAP.replace("cite", "note"),
            format!("{GAP}[other]\n"),
        ] {
            assert_eq!(
                super::GapRegister::parse(&Config::default(), None, text).unwrap_err().condition().exit_code().0,
                2
            );
        }
    }

    #[test]
    fn a_register_in_another_form_is_not_edited_blindly() {
        let inline =
            "gaps = [{ source = \"a\", from = 1, until = 2, reason = \"r\", cite = \"c\", expires = 2027-01-01 }]\n";
        let register = register(inline).unwrap();
        assert!(register.with(&gap("wss://b"), NOW).is_err());
        let ended = register.expired(&register.gaps()[0].name, NOW).unwrap();
        assert_eq!(ended, inline.replace("2027-01-01", "2026-10-01T00:00:00Z"));
    }

    #[test]
    fn where_a_gap_stands_changes_no_digest_and_what_it_says_does() {
        let folder = tempfile::tempdir().unwrap();
        let plan = |config: &str| Plan::resolve(&Config::from_toml(config).unwrap(), folder.path());
        let named = "gaps_file = \"gaps.toml\"\n";
        assert_eq!(plan(named).unwrap_err().condition().exit_code().0, 2, "a register that is not there is none");
        fs::write(folder.path().join("gaps.toml"), GAP).unwrap();
        let (inside, beside) = (plan(GAP).unwrap(), plan(named).unwrap());
        assert_eq!(inside.config_sha256, beside.config_sha256);
        assert_eq!(inside.policy.digest(), beside.policy.digest());
        fs::write(folder.path().join("gaps.toml"), GAP.replace("down", "off")).unwrap();
        let other = plan(named).unwrap();
        assert_ne!(other.config_sha256, beside.config_sha256);
        assert_ne!(other.policy.digest(), beside.policy.digest());
        assert_ne!(plan("").unwrap().policy.digest(), beside.policy.digest());
    }
}
