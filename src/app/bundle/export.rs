//! The use-case: divergences of a finished run, each as a bundle.

use std::path::Path;

use super::assemble::{Told, assemble};
use super::case::Court;
use super::disclosed::Names;
use super::find::Ground;
use super::privacy::{forbidden, others, strangers};
use super::reproduce::{Found, cited_only, reproduce};
use crate::app::error::AppError;
use crate::app::judge::worker_threads;
use crate::app::judged_by::JudgedBy;
use crate::app::observer::{Cancel, Event, Observer};
use crate::domain::{Code, Digest32, Divergence};

/// The shortest beginning of a fingerprint that names one.
const DIGITS_MIN: usize = 8;

/// Which divergences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportWanted {
    /// Every one.
    All,
    /// Those of these fingerprints, which may be cut to 8 digits.
    These(Vec<String>),
}

/// One bundle.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The divergence's code.
    pub code: Code,
    /// Its fingerprint.
    pub fingerprint: Digest32,
    /// The bundle's id: sha256 of its content.
    pub id: Digest32,
    /// The file.
    pub bytes: Vec<u8>,
    /// Nothing else is needed to see that it is so.
    pub self_contained: bool,
    /// What further evidence could do; why it is not self-contained.
    pub reason: Option<String>,
    /// Pieces of evidence in it.
    pub pieces: usize,
    /// Names that its evidence discloses.
    pub names: usize,
}

/// One divergence that no bundle was made of.
#[derive(Debug, Clone)]
pub struct HeldBack {
    /// The divergence's code.
    pub code: Code,
    /// Its fingerprint.
    pub fingerprint: Digest32,
    /// Why not.
    pub why: String,
    /// `--reveal-users` would allow it.
    pub for_names: bool,
}

/// What came of one divergence.
#[derive(Debug, Clone)]
pub enum Made {
    /// A bundle.
    Bundle(Exported),
    /// None: it would disclose what may not be, or not unasked.
    HeldBack(HeldBack),
}

/// Makes a bundle of each wanted divergence of the finished run in `root`, in order of the report, and gives it to `take`.
///
/// # Errors
/// [`AppError::Config`] for a fingerprint that names none, or several; [`AppError`] for a run that does not check and for
/// local failures, those of `take` among them.
pub fn export_bundles(
    root: &Path,
    by: &JudgedBy,
    wanted: &ExportWanted,
    (reveal, jobs): (bool, usize),
    (observer, cancel): (&dyn Observer, &Cancel),
    take: &mut dyn FnMut(Made) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let ground = Ground::of(root, by, jobs, observer, cancel)?;
    let chosen = choose(&ground.divergences, wanted)?;
    let threads = worker_threads(jobs)?;
    let court = Court { threads: &threads, cancel };
    observer.event(Event::Stage { name: "bundle", total: u64::try_from(chosen.len()).ok() });
    for (done, divergence) in chosen.into_iter().enumerate() {
        take(make(&ground, court, divergence, reveal)?)?;
        observer.event(Event::Progress { done: u64::try_from(done).unwrap_or(u64::MAX).saturating_add(1) });
    }
    Ok(())
}

fn choose<'d>(all: &'d [Divergence], wanted: &ExportWanted) -> Result<Vec<&'d Divergence>, AppError> {
    let ExportWanted::These(names) = wanted else { return Ok(all.iter().collect()) };
    let mut chosen: Vec<&Divergence> = Vec::new();
    for name in names {
        let lower = name.trim().to_ascii_lowercase();
        let begins = |held: &&Divergence| lower.len() >= DIGITS_MIN && held.fingerprint.to_hex().starts_with(&lower);
        let mut found = all.iter().filter(begins);
        let bad = |what: &str| AppError::Config {
            what: format!("`{name}` {what}"),
            hint: "give fingerprints of the run's report, whole or their first 8 digits".to_owned(),
        };
        let one = found.next().ok_or_else(|| bad("is no fingerprint of this run"))?;
        if found.next().is_some() {
            return Err(bad("begins several fingerprints"));
        }
        if !chosen.iter().any(|held| held.fingerprint == one.fingerprint) {
            chosen.push(one);
        }
    }
    Ok(chosen)
}

fn make(ground: &Ground, court: Court<'_>, wanted: &Divergence, reveal: bool) -> Result<Made, AppError> {
    let mut found = reproduce(ground, court, wanted)?;
    if found.reproduced && !strangers(&found.case, &ground.foreign, wanted).is_empty() {
        found = cited_only(ground, court, wanted)?;
    }
    let Found { case, judged, reproduced } = found;
    let held_back = |why: String, for_names: bool| {
        Made::HeldBack(HeldBack { code: wanted.code, fingerprint: wanted.fingerprint, why, for_names })
    };
    if let Some(why) = forbidden(&case) {
        return Ok(held_back(why.to_owned(), false));
    }
    let told = judged.divergence(&wanted.fingerprint).filter(|_| reproduced).unwrap_or(wanted);
    let names = Names::of(&case, &judged);
    let others = others(told, &names);
    if !others.is_empty() && !reveal {
        let persons = if others.len() == 1 { "another person" } else { "other persons" };
        return Ok(held_back(format!("its evidence names {} {persons}", others.len()), true));
    }
    let bundle = assemble(court, &case, &judged, &Told { divergence: told, reproduced, reveal })?;
    Ok(Made::Bundle(Exported {
        code: wanted.code,
        fingerprint: wanted.fingerprint,
        id: bundle.id,
        bytes: bundle.to_bytes(),
        self_contained: bundle.self_contained,
        reason: bundle.reason.clone(),
        pieces: bundle.evidence.len(),
        names: bundle.discloses.len(),
    }))
}
