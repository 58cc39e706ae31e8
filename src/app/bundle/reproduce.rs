//! Finds held evidence that shows a divergence by itself: widening circles around it until the program says the same.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::case::{Case, Court, Judged};
use super::find::Ground;
use super::headers::{Extent, heights};
use super::reach::{self, PIECES_MAX, circles};
use super::shrink::shrink;
use crate::app::error::AppError;
use crate::domain::{Code, Divergence, EvidenceId, Media, State, Step};
use crate::reconcile::Declared;
use crate::store::EvidenceStore as _;

/// Bytes of evidence in one bundle.
pub(super) const EVIDENCE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a divergence comes to.
pub(super) struct Found {
    pub(super) case: Case,
    pub(super) judged: Judged,
    /// The case shows the divergence; without, it holds what the divergence cites and no more.
    pub(super) reproduced: bool,
}

/// True when the two say the same of the same thing. Acknowledging changes nothing about what is.
pub(super) fn same(one: &Divergence, other: &Divergence) -> bool {
    let state = |of: &Divergence| if of.state == State::Explained { State::Explained } else { State::Open };
    one.fingerprint == other.fingerprint
        && (one.severity, state(one)) == (other.severity, state(other))
        && (&one.expected, &one.observed) == (&other.expected, &other.observed)
}

/// True when the case shows the divergence.
pub(super) fn shows(court: Court<'_>, case: &Case, wanted: &Divergence) -> Result<Option<Judged>, AppError> {
    let judged = court.judge(case)?;
    let shown = judged.divergence(&wanted.fingerprint).is_some_and(|held| same(held, wanted));
    Ok(shown.then_some(judged))
}

/// The least held evidence that shows the divergence; else what it cites.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Interrupted`].
pub(super) fn reproduce(ground: &Ground, court: Court<'_>, wanted: &Divergence) -> Result<Found, AppError> {
    let cited = cited(ground, wanted);
    let mut tried = BTreeSet::new();
    // Most divergences come out of what they cite, and looking for more costs walks through the whole run.
    let mut found = first(ground, court, (wanted, std::slice::from_ref(&cited)), &mut tried)?;
    if found.is_none() {
        let circles = widening(ground, wanted, &cited)?;
        found = first(ground, court, (wanted, &circles), &mut tried)?;
    }
    let Some(case) = found else { return cited_only(ground, court, wanted) };
    let case = shrink(court, case, wanted, &cited)?;
    let judged = court.judge(&case)?;
    Ok(Found { case, judged, reproduced: true })
}

/// What was tried already: pieces, and whether with what sources answered.
type Tried = BTreeSet<(Vec<EvidenceId>, bool)>;

/// The first case over one of these circles that shows the divergence.
fn first(
    ground: &Ground,
    court: Court<'_>,
    (wanted, circles): (&Divergence, &[BTreeSet<EvidenceId>]),
    tried: &mut Tried,
) -> Result<Option<Case>, AppError> {
    // What sources answered is asked first where the divergence is about that.
    let capture = wanted.step == Step::Capture || wanted.code == Code::BudgetRpo;
    for with_sources in [capture, !capture] {
        for (circle, extent) in order(wanted, circles) {
            let heights = heights(&ground.set, circle);
            // Without a proof that leads to a block more headers change nothing.
            let about_headers = matches!(wanted.code, Code::HdrInvalid | Code::HdrReorg);
            if heights.is_empty() && extent != Extent::Isolated && !about_headers {
                continue;
            }
            let Some(cut) = ground.shelf.cut(&ground.store, extent, &heights)? else { continue };
            let case = ground.case(circle, cut, with_sources)?;
            let size = case.pieces.values().map(|piece| piece.bytes.len()).sum::<usize>();
            let names: Vec<EvidenceId> = case.pieces.keys().copied().collect();
            if size > EVIDENCE_BYTES_MAX || !tried.insert((names, with_sources)) {
                continue;
            }
            if shows(court, &case, wanted)?.is_some() {
                return Ok(Some(case));
            }
        }
    }
    Ok(None)
}

/// What is tried, cheapest first. Where blocks decide, few records with all headers come before many with few.
fn order<'c>(wanted: &Divergence, circles: &'c [BTreeSet<EvidenceId>]) -> Vec<(&'c BTreeSet<EvidenceId>, Extent)> {
    let by_blocks = wanted.step == Step::Anchoring
        || matches!(wanted.code, Code::EnvTime | Code::RebAnchorTime | Code::KeyCompromised);
    let mut order = Vec::new();
    if by_blocks {
        order.extend(circles.iter().flat_map(|circle| Extent::ALL.map(|extent| (circle, extent))));
    } else {
        for extent in [Extent::Isolated, Extent::Whole] {
            order.extend(circles.iter().map(|circle| (circle, extent)));
        }
    }
    order
}

/// What the divergence cites and no more: it does not show the divergence by itself.
///
/// # Errors
/// As [`reproduce`].
pub(super) fn cited_only(ground: &Ground, court: Court<'_>, wanted: &Divergence) -> Result<Found, AppError> {
    let mut case = ground.case(&cited(ground, wanted), Vec::new(), false)?;
    let size = |case: &Case| case.pieces.values().map(|piece| piece.bytes.len()).sum::<usize>();
    while size(&case) > EVIDENCE_BYTES_MAX || case.pieces.len() > PIECES_MAX {
        case.pieces.pop_last();
    }
    case.declared = Declared::default();
    let judged = court.judge(&case)?;
    Ok(Found { case, judged, reproduced: false })
}

/// What the divergence cites, without other people's payments where it only counts them.
fn cited(ground: &Ground, wanted: &Divergence) -> BTreeSet<EvidenceId> {
    let counts_only = wanted.code == Code::GwForeign;
    let is_told = |id: &EvidenceId| !(counts_only && ground.foreign.contains(id));
    wanted.evidence.iter().map(|cited| cited.id).filter(is_told).collect()
}

/// Circles of evidence, narrowest first; headers are added by their extent. Other people's payments are in none of them, unless
/// the divergence is about one.
fn widening(
    ground: &Ground,
    wanted: &Divergence,
    cited: &BTreeSet<EvidenceId>,
) -> Result<Vec<BTreeSet<EvidenceId>>, AppError> {
    let mut found = circles(&ground.set, wanted);
    let mut everything = BTreeSet::new();
    let media: Vec<Media> = Media::ALL.into_iter().filter(|media| *media != Media::Headers).collect();
    let entries = ground.set.payment_log.keys();
    let readable: BTreeSet<EvidenceId> = entries.chain(ground.set.invoices.keys()).collect();
    ground.store.scan(&media, &mut |id, raw| {
        // What can't be read can't be told to be ours.
        if !reach::may_be_foreign(raw.media) || readable.contains(&id) {
            everything.insert(id);
        }
        if everything.len() > PIECES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if everything.len() <= PIECES_MAX {
        found.push(everything);
    }
    for circle in &mut found {
        circle.extend(cited);
        circle.retain(|id| cited.contains(id) || !ground.foreign.contains(id));
    }
    Ok(found)
}
