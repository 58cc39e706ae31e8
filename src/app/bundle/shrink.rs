//! Leaves out whatever the divergence does not need, in a fixed order and with a bounded amount of work, so that the same
//! evidence always gives the same bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::case::{Case, Court, Limits};
use super::reproduce::shows;
use crate::app::error::AppError;
use crate::domain::{Code, CompletenessBasis, Divergence, EvidenceId, Media, RawEvidence, Requirement, TrustPolicy};
use crate::reconcile::Declared;

/// Judgements made for one bundle.
const JUDGEMENTS_MAX: u32 = 600;
/// Pieces and, by the hundred, headers that all those judgements look at together.
const WORK_MAX: u64 = 120_000;

struct Shrinking<'a> {
    court: Court<'a>,
    wanted: &'a Divergence,
    case: Case,
    judgements: u32,
    work: u64,
}

/// The case without what is not needed.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Interrupted`].
pub(super) fn shrink(
    court: Court<'_>,
    case: Case,
    wanted: &Divergence,
    cited: &BTreeSet<EvidenceId>,
) -> Result<Case, AppError> {
    let mut shrinking = Shrinking { court, wanted, case, judgements: 0, work: 0 };
    shrinking.sources()?;
    loop {
        let before = shrinking.case.pieces.len();
        let order = shrinking.order(cited);
        shrinking.pieces(&order)?;
        if shrinking.case.pieces.len() == before || shrinking.is_spent() {
            break;
        }
    }
    shrinking.receipts()?;
    shrinking.sources()?;
    shrinking.declared()?;
    shrinking.policy()?;
    shrinking.carriers()?;
    Ok(shrinking.case)
}

impl Shrinking<'_> {
    fn is_spent(&self) -> bool {
        self.judgements >= JUDGEMENTS_MAX || self.work >= WORK_MAX
    }

    /// Takes the changed case when it still shows the divergence.
    fn attempt(&mut self, change: impl FnOnce(&mut Case)) -> Result<bool, AppError> {
        if self.is_spent() {
            return Ok(false);
        }
        let mut changed = self.case.clone();
        change(&mut changed);
        self.judgements += 1;
        let headers = changed.pieces.values().filter(|piece| piece.media == Media::Headers);
        let headers: usize = headers.map(|piece| piece.bytes.len() / 8_000).sum();
        // A count of pieces in memory always fits 64 bits.
        self.work = self.work.saturating_add((changed.pieces.len() + headers) as u64 + 1);
        let shown = shows(self.court, &changed, self.wanted)?.is_some();
        if shown {
            self.case = changed;
        }
        Ok(shown)
    }

    /// What is left out first: what nobody signed, then by id; what the divergence cites last.
    fn order(&self, cited: &BTreeSet<EvidenceId>) -> Vec<EvidenceId> {
        let mut order: Vec<(bool, u8, EvidenceId)> =
            (self.case.pieces.iter()).map(|(id, piece)| (cited.contains(id), rank(piece.media), *id)).collect();
        order.sort();
        order.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Leaves out the chunk, or what can be left out of each half: the same as one piece after the other.
    // Recursion is bounded by the logarithm of the number of pieces.
    fn pieces(&mut self, chunk: &[EvidenceId]) -> Result<(), AppError> {
        if chunk.is_empty() || self.attempt(|case| without(case, chunk))? || chunk.len() == 1 {
            return Ok(());
        }
        let (first, second) = chunk.split_at(chunk.len() / 2);
        self.pieces(first)?;
        self.pieces(second)
    }

    /// Everything about sources at once.
    fn sources(&mut self) -> Result<(), AppError> {
        self.attempt(|case| {
            case.receipts.clear();
            case.sightings.clear();
            case.limits = Limits::default();
        })?;
        if !self.case.sightings.is_empty() {
            self.attempt(|case| case.sightings.clear())?;
        }
        if self.case.limits != Limits::default() {
            self.attempt(|case| case.limits = Limits::default())?;
        }
        Ok(())
    }

    fn receipts(&mut self) -> Result<(), AppError> {
        let mut at = 0;
        while at < self.case.receipts.len() {
            if !self.attempt(|case| drop(case.receipts.remove(at)))? {
                at += 1;
            }
        }
        Ok(())
    }

    fn declared(&mut self) -> Result<(), AppError> {
        if self.attempt(|case| case.declared = Declared::default())? {
            return Ok(());
        }
        let lists: [fn(&mut Declared); 9] = [
            |declared| declared.relays.clear(),
            |declared| declared.sources.clear(),
            |declared| declared.calendars.clear(),
            |declared| declared.drift.clear(),
            |declared| declared.takedowns.clear(),
            |declared| declared.unread_takedowns.clear(),
            |declared| declared.earlier.clear(),
            |declared| declared.sample_size = None,
            |declared| declared.sample_seed = None,
        ];
        let substrates: [fn(&mut Declared) -> &mut bool; 11] = [
            |declared| &mut declared.nostr,
            |declared| &mut declared.ots,
            |declared| &mut declared.headers,
            |declared| &mut declared.settlements,
            |declared| &mut declared.payment_log,
            |declared| &mut declared.invoices,
            |declared| &mut declared.keys,
            |declared| &mut declared.projects,
            |declared| &mut declared.custody,
            |declared| &mut declared.balances,
            |declared| &mut declared.checkpoints,
        ];
        for clear in lists {
            self.attempt(|case| clear(&mut case.declared))?;
        }
        self.attempt(|case| case.declared.snapshots = false)?;
        for substrate in substrates {
            if *substrate(&mut self.case.declared) {
                self.attempt(|case| *substrate(&mut case.declared) = false)?;
            }
        }
        let lists: [fn(&mut Declared) -> &mut Vec<crate::domain::SourceId>; 3] =
            [|declared| &mut declared.relays, |declared| &mut declared.sources, |declared| &mut declared.calendars];
        for list in lists {
            let mut at = 0;
            while at < list(&mut self.case.declared).len() {
                if !self.attempt(|case| drop(list(&mut case.declared).remove(at)))? {
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// What the policy says about others.
    fn policy(&mut self) -> Result<(), AppError> {
        let lists: [fn(&mut TrustPolicy); 9] = [
            |policy| policy.gaps.clear(),
            |policy| policy.operator_relays.clear(),
            |policy| policy.observed.clear(),
            |policy| policy.compromised.clear(),
            |policy| policy.seal_keys.clear(),
            |policy| policy.calendars.clear(),
            |policy| policy.settlement_keys.clear(),
            |policy| policy.directions.clear(),
            |policy| policy.require = Requirement { min_relays: 0, basis: CompletenessBasis::Exhausted },
        ];
        // That a key is not pinned, or a calendar not allowed, says nothing where none is.
        let about_pins = self.wanted.code == Code::SigKeyUnknown;
        let about_calendars = self.wanted.code == Code::OtsCalendar;
        for clear in lists {
            let mut cleared = self.case.policy.clone();
            clear(&mut cleared);
            let unpins = cleared.settlement_keys != self.case.policy.settlement_keys;
            let disallows = cleared.calendars != self.case.policy.calendars;
            if cleared != self.case.policy && !(about_pins && unpins) && !(about_calendars && disallows) {
                self.attempt(|case| case.policy = cleared)?;
            }
        }
        let federations: BTreeSet<_> =
            self.case.policy.settlement_keys.keys().chain(self.case.policy.directions.keys()).cloned().collect();
        if federations.len() > 1 && !about_pins {
            for federation in federations {
                self.attempt(|case| {
                    case.policy.settlement_keys.remove(&federation);
                    case.policy.directions.remove(&federation);
                })?;
            }
        }
        Ok(())
    }

    /// Where a published document was fetched from is told only when it matters.
    fn carriers(&mut self) -> Result<(), AppError> {
        let named = |piece: &RawEvidence| {
            let published = matches!(piece.media, Media::Jwks | Media::AuthJwks | Media::ProjectConfig);
            published && !piece.about.is_empty()
        };
        let named: Vec<EvidenceId> =
            self.case.pieces.iter().filter(|(_, piece)| named(piece)).map(|(id, _)| *id).collect();
        for id in named {
            self.attempt(|case| {
                let Some(piece) = case.pieces.remove(&id) else { return };
                let bare = RawEvidence { about: String::new(), ..piece.as_ref().clone() };
                let sources = case.sightings.remove(&id);
                case.sightings.extend(sources.map(|sources| (bare.id(), sources)));
                case.pieces.insert(bare.id(), Arc::new(bare));
            })?;
        }
        Ok(())
    }
}

fn without(case: &mut Case, chunk: &[EvidenceId]) {
    let gone: BTreeSet<&EvidenceId> = chunk.iter().collect();
    let keep = |id: &EvidenceId| !gone.contains(id);
    case.pieces = std::mem::take(&mut case.pieces).into_iter().filter(|(id, _)| keep(id)).collect();
    let sightings: BTreeMap<_, _> = std::mem::take(&mut case.sightings);
    case.sightings = sightings.into_iter().filter(|(id, _)| keep(id)).collect();
}

/// Unsigned records of third parties go first, what everything hangs on last.
const fn rank(media: Media) -> u8 {
    match media {
        Media::Headers => 0,
        Media::PaymentLogEntry => 1,
        Media::Invoice => 2,
        Media::Balance | Media::Snapshot | Media::Checkpoint => 3,
        Media::CalendarReply | Media::OtsProof => 4,
        Media::FederationDirectory | Media::Charter | Media::ProjectConfig => 5,
        Media::Custody | Media::Activity | Media::NostrEvent => 6,
        Media::Settlement => 7,
        Media::Jwks | Media::AuthJwks => 8,
    }
}
