//! The proofs of a run that wait: since when, at which calendar, and when it is asked next.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::file::hex;
use crate::app::judge::{judge, side_tables, worker_threads};
use crate::app::observer::{Cancel, Silent};
use crate::app::schedule::Tries;
use crate::app::{AppError, Plan, RunFolder};
use crate::domain::{Digest32, UnixSeconds};
use crate::store::LogStore;
use crate::verify::ots::{allowed_host, open_branches};

/// Lines of the queue that are read: more than any run has envelopes.
const QUEUE_BYTES_MAX: u64 = 1 << 30;

/// A proof that no block answers yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitingProof {
    /// The digest that is to be anchored.
    pub id: Digest32,
    /// The calendar as the proof names it: foreign text, still raw.
    pub calendar: String,
    /// What the calendar is asked for, in hex.
    pub commitment: String,
    /// When it was submitted, by the commitment's own time.
    pub submitted: Option<UnixSeconds>,
    /// Seconds since then.
    pub age: Option<i64>,
    /// It waits for longer than `ots.overdue` allows; without a time nobody can say that it does not.
    pub overdue: bool,
    /// How often the calendar answered that it knows no more.
    pub tries: u32,
    /// When the calendar is asked next; none for one that is not on the allow-list, the past for one that is due.
    pub next_try: Option<UnixSeconds>,
}

/// An id of `queues/needs-anchor.ndjson` that no waiting proof stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unanchored {
    /// The id.
    pub id: String,
    /// `absent`, `refused`, `header-missing`.
    pub reason: String,
}

/// What waits in a run.
#[derive(Debug, Clone, Default)]
pub struct Overdue {
    /// Every waiting proof whose digest no known block anchors, longest waiting first.
    pub waiting: Vec<WaitingProof>,
    /// Ids without a waiting proof, as the last report queued them.
    pub unanchored: Vec<Unanchored>,
    /// False when the run never came to a report, so that the queue is not known.
    pub judged: bool,
}

/// Looks for waiting proofs in a run's evidence. Contacts nobody.
///
/// # Errors
/// [`AppError::Config`] for a folder without evidence; [`AppError`] for local failures.
pub fn overdue_proofs(
    folder: &RunFolder,
    plan: &Plan,
    now: UnixSeconds,
    jobs: usize,
    cancel: &Cancel,
) -> Result<Overdue, AppError> {
    if !folder.evidence().join("segments").is_dir() {
        return Err(AppError::Config {
            what: format!("{} holds no captured evidence", folder.root().display()),
            hint: "name a run with --run, or make one with `reledger capture`".to_owned(),
        });
    }
    let store = LogStore::open_read_only(&folder.evidence())?;
    let tables = side_tables(&store)?;
    let tries = Tries::load(&store)?;
    let policy = &plan.policy;
    let set = judge(&store, policy, &tables, &worker_threads(jobs)?, &Silent, cancel)?;
    let mut waiting = Vec::new();
    for (id, state) in set.anchors.iter().filter(|(_, state)| state.confirmed.is_empty()) {
        for pending in open_branches(&state) {
            let host = allowed_host(&pending.uri, policy);
            let address = host.as_deref().and_then(|host| plan.calendar_address(host));
            let age = pending.submitted_at.map(|submitted| now.0.saturating_sub(submitted.0));
            waiting.push(WaitingProof {
                id,
                calendar: pending.uri.to_string(),
                commitment: hex(&pending.commitment),
                submitted: pending.submitted_at,
                age,
                overdue: age.is_none_or(|age| age > policy.ots_overdue_seconds),
                tries: address.map_or(0, |address| tries.count(address, &pending.commitment)),
                next_try: address.map(|address| tries.next(address, &pending.commitment, now)),
            });
        }
    }
    waiting.sort_by(|a, b| (a.submitted, a).cmp(&(b.submitted, b)));
    waiting.dedup();
    let (unanchored, judged) = queue(folder.root(), &waiting)?;
    Ok(Overdue { waiting, unanchored, judged })
}

/// The queue of the last report, without the ids that stand among the waiting.
fn queue(root: &Path, waiting: &[WaitingProof]) -> Result<(Vec<Unanchored>, bool), AppError> {
    let path = root.join("queues/needs-anchor.ndjson");
    let text = match fs::metadata(&path) {
        Ok(found) if found.len() <= QUEUE_BYTES_MAX => {
            fs::read_to_string(&path).map_err(AppError::io("read", &path))?
        }
        Ok(_) => return Err(damaged(&path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        Err(error) => return Err(AppError::io("read", &path)(error)),
    };
    let ids: BTreeSet<String> = waiting.iter().map(|proof| proof.id.to_hex()).collect();
    let mut unanchored = Vec::new();
    for line in text.lines() {
        let item: serde_json::Value = serde_json::from_str(line).map_err(|_| damaged(&path))?;
        let (Some(id), Some(reason)) = (item["id"].as_str(), item["reason"].as_str()) else {
            return Err(damaged(&path));
        };
        if !ids.contains(id) {
            unanchored.push(Unanchored { id: id.to_owned(), reason: reason.to_owned() });
        }
    }
    Ok((unanchored, true))
}

fn damaged(path: &Path) -> AppError {
    AppError::Config {
        what: format!("{} is not a queue of this program", path.display()),
        hint: "`reledger rebuild` writes it again".to_owned(),
    }
}
