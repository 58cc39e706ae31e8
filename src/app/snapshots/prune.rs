//! Thinning out a folder of snapshots: the newest of each hour, day and month, as many as were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::cover::Identities;
use super::folder::{FolderLock, SnapshotName, snapshots_in};
use super::judge::{JudgedSnapshot, verify_snapshots_with};
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::domain::{PublicKey32, UnixSeconds};

/// How many to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Of the newest, whenever they were made.
    pub last: u64,
    /// Hours with a snapshot.
    pub hourly: u64,
    /// Days with a snapshot.
    pub daily: u64,
    /// Months with a snapshot.
    pub monthly: u64,
}

/// Why one is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptFor {
    /// It is the newest one that holds.
    LastGood,
    /// It is among the newest.
    Last,
    /// The newest of its hour.
    Hour,
    /// The newest of its day.
    Day,
    /// The newest of its month.
    Month,
    /// It does not hold, and is for somebody to look at.
    Faulty,
}

impl KeptFor {
    /// `last-good`, `last`, `hour`, `day`, `month` or `faulty`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastGood => "last-good",
            Self::Last => "last",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Faulty => "faulty",
        }
    }
}

/// What the caller decides.
#[derive(Debug, Clone)]
pub struct PruneOptions {
    /// The folder.
    pub folder: PathBuf,
    /// How many to keep.
    pub keep: Retention,
    /// Whose signature makes one good; empty: the archive's own key.
    pub keys: BTreeSet<PublicKey32>,
    /// Who opens encrypted ones.
    pub identities: Identities,
    /// Say what would be removed, and remove nothing.
    pub dry_run: bool,
}

/// What becomes of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedSnapshot {
    /// Its file.
    pub path: PathBuf,
    /// When it was made, by its name.
    pub at: UnixSeconds,
    /// Why it is kept; empty for one that is removed.
    pub kept_for: BTreeSet<KeptFor>,
}

/// Removes what the retention does not keep, oldest first. Every archive is verified before anything is removed; those that
/// do not hold are neither counted nor removed, and the newest that holds always stays.
///
/// # Errors
/// [`AppError::Config`] for a folder that is not there or a retention of nothing; [`AppError::Refused`] when no snapshot of
/// the folder holds; [`AppError::Busy`] while one is made; [`AppError::Io`].
pub fn prune_snapshots(options: &PruneOptions, cancel: &Cancel) -> Result<Vec<PrunedSnapshot>, AppError> {
    if options.keep == Retention::default() {
        return Err(AppError::Config {
            what: "nothing is to be kept".to_owned(),
            hint: "say --keep-last, --keep-hourly, --keep-daily or --keep-monthly".to_owned(),
        });
    }
    let _one = match (options.dry_run, options.folder.is_dir()) {
        (false, true) => Some(FolderLock::take(&options.folder, cancel)?),
        _ => None,
    };
    let found = snapshots_in(&options.folder)?;
    let files: Vec<PathBuf> = found.iter().map(|(_, path)| path.clone()).collect();
    let verdict = verify_snapshots_with(&files, &options.keys, &options.identities, cancel)?;
    let good: BTreeMap<&Path, bool> =
        verdict.snapshots.iter().map(|one: &JudgedSnapshot| (one.path.as_path(), one.faults.is_empty())).collect();
    let mut pruned = plan(&found, &|path| good.get(path).copied().unwrap_or_default(), options.keep);
    if !found.is_empty() && !pruned.iter().any(|one| one.kept_for.contains(&KeptFor::LastGood)) {
        return Err(AppError::Refused {
            what: format!("no snapshot in {} holds; nothing was removed", options.folder.display()),
            hint: "`reledger snapshot verify` says why".to_owned(),
        });
    }
    if !options.dry_run {
        for one in pruned.iter().filter(|one| one.kept_for.is_empty()) {
            cancel.check()?;
            fs::remove_file(&one.path).map_err(AppError::io("remove", &one.path))?;
        }
    }
    pruned.sort_by(|one, other| (one.at, &one.path).cmp(&(other.at, &other.path)));
    Ok(pruned)
}

/// What becomes of each, oldest first.
fn plan(found: &[(SnapshotName, PathBuf)], is_good: &dyn Fn(&Path) -> bool, keep: Retention) -> Vec<PrunedSnapshot> {
    let mut pruned: Vec<PrunedSnapshot> = found
        .iter()
        .map(|(name, path)| PrunedSnapshot { path: path.clone(), at: name.at, kept_for: BTreeSet::new() })
        .collect();
    let mut newest_first: Vec<usize> = (0..pruned.len()).rev().collect();
    for at in newest_first.clone() {
        if !is_good(&pruned[at].path) {
            pruned[at].kept_for.insert(KeptFor::Faulty);
        }
    }
    newest_first.retain(|at| pruned[*at].kept_for.is_empty());
    if let Some(newest) = newest_first.first() {
        pruned[*newest].kept_for.insert(KeptFor::LastGood);
    }
    // The beginning of the text of an instant names its hour, day or month; the whole of it with its place, itself.
    let rules = [
        (KeptFor::Last, keep.last, 0),
        (KeptFor::Hour, keep.hourly, 13),
        (KeptFor::Day, keep.daily, 10),
        (KeptFor::Month, keep.monthly, 7),
    ];
    for (rule, count, digits) in rules {
        let (mut left, mut last) = (count, None);
        for at in &newest_first {
            let text = pruned[*at].at.to_string();
            let period = if digits == 0 { at.to_string() } else { text.chars().take(digits).collect() };
            if left == 0 || last.as_ref() == Some(&period) {
                continue;
            }
            pruned[*at].kept_for.insert(rule);
            last = Some(period);
            left -= 1;
        }
    }
    pruned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;

    fn kept(times: &[&str], bad: &[usize], keep: Retention) -> Vec<usize> {
        let name = |text: &str| SnapshotName::of(text.parse().unwrap(), &sha256(text.as_bytes()));
        let found: Vec<_> =
            times.iter().enumerate().map(|(at, text)| (name(text), PathBuf::from(at.to_string()))).collect();
        let is_good = |path: &Path| !bad.iter().any(|at| path == Path::new(&at.to_string()));
        let plan = plan(&found, &is_good, keep);
        (0..plan.len()).filter(|at| !plan[*at].kept_for.is_empty()).collect()
    }

    #[test]
    fn the_newest_of_each_period_is_kept_and_as_many_periods_as_were_asked_for() {
        let times = [
            "2026-08-31T23:59:59Z",
            "2026-09-01T00:00:00Z",
            "2026-09-01T00:59:59Z",
            "2026-09-01T01:00:00Z",
            "2026-09-02T10:00:00Z",
            "2026-09-02T10:30:00Z",
        ];
        let keep = Retention::default();
        assert_eq!(kept(&times, &[], Retention { last: 2, ..keep }), [4, 5]);
        assert_eq!(kept(&times, &[], Retention { hourly: 2, ..keep }), [3, 5]);
        assert_eq!(kept(&times, &[], Retention { hourly: 4, ..keep }), [0, 2, 3, 5]);
        assert_eq!(kept(&times, &[], Retention { daily: 2, ..keep }), [3, 5]);
        assert_eq!(kept(&times, &[], Retention { monthly: 9, ..keep }), [0, 5]);
        assert_eq!(kept(&times, &[], Retention { daily: 1, monthly: 2, ..keep }), [0, 5]);
    }

    #[test]
    fn the_last_good_one_stays_and_faulty_ones_are_neither_counted_nor_removed() {
        let times = ["2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z", "2026-09-03T00:00:00Z"];
        let keep = Retention { last: 1, ..Retention::default() };
        assert_eq!(kept(&times, &[2], keep), [1, 2]);
        assert_eq!(kept(&times, &[1, 2], keep), [0, 1, 2]);
        assert_eq!(kept(&times, &[], Retention::default()), [2], "even when nothing was asked for");
    }
}
