//! Step 4, users: vested shares against payouts, first in first out (TREASURY 2.5).

use std::collections::BTreeMap;

use crate::domain::{Code, Direction, EvidenceId, Finding, SettlementKind, Subject, UnixSeconds, UserKey};

use crate::evidence::SettlementEvent;
use crate::ledger::discharged;

use super::audit::Audit;
use super::earned::{Earned, Share};
use super::reconciler::Input;
use super::settlements::{AllPosted, Posted};

/// A vested share is due after the weekly distribution and three days of grace.
pub(super) const PAYOUT_DUE_SECONDS: i64 = (7 + 3) * 24 * 3600;

/// What one settlement pays a user. There are many of these.
#[derive(Debug, Clone, Copy)]
struct Payout {
    at: UnixSeconds,
    /// In satoshi, with the fee where the user bears it.
    discharged: u64,
    /// Its place among the posted.
    place: u32,
}

impl Payout {
    fn of(place: usize, event: &SettlementEvent, input: &Input<'_>) -> Self {
        let discharged = u64::try_from(discharged(event, input.policy)).unwrap_or(u64::MAX);
        Self { at: event.settled_at, discharged, place: u32::try_from(place).unwrap_or(u32::MAX) }
    }

    fn read(&self, posted: &AllPosted) -> Option<Posted> {
        Some(posted.nth(usize::try_from(self.place).ok()?)?.1)
    }
}

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, earned: &Earned<'_>, audit: &mut Audit) {
    if !input.declared.settlements {
        audit.not_possible("settlement.payouts", "settlements are not declared", 0, false);
        return;
    }
    let mut payouts = by_account(input, posted);
    let mut found = Vec::new();
    earned.shares.each(|user, shares| {
        let payouts = payouts.remove(user).unwrap_or_default();
        let (mut paid, mut covered) = (PaidOut::new(&payouts), Covered::new(input, &payouts));
        for share in shares {
            paid.note(&share);
            covered.note(&share);
        }
        found.extend(paid.overpaid(posted, user));
        found.extend(covered.outstanding(user));
    });
    for (user, payouts) in &payouts {
        found.extend(payouts.iter().filter_map(|payout| Some(orphan(&payout.read(posted)?, user))));
    }
    audit.check("settlement.payouts", earned.accounts.len() + payouts.len(), found);
}

fn by_account(input: &Input<'_>, posted: &AllPosted) -> BTreeMap<UserKey, Vec<Payout>> {
    let mut payouts: BTreeMap<UserKey, Vec<Payout>> = BTreeMap::new();
    for (place, Posted { event, .. }) in posted.values().enumerate() {
        if let (SettlementKind::DistributionSettled, Direction::Out, Some(user)) =
            (event.kind, event.direction, &event.user)
        {
            let account = input.ledgers.people.account_of(user).clone();
            payouts.entry(account).or_default().push(Payout::of(place, &event, input));
        }
    }
    payouts
}

fn orphan(payout: &Posted, user: &UserKey) -> Finding {
    payout
        .finding(Code::SetOrphan)
        .with_values("a user with a vested share", user)
        .with_stake(payout.event.amount.msat().delta())
        .with_explanation("The settlement pays a user who never earned anything.")
}

/// One account's payouts, by time, beside what was earned and vested until each.
struct PaidOut<'p> {
    payouts: &'p [Payout],
    /// In satoshi since the payout before: (earned, vested).
    until: Vec<(u128, u128)>,
    /// Everything that is vested, in satoshi.
    vested: u128,
}

impl<'p> PaidOut<'p> {
    fn new(payouts: &'p [Payout]) -> Self {
        Self { payouts, until: vec![(0, 0); payouts.len()], vested: 0 }
    }

    fn note(&mut self, share: &Share) {
        let sats = u128::from(share.sats);
        let first_at = |at| self.payouts.partition_point(|payout| payout.at < at);
        if let Some((earned, _)) = self.until.get_mut(first_at(share.earned_at)) {
            *earned += sats;
        }
        let Some(vested_at) = share.vested_at else { return };
        self.vested += sats;
        if let Some((_, vested)) = self.until.get_mut(first_at(vested_at)) {
            *vested += sats;
        }
    }

    /// USER_OVERPAID: above what is vested now, or above what was even earned when it was paid. SET_EARLY: paid before it
    /// vested.
    fn overpaid(self, posted: &AllPosted, user: &UserKey) -> Option<Finding> {
        let (mut earned_then, mut vested_then, mut paid) = (0_u128, 0_u128, 0_u128);
        let (mut early, mut unearned) = (None, None);
        for (payout, (earned, vested)) in self.payouts.iter().zip(self.until) {
            earned_then += earned;
            vested_then += vested;
            paid += u128::from(payout.discharged);
            if paid > earned_then {
                unearned = unearned.or(Some((earned_then, paid, *payout)));
            } else if paid > vested_then {
                early = early.or(Some((vested_then, paid, *payout)));
            }
        }
        let last = self.payouts.last().filter(|_| paid > self.vested);
        let worst = last.map(|last| (self.vested, paid, *last)).or(unearned);
        let (code, (limit, sats, payout), why) = match (worst, early) {
            (Some(row), _) => (Code::UserOverpaid, row, "More was settled than was vested, in satoshi."),
            (None, Some(row)) => (Code::SetEarly, row, "A share was settled before it vested, in satoshi."),
            (None, None) => return None,
        };
        Some(
            Finding::new(code, Subject::new("user", user))
                .with_values(format!("at most {limit}"), sats)
                .with_stake_sats(sats.saturating_sub(limit))
                .with_evidence(payout.read(posted)?.carrier, "settlement")
                .with_explanation(why),
        )
    }
}

/// SET_MISSING, SET_PENDING and SET_LATE: which shares the payouts cover, first in first out.
struct Covered<'p, 'i> {
    input: &'i Input<'i>,
    payouts: std::slice::Iter<'p, Payout>,
    paid: u128,
    paid_at: Option<UnixSeconds>,
    vested: u128,
    /// What is open, the first share of it, and when that is due.
    groups: BTreeMap<Code, (u128, Share, UnixSeconds)>,
}

impl<'p, 'i> Covered<'p, 'i> {
    fn new(input: &'i Input<'i>, payouts: &'p [Payout]) -> Self {
        Self { input, payouts: payouts.iter(), paid: 0, paid_at: None, vested: 0, groups: BTreeMap::new() }
    }

    /// Shares come by the time at which they vest.
    fn note(&mut self, share: &Share) {
        let (Some(vested_at), sats @ 1..) = (share.vested_at, u128::from(share.sats)) else { return };
        self.vested += sats;
        while self.paid < self.vested {
            let Some(payout) = self.payouts.next() else { break };
            self.paid += u128::from(payout.discharged);
            self.paid_at = Some(payout.at);
        }
        let due = vested_at.plus(PAYOUT_DUE_SECONDS);
        let code = if self.paid >= self.vested {
            if self.paid_at.is_none_or(|at| at <= due) {
                return;
            }
            Code::SetLate
        } else if self.input.as_of.time > due {
            Code::SetMissing
        } else {
            Code::SetPending
        };
        let open = if code == Code::SetLate { sats } else { sats.min(self.vested - self.paid) };
        self.groups.entry(code).or_insert((0, *share, due)).0 += open;
    }

    fn outstanding(self, user: &UserKey) -> impl Iterator<Item = Finding> {
        let groups = self.groups.into_iter();
        groups.map(move |(code, (sats, share, due))| flow_finding(code, user, sats, due, share.carrier(self.input)))
    }
}

fn flow_finding(code: Code, user: &UserKey, sats: u128, due: UnixSeconds, carrier: Option<EvidenceId>) -> Finding {
    let finding = Finding::new(code, Subject::new("user", user))
        .with_values(format!("settled by {due}"), format!("{sats} sats"))
        .with_stake_sats(sats);
    let finding = carrier.into_iter().fold(finding, |finding, carrier| finding.with_evidence(carrier, "share"));
    match code {
        Code::SetPending => finding.with_explanation("Vested shares are not settled yet.").explained("not yet due"),
        Code::SetLate => finding.with_explanation("Vested shares were settled after they were due."),
        _ => finding.with_explanation("Vested shares are due and not settled; the first of them is named."),
    }
}

/// AMT_MISMATCH, or UNIT_SUSPECT when one integer is exactly a thousand times the other.
pub(super) fn amounts_differ(subject: Subject, expected: u128, observed: u128) -> Finding {
    let thousandfold = |a: u128, b: u128| b > 0 && b.checked_mul(1000) == Some(a);
    let suspect = thousandfold(expected, observed) || thousandfold(observed, expected);
    let code = if suspect { Code::UnitSuspect } else { Code::AmtMismatch };
    Finding::new(code, subject).with_values(expected, observed).with_stake_sats(expected.abs_diff(observed))
}
