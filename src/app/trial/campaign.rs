//! Many worlds side by side; the first that differs is shrunk to the least that still does.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::judge::{Trial, TrialReport};
use super::shrink::shrink;
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::domain::Code;
use crate::sim::{Generator, Selection, Transport, deal, generators, generators_over, selections};

/// Faults that one world carries together: enough to compose, few enough to understand.
const FAULTS_A_WORLD: usize = 6;

/// What is planted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Faults {
    /// Nothing: honest worlds.
    None,
    /// Every generator and near miss in turn, a few a world.
    All,
    /// These, all in every world: a code, one of its generators (`CODE/name`), or a near miss (`:near`).
    These(Vec<String>),
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            list => {
                let wishes: Vec<String> = list.split(',').map(str::to_owned).collect();
                wishes.iter().try_for_each(|wish| selected(wish, generators()).map(drop))?;
                Ok(Self::These(wishes))
            }
        }
    }
}

/// The selections that a wish names among these generators: never none.
fn selected(wish: &str, among: impl Iterator<Item = &'static Generator>) -> Result<Vec<Selection>, String> {
    let (name, near) = wish.strip_suffix(":near").map_or((wish, false), |name| (name, true));
    let (code, generator) = name.split_once('/').map_or((name, None), |(code, generator)| (code, Some(generator)));
    let code = Code::from_str(code).map_err(|()| format!("`{code}` is no divergence code"))?;
    let fitting = among.filter(|one| one.code == code && generator.is_none_or(|name| one.name == name));
    let found: Vec<Selection> = fitting.map(|generator| Selection { generator, near }).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names: Vec<&str> = generators().filter(|one| one.code == code).map(|one| one.name).collect();
    Err(format!("no fault is called `{wish}`; {code} has: {}", names.join(", ")))
}

/// What to try.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The first world's seed; the others follow.
    pub seed: u64,
    /// How many worlds.
    pub worlds: u32,
    /// Billable events in each.
    pub events: u32,
    /// What is planted.
    pub faults: Faults,
    /// How worlds come to the program.
    pub transport: Transport,
    /// Worlds at a time; 0 is one per core.
    pub jobs: usize,
    /// Shrink the first world that differs.
    pub shrink: bool,
}

/// What came of a campaign.
#[derive(Debug, Clone)]
pub struct CampaignResult {
    /// Worlds judged; fewer than asked for only after an interruption.
    pub worlds: u32,
    /// Faults planted, near misses planted, selections that found no room.
    pub planted: [usize; 3],
    /// What was asked for by name and found room in no world.
    pub never_planted: Vec<String>,
    /// Divergences reported, all of them expected unless `first` says otherwise.
    pub divergences: usize,
    /// Worlds in which report and oracle differ.
    pub differing: u32,
    /// The first of them, by seed.
    pub first: Option<TrialReport>,
    /// The least that still differs, when shrinking was asked for.
    pub shrunk: Option<TrialReport>,
}

impl CampaignResult {
    /// What the campaign ends in, in a word and as an exit code: a difference before something that could not be tried.
    pub fn outcome(&self) -> (&'static str, u8) {
        match (self.differing, self.never_planted.is_empty()) {
            (0, true) => ("clean", 0),
            (0, false) => ("not tried", 3),
            _ => ("different", 1),
        }
    }
}

impl Campaign {
    /// The first wish that this transport can't carry: nothing of it could be planted.
    pub fn beyond_transport(&self) -> Option<&str> {
        let Faults::These(wishes) = &self.faults else { return None };
        let is_beyond = |wish: &&String| selected(wish, generators_over(self.transport)).is_err();
        wishes.iter().find(is_beyond).map(String::as_str)
    }

    /// The trial of the `index`-th world.
    fn trial(&self, index: u32) -> Trial {
        let selections = match &self.faults {
            Faults::None => Vec::new(),
            Faults::All => {
                let all: Vec<Selection> = selections(self.transport).collect();
                deal(self.seed, u64::from(index), FAULTS_A_WORLD, &all)
            }
            Faults::These(wishes) => {
                let carried = |wish: &String| selected(wish, generators_over(self.transport)).ok();
                wishes.iter().filter_map(carried).flatten().collect()
            }
        };
        let seed = self.seed.wrapping_add(u64::from(index));
        Trial { seed, events: self.events, selections, transport: self.transport }
    }
}

/// Judges every world of the campaign below `dir`. `told` hears of each as it ends.
///
/// # Errors
/// [`AppError`] when a world can't be written or the program failed by itself; the first one wins.
pub fn run_campaign(
    campaign: &Campaign,
    dir: &Path,
    cancel: &Cancel,
    told: &(dyn Fn(&TrialReport) + Sync),
) -> Result<CampaignResult, AppError> {
    let next = AtomicU32::new(0);
    let ended = Mutex::new((Vec::new(), None));
    let jobs = if campaign.jobs == 0 {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        campaign.jobs
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(usize::try_from(campaign.worlds).unwrap_or(usize::MAX)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= campaign.worlds || cancel.is_cancelled() {
                        return;
                    }
                    let judged = campaign.trial(index).judge(dir, cancel);
                    if let Ok(report) = &judged {
                        told(report);
                    }
                    let mut ended = ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match judged {
                        Ok(report) => ended.0.push(report),
                        Err(error) => {
                            // Nobody starts another world after a local failure.
                            next.store(campaign.worlds, Ordering::Relaxed);
                            ended.1.get_or_insert(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    let (reports, failure) = ended.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    match failure {
        Some(error) => Err(error),
        None => summed(campaign, reports, dir, cancel),
    }
}

/// Of what was named. A campaign over everything deals some selections to worlds without room for them.
fn never_planted(campaign: &Campaign, reports: &[TrialReport]) -> Vec<String> {
    if !matches!(campaign.faults, Faults::These(_)) {
        return Vec::new();
    }
    let names = |selection: &Selection| selection.to_string();
    let mut never: BTreeSet<String> =
        reports.iter().flat_map(|report| report.trial.selections.iter().map(names)).collect();
    for planted in reports.iter().flat_map(|report| &report.planted) {
        never.remove(&names(&planted.selection));
    }
    never.into_iter().collect()
}

fn summed(
    campaign: &Campaign,
    reports: Vec<TrialReport>,
    dir: &Path,
    cancel: &Cancel,
) -> Result<CampaignResult, AppError> {
    cancel.check()?;
    let mut result = CampaignResult {
        worlds: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        planted: [0; 3],
        never_planted: never_planted(campaign, &reports),
        divergences: reports.iter().map(|report| report.divergences).sum(),
        differing: 0,
        first: None,
        shrunk: None,
    };
    for report in reports {
        let near = report.planted.iter().filter(|planted| planted.selection.near).count();
        result.planted[0] += report.planted.len() - near;
        result.planted[1] += near;
        result.planted[2] += report.trial.selections.len() - report.planted.len();
        if report.differences.is_empty() {
            continue;
        }
        result.differing += 1;
        if result.first.as_ref().is_none_or(|first| report.trial.seed < first.trial.seed) {
            result.first = Some(report);
        }
    }
    if campaign.shrink
        && let Some(first) = &result.first
    {
        result.shrunk = Some(shrink(first.clone(), dir, cancel)?);
    }
    Ok(result)
}
