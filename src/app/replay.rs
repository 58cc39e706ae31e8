//! Gap replay into a run that is there already: what its sources hold since an instant, a snapshot's cut, or the cursors.
//! It fetches, takes in, judges and reports like a drill, and reaches nobody else: nothing is published or sent.

mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::again::{Canary, KindAsk, RelayAsk, Window};
use super::coverage::required;
use super::cut::{Cut, cut};
use super::drill::{Finished, Session};
use super::error::AppError;
use super::ground::Ground;
use super::judge::{SideTables, side_tables};
use super::observer::{Cancel, Event, Observer, Silent};
use super::options::RunOptions;
use super::plan::Plan;
use super::run::{Found, RunFolder};
use super::snapshots::{Identities, SnapshotName};
use super::standing::{Held, Origin, Standing, standings};
use super::unfreeze::Unfreeze;
use crate::domain::{FetchReceipt, Media, Outcome, PublicKey32, SourceId, UnixSeconds};
use crate::ingest::Ingest;
use crate::store::{EvidenceStore, LogStore};

pub use self::whole::RestoredFrom;
use self::whole::{Way, is_absent, keys, way};

/// What a dry run can't know of a run that is still packed.
const UNREAD_CURSORS: &str = "relays would be asked from the cursors that the snapshot holds, less the overlap";

/// Where a replay begins and ends.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// Relays are asked from this instant on; without it and a snapshot, from their cursors.
    pub since: Option<UnixSeconds>,
    /// A signed snapshot: a run that is not there is restored from it, one that is there is asked for from its cut on.
    pub from_snapshot: Option<PathBuf>,
    /// Whose snapshots count; empty: those of the configuration's keys.
    pub keys: BTreeSet<PublicKey32>,
    /// Who opens it where it is encrypted.
    pub identities: Identities,
    /// The last instant asked for.
    pub until: Option<UnixSeconds>,
    /// Seconds before the beginning that are asked for once more: records arrive late.
    pub overlap: u64,
}

/// What a replay leaves in memory.
#[derive(Debug)]
pub struct Replayed {
    /// As of a drill.
    pub finished: Finished,
    /// What was taken instead of a lost cursor, what had to be asked for whole, which ground was never asked for.
    pub notes: Vec<String>,
    /// Whether writes may go on.
    pub unfreeze: Unfreeze,
    /// What the run was made of, where that is the snapshot that was named.
    pub origin: Option<RestoredFrom>,
    /// From when until when relays were asked, all kinds together.
    pub window: Window,
}

impl Replayed {
    /// How the run ended, a state root that was expected included.
    pub fn outcome(&self) -> Outcome {
        let Finished { conclusion, expected, .. } = &self.finished;
        expected.as_ref().map_or_else(|| conclusion.outcome().clone(), |expected| expected.outcome().clone())
    }
}

/// What a replay would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldReplay {
    /// Source, kind and window of everything that would be asked; a window without ends is the whole.
    pub asks: Vec<(SourceId, String, Window)>,
    /// As in [`Replayed::notes`].
    pub notes: Vec<String>,
    /// The snapshot that the run would be made of.
    pub origin: Option<RestoredFrom>,
}

/// Replays.
///
/// # Errors
/// [`AppError::Config`] when there is nothing to replay into; [`AppError::Untrusted`] or [`AppError::Refused`] for a
/// snapshot that does not verify, with nothing written; [`AppError`] for local failures.
pub fn replay(
    plan: &Plan,
    options: &RunOptions,
    replay: &ReplayOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Replayed, AppError> {
    may_replay(options, replay)?;
    let mut plan = plan.clone();
    let way = match &replay.from_snapshot {
        None => None,
        Some(path) => Some(way(&plan, (options, replay), path, false, (observer, cancel))?),
    };
    if let (Some(Way::Compared(_)), Some(path), true) = (&way, &replay.from_snapshot, replay.keys.is_empty())
        && !is_encrypted(path)
    {
        // Its outline is evidence like that of any other snapshot, and is judged with them: by the configuration's keys.
        plan.files.entry(Media::Snapshot).or_default().push(path.clone());
        plan.declared.snapshots = true;
    }
    // Going on in a finished folder is what a replay is for.
    let options = RunOptions { yes: true, ..options.clone() };
    let mut session = Session::open(&plan, &options, observer, cancel)?;
    let tables = side_tables(&session.store)?;
    let (cut, origin) = match way {
        Some(Way::Compared(outline)) => (Some(cut(&session.store, keys(&plan, replay), &outline)?), None),
        Some(Way::Restored(origin, millis)) => {
            if let Some(millis) = millis {
                session.goes_on_from(millis);
            }
            (None, Some(origin))
        }
        Some(Way::Would(_)) | None => (None, None),
    };
    let scene = Scene { plan: &plan, captured: &session.record.captured, clock: options.clock };
    let agenda = scene.agenda(&session.store, &tables, replay, cut)?;
    drop(tables);
    let window = agenda.window();
    for note in &agenda.notes {
        observer.event(Event::Note(note.clone()));
    }
    // First of all: whatever happens now, the report will tell of ground that was not asked for.
    let mut ingest = Ingest::new(&mut session.store);
    agenda.holes.into_iter().try_for_each(|hole| ingest.receipt(hole))?;
    let judged = session.capture_all(Some(agenda.relays))?;
    let finished = session.conclude(judged)?;
    let unfreeze = Unfreeze::of(&finished.conclusion);
    Ok(Replayed { finished, notes: agenda.notes, unfreeze, origin, window })
}

/// What [`replay`] would ask; contacts nobody and writes nothing.
///
/// # Errors
/// As [`replay`].
pub fn would_replay(
    plan: &Plan,
    options: &RunOptions,
    replay: &ReplayOptions,
    cancel: &Cancel,
) -> Result<WouldReplay, AppError> {
    may_replay(options, replay)?;
    let way = match &replay.from_snapshot {
        None => None,
        Some(path) => Some(way(plan, (options, replay), path, true, (&Silent, cancel))?),
    };
    if let Some(Way::Would(origin)) = way {
        return Ok(WouldReplay { asks: rest(plan), notes: vec![UNREAD_CURSORS.to_owned()], origin: Some(origin) });
    }
    let found = held_run(options)?;
    let store = LogStore::open_read_only(&RunFolder::at(&options.run).evidence())?;
    let tables = side_tables(&store)?;
    let cut = match &way {
        Some(Way::Compared(outline)) => Some(cut(&store, keys(plan, replay), outline)?),
        _ => None,
    };
    let captured = captured(&found);
    let agenda = Scene { plan, captured: &captured, clock: options.clock }.agenda(&store, &tables, replay, cut)?;
    let mut asks: Vec<(SourceId, String, Window)> = Vec::new();
    for ask in &agenda.relays {
        asks.extend(ask.kinds.iter().map(|(kind, of)| (SourceId(ask.url.clone()), kind.to_string(), of.window)));
    }
    asks.extend(rest(plan));
    Ok(WouldReplay { asks, notes: agenda.notes, origin: None })
}

/// True for a name of an encrypted snapshot: a source of files has nobody to open it.
fn is_encrypted(path: &Path) -> bool {
    SnapshotName::of_path(path).is_some_and(|name| name.is_encrypted)
}

/// What is read whole: everything but relays.
fn rest(plan: &Plan) -> Vec<(SourceId, String, Window)> {
    let relays: BTreeSet<&String> = plan.relays.iter().collect();
    let others = plan.declared.sources.iter().filter(|source| !relays.contains(&source.0));
    others.map(|source| (source.clone(), "*".to_owned(), (None, None))).collect()
}

/// By source, when the last capture began that it answered completely.
pub(super) fn captured(found: &Found) -> BTreeMap<String, i64> {
    match found {
        Found::Fresh => BTreeMap::new(),
        Found::Unfinished(record) | Found::Finished(record) => record.captured.clone(),
    }
}

fn may_replay(options: &RunOptions, replay: &ReplayOptions) -> Result<(), AppError> {
    if let (Some(since), Some(until)) = (replay.since, replay.until)
        && since > until
    {
        return Err(AppError::Config {
            what: format!("--since {since} is after --until {until}"),
            hint: "a replay asks for what lies between them".to_owned(),
        });
    }
    if replay.from_snapshot.is_some() && is_absent(&options.run)? {
        return Ok(());
    }
    held_run(options).map(drop)
}

/// How the run's folder was found, when it holds evidence.
///
/// # Errors
/// [`AppError::Config`] when it holds none.
pub(super) fn held_run(options: &RunOptions) -> Result<Found, AppError> {
    let folder = RunFolder::at(&options.run);
    let found = folder.look()?;
    if found == Found::Fresh || !folder.evidence().join("segments").is_dir() {
        return Err(AppError::Config {
            what: format!("{} holds no captured evidence", options.run.display()),
            hint: "run `reledger drill` into it first, or name another folder with --run".to_owned(),
        });
    }
    Ok(found)
}

/// What is to be asked, in the light of what is held.
#[derive(Debug, Default)]
struct Agenda {
    relays: Vec<RelayAsk>,
    holes: Vec<FetchReceipt>,
    notes: Vec<String>,
}

impl Agenda {
    /// From the earliest beginning to the latest end; open where one of them is.
    fn window(&self) -> Window {
        let windows = || self.relays.iter().flat_map(|ask| ask.kinds.values().map(|kind| kind.window));
        // Without a beginning sorts before every instant; without an end is after every one.
        let from = windows().map(|(from, _)| from).min().flatten();
        let until = windows().map(|(_, until)| until).collect::<Option<Vec<UnixSeconds>>>();
        (from, until.and_then(|ends| ends.into_iter().max()))
    }
}

struct Scene<'a> {
    plan: &'a Plan,
    captured: &'a BTreeMap<String, i64>,
    clock: UnixSeconds,
}

impl Scene<'_> {
    fn agenda(
        &self,
        store: &dyn EvidenceStore,
        tables: &SideTables,
        replay: &ReplayOptions,
        cut: Option<Cut>,
    ) -> Result<Agenda, AppError> {
        let Self { plan, captured, clock } = *self;
        let ground = Ground { plan, receipts: &tables.receipts, captured, clock };
        let (standings, held) = standings(store, plan, tables, &ground)?;
        let mut notes = Notes::default();
        match cut {
            None => {}
            Some(Cut::At(at)) => notes.say(format!("the snapshot was cut at {at}")),
            Some(Cut::Unnamed) => notes.say(
                "the snapshot contains no checkpoint that this run holds, so nothing says when it was cut: the cursors decide"
                    .to_owned(),
            ),
        }
        let since = match cut {
            Some(Cut::At(at)) => Some(at),
            _ => replay.since,
        };
        let until = plan.window.1.into_iter().chain(replay.until).min();
        let mut agenda = Agenda::default();
        for url in &plan.relays {
            let source = SourceId(url.clone());
            let mut kinds = BTreeMap::new();
            for kind in &plan.policy.kinds {
                let text = kind.to_string();
                let own = |standing: &&Standing| standing.source == source && standing.kind == text;
                let Some(standing) = standings.iter().find(own) else { continue };
                let begin = since.or_else(|| {
                    notes.cursor(standing, &ground);
                    standing.position().map(|position| position.time)
                });
                let from = begin.map(|at| early(at, replay.overlap, plan.window.0)).or(plan.window.0);
                if let Some(hole) = from
                    .filter(|from| plan.window.0.is_none_or(|since| *from > since))
                    .and_then(|from| ground.hole(&source, &text, from))
                {
                    notes.hole(&hole);
                    agenda.holes.push(hole);
                }
                let news_only = since.is_none() && standing.origin == Origin::Committed;
                let window = (from, until);
                kinds.insert(
                    *kind,
                    KindAsk {
                        window,
                        canary: canary(standing, &held, window),
                        known: standing.position().filter(|_| news_only && !ground.is_open(&source, &text)).cloned(),
                    },
                );
            }
            let whole = (plan.window.0, until);
            agenda.relays.push(RelayAsk { url: url.clone(), kinds, whole, required: required(plan, &source) });
        }
        agenda.notes = notes.lines();
        Ok(agenda)
    }
}

/// So long before an instant, but not before what the configuration asks for.
fn early(at: UnixSeconds, overlap: u64, since: Option<UnixSeconds>) -> UnixSeconds {
    let from = at.plus(i64::try_from(overlap).map_or(i64::MIN, |overlap| -overlap));
    since.map_or(from, |since| from.max(since))
}

fn canary(standing: &Standing, held: &Held<'_>, window: Window) -> Option<Canary> {
    let position = standing.position().filter(|position| !position.ids.is_empty())?;
    let asked =
        window.0.is_none_or(|from| from <= position.time) && window.1.is_none_or(|until| until >= position.time);
    asked.then(|| Canary {
        at: position.time,
        ids: position.ids.iter().copied().collect(),
        addresses: position.ids.iter().filter_map(|id| held.address(id)).collect(),
    })
}

/// What has to be said, the same about several kinds of a source in one line.
#[derive(Default)]
struct Notes {
    general: Vec<String>,
    by_source: BTreeMap<(SourceId, String), Vec<String>>,
}

impl Notes {
    fn say(&mut self, line: String) {
        self.general.push(line);
    }

    /// What becomes of a cursor that can't be relied on.
    fn cursor(&mut self, standing: &Standing, ground: &Ground<'_>) {
        let does = match (standing.origin, standing.position()) {
            (Origin::Committed, _) => return,
            // A kind without events has no cursor, and asking for it whole costs nothing.
            (Origin::Unknown, _) if ground.is_empty(&standing.source, &standing.kind) => return,
            (Origin::Reset, _) => "the cursor was reset: everything is asked for again".to_owned(),
            (_, None) => format!("no cursor ({}): everything is asked for again", standing.note),
            (_, Some(position)) => {
                format!("no cursor ({}): by receipts and evidence it stands at {}", standing.note, position.time)
            }
        };
        self.by_source.entry((standing.source.clone(), does)).or_default().push(standing.kind.clone());
    }

    fn hole(&mut self, hole: &FetchReceipt) {
        let from = hole.slice.from.map_or_else(|| "the beginning".to_owned(), |from| from.to_string());
        let until = hole.slice.until.map_or_else(|| "the end".to_owned(), |until| until.to_string());
        let line = format!("nobody asked for what lies from {from} to {until}: replay from before it");
        self.by_source.entry((hole.source.clone(), line)).or_default().push(hole.slice.kind.clone());
    }

    fn lines(self) -> Vec<String> {
        let line = |((source, line), kinds): ((SourceId, String), Vec<String>)| {
            format!("{source} kind {}: {line}", kinds.join(", "))
        };
        self.general.into_iter().chain(self.by_source.into_iter().map(line)).collect()
    }
}
