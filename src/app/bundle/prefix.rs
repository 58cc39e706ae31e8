//! When a flow first went wrong: its dated records in order, and the fewest of them that show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::case::{Case, Court, Judged};
use crate::app::error::AppError;
use crate::domain::{Code, Digest32, EvidenceId, UnixSeconds};

/// Records beyond which no prefix is looked for: each is one more judgement.
const RECORDS_MAX: usize = 64;

/// Bytes beyond which none is looked for either.
const BYTES_MAX: usize = 1024 * 1024;

/// The shortest prefix that shows a divergence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefix {
    /// Dated records in it, by (time, evidence id).
    records: u64,
    /// Dated records in the bundle.
    of: u64,
    /// The last record.
    last: EvidenceId,
    /// Its time.
    until: i64,
}

/// When each dated piece was made, as it says itself.
pub(super) fn times(judged: &Judged) -> BTreeMap<EvidenceId, UnixSeconds> {
    let mut times = BTreeMap::new();
    for (id, event) in &judged.set.events {
        times.insert(id, event.at);
    }
    for settlement in judged.set.settlements.values() {
        for carrier in settlement.carriers().iter() {
            times.insert(carrier, settlement.fact().event.settled_at);
        }
    }
    for (id, entry) in &judged.set.payment_log {
        times.insert(id, entry.at.seconds());
    }
    times
}

const fn is_flow(code: Code) -> bool {
    matches!(
        code,
        Code::EscUnfunded | Code::EscNegative | Code::UserOverpaid | Code::PlatformOveraccrued | Code::ConsCustody
    )
}

/// The shortest prefix; `None` where the divergence is about no flow, or about too long a one.
///
/// # Errors
/// [`AppError`] as for judging.
pub(super) fn first_failing(
    court: Court<'_>,
    case: &Case,
    judged: &Judged,
    (code, fingerprint): (Code, &Digest32),
) -> Result<Option<Prefix>, AppError> {
    let times = times(judged);
    let mut dated: Vec<(UnixSeconds, EvidenceId)> =
        case.pieces.keys().filter_map(|id| Some((*times.get(id)?, *id))).collect();
    dated.sort();
    let bytes: usize = case.pieces.values().map(|piece| piece.bytes.len()).sum();
    if !is_flow(code) || dated.len() > RECORDS_MAX || bytes > BYTES_MAX {
        return Ok(None);
    }
    let mut growing = case.clone();
    growing.pieces.retain(|id, _| !times.contains_key(id));
    for (at, (until, id)) in dated.iter().enumerate() {
        growing.pieces.extend(case.pieces.get_key_value(id).map(|(id, piece)| (*id, piece.clone())));
        if court.judge(&growing)?.divergence(fingerprint).is_some() {
            // Both are at most RECORDS_MAX.
            let (records, of) = (at as u64 + 1, dated.len() as u64);
            return Ok(Some(Prefix { records, of, last: *id, until: until.0 }));
        }
    }
    Ok(None)
}
