//! `cursor list | export | import | reset` on a run: what stands, carried elsewhere, taken from elsewhere, forgotten.

use serde_json::{Value, json};

use super::cursors::{Cursor, Place, put};
use super::custody_log::{CustodyLog, Deed, Handled};
use super::error::AppError;
use super::finish::reseal;
use super::ground::Ground;
use super::judge::side_tables;
use super::options::RunOptions;
use super::plan::Plan;
use super::replay::{captured, held_run};
use super::run::{Found, RunFolder, RunRecord};
use super::share;
use super::standing::{Held, Origin, Standing, standings};
use crate::domain::{Digest32, SourceId, sha256};
use crate::report::canonical_json;
use crate::seal::evidence_root_of;
use crate::store::{EvidenceStore as _, LogStore};

/// The form of an export.
const EXPORT_SCHEMA: &str = "reledger/cursors/1";
/// Bytes of an export that are read: 1,000 ids in each of some hundred cursors.
pub const EXPORT_BYTES_MAX: usize = 64 << 20;

/// What became of an imported cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stands as it was exported.
    Accepted,
    /// The store does not hold what it names: it stands where receipts and evidence allow.
    Lowered,
    /// The store does not hold what it names, and vouches for nothing: everything will be asked for again.
    Refused,
}

impl Verdict {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Lowered => "lowered",
            Self::Refused => "refused",
        }
    }
}

/// One imported cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What became of it.
    pub verdict: Verdict,
    /// Where it stands now.
    pub cursor: Cursor,
    /// Why not as exported, and what will be fetched again; or empty.
    pub note: String,
    /// The configuration names its source.
    pub declared: bool,
}

/// Where every cursor of the run stands.
///
/// # Errors
/// [`AppError`] for local failures, and for a folder without evidence.
pub fn cursors(plan: &Plan, options: &RunOptions) -> Result<Vec<Standing>, AppError> {
    let found = held_run(options)?;
    let store = LogStore::open_read_only(&RunFolder::at(&options.run).evidence())?;
    let tables = side_tables(&store)?;
    let captured = captured(&found);
    let ground = Ground { plan, receipts: &tables.receipts, captured: &captured, clock: options.clock };
    Ok(standings(&store, plan, &tables, &ground)?.0)
}

/// What stands, as one canonical document with its digest. Derived positions are exported like committed ones.
///
/// # Errors
/// As [`cursors`].
pub fn export_cursors(plan: &Plan, options: &RunOptions) -> Result<Vec<u8>, AppError> {
    let known = cursors(plan, options)?.into_iter().filter(|standing| standing.origin != Origin::Unknown);
    let exported: Vec<Cursor> =
        known.map(|standing| Cursor::new(standing.source, standing.kind, standing.place)).collect();
    let exported = serde_json::to_value(exported).map_err(|error| AppError::Internal(error.to_string()))?;
    let digest = digest_of(&exported);
    Ok(canonical_json(&json!({"schema": EXPORT_SCHEMA, "cursors": exported, "sha256": digest})))
}

/// sha256 over the canonical JSON of the array, without the line feed.
fn digest_of(cursors: &Value) -> Digest32 {
    sha256(canonical_json(cursors).trim_ascii_end())
}

/// Takes cursors from an export. What the store can't bear out is lowered or refused; a source that the configuration does
/// not name is kept. With `dry_run` nothing is written.
///
/// # Errors
/// [`AppError::Untrusted`] with `checksum_error` for a document that is not a whole export; [`AppError`] for local failures.
pub fn import_cursors(
    plan: &Plan,
    options: &RunOptions,
    document: &[u8],
    dry_run: bool,
) -> Result<Vec<Imported>, AppError> {
    let found = held_run(options)?;
    let imported = parse_export(document)?;
    let judged = {
        let store = LogStore::open_read_only(&RunFolder::at(&options.run).evidence())?;
        let tables = side_tables(&store)?;
        let captured = captured(&found);
        let ground = Ground { plan, receipts: &tables.receipts, captured: &captured, clock: options.clock };
        let derive = |cursor: &Cursor| ground.safe_position(&cursor.source, &cursor.kind);
        let derived: Vec<_> = imported.iter().map(derive).collect();
        let places: Vec<&Place> = imported.iter().filter_map(|cursor| cursor.position.as_ref()).collect();
        let held = Held::find(&store, &tables, &places, derived.iter().flatten())?;
        let judge = |(cursor, derived): (Cursor, _)| judge(plan, cursor, derived, &held, &ground);
        imported.into_iter().zip(derived).map(judge).collect::<Vec<Imported>>()
    };
    if !dry_run {
        let cursors: Vec<&Cursor> = judged.iter().map(|imported| &imported.cursor).collect();
        write(plan, options, &cursors)?;
    }
    Ok(judged)
}

fn parse_export(document: &[u8]) -> Result<Vec<Cursor>, AppError> {
    let untrusted = |what: &str| AppError::Untrusted { what: format!("checksum_error: the export of cursors {what}") };
    if document.len() > EXPORT_BYTES_MAX {
        return Err(untrusted("is too large"));
    }
    let mut value: Value = serde_json::from_slice(document).map_err(|_| untrusted("is no JSON document"))?;
    if value["schema"] != EXPORT_SCHEMA {
        return Err(untrusted("is of another form"));
    }
    let cursors = value["cursors"].take();
    if value["sha256"] != digest_of(&cursors).to_hex() {
        return Err(untrusted("does not match its digest"));
    }
    let cursors: Vec<Cursor> = serde_json::from_value(cursors).map_err(|_| untrusted("holds what is no cursor"))?;
    if cursors.iter().all(Cursor::is_well_formed) {
        Ok(cursors)
    } else {
        Err(untrusted("holds a cursor of another form"))
    }
}

fn judge(
    plan: &Plan,
    mut cursor: Cursor,
    derived: Option<crate::domain::Position>,
    held: &Held<'_>,
    ground: &Ground<'_>,
) -> Imported {
    let declared = plan.declared.sources.contains(&cursor.source);
    let derived = derived.filter(|position| held.lacks(&cursor.source, position) == 0);
    let objection =
        cursor.position.as_ref().and_then(|place| held.objection(&cursor.source, place, derived.as_ref(), ground));
    let Some(objection) = objection else {
        return Imported { verdict: Verdict::Accepted, cursor, note: String::new(), declared };
    };
    let (verdict, again) = match &derived {
        Some(position) => (Verdict::Lowered, format!("everything from {} on is fetched again", position.time)),
        None => (Verdict::Refused, "everything is fetched again".to_owned()),
    };
    cursor.position = derived.map(Place::Events);
    Imported { verdict, cursor, note: format!("{objection}: {again}"), declared }
}

/// Forgets the cursors of one source, or of all: the next replay asks them for everything. Returns what was or would be
/// reset; with `dry_run` nothing is written.
///
/// # Errors
/// [`AppError::Config`] for a source without cursors; [`AppError`] for local failures.
pub fn reset_cursors(
    plan: &Plan,
    options: &RunOptions,
    source: Option<&SourceId>,
    dry_run: bool,
) -> Result<Vec<Standing>, AppError> {
    let mut all = cursors(plan, options)?;
    all.retain(|standing| source.is_none_or(|source| standing.source == *source));
    if let Some(source) = source.filter(|_| all.is_empty()) {
        return Err(AppError::Config {
            what: format!("no cursor of {source} stands in {}", options.run.display()),
            hint: "`reledger cursor list` names the sources".to_owned(),
        });
    }
    all.retain(|standing| standing.place.is_some());
    if !dry_run {
        let gone = |standing: &Standing| Cursor::new(standing.source.clone(), standing.kind.clone(), None);
        let gone: Vec<Cursor> = all.iter().map(gone).collect();
        write(plan, options, &gone.iter().collect::<Vec<_>>())?;
    }
    Ok(all)
}

/// Writes cursors into the run. A finished one is unfinished while its evidence folder changes, and sealed again after.
fn write(plan: &Plan, options: &RunOptions, cursors: &[&Cursor]) -> Result<(), AppError> {
    let folder = RunFolder::at(&options.run);
    let found = match folder.look()? {
        Found::Fresh => None,
        Found::Finished(record) | Found::Unfinished(record) => Some(*record),
    };
    let (mut store, _) = share::open(plan, options, &folder)?;
    let mut log = CustodyLog::open(&folder, found.as_ref())?;
    let is_sealed = found.as_ref().is_some_and(RunRecord::is_finished);
    if let Some(record) = found.as_ref().filter(|_| is_sealed) {
        let (status, finished_before) = ("running".to_owned(), Some(Box::new(record.clone())));
        folder.write_record(&RunRecord { status, ended: Some(false), finished_before, ..record.clone() })?;
    }
    cursors.iter().try_for_each(|cursor| put(&mut store, cursor))?;
    let (deed, root, manifest_sha256) = if is_sealed {
        store.seal_segments()?;
        let (root, manifest_sha256) = reseal(&folder, &store)?;
        (Deed::Reseal, root, Some(manifest_sha256))
    } else {
        (Deed::Capture, evidence_root_of(&store)?, None)
    };
    let head = log.add(&Handled {
        deed,
        actor: &options.actor,
        at: options.clock,
        command: options.command,
        resumed: found.as_ref().map_or(0, |record| record.resumed),
        evidence: (root, store.len()),
        manifest_sha256,
        report: None,
        expected_root: None,
        exit_code: Some(0),
        archive_sha256: None,
    })?;
    found.map_or(Ok(()), |record| {
        folder.write_record(&RunRecord { custody_head: Some(head), ended: Some(true), ..record })
    })
}
