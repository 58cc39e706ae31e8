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

/// One account's shares and payouts.
struct Flow {
    shares: Vec<Share>,
    /// By time.
    payouts: Vec<Payout>,
}

pub(super) fn check(input: &Input<'_>, posted: &AllPosted, earned: &Earned<'_>, audit: &mut Audit) {
    if !input.declared.settlements {
        audit.not_possible("settlement.payouts", "settlements are not declared", 0, false);
        return;
    }
    let mut payouts = by_account(input, posted);
    let mut found = Vec::new();
    for (user, shares) in earned.shares.iter() {
        let flow = Flow { shares, payouts: payouts.remove(user).unwrap_or_default() };
        found.extend(overpaid(posted, user, &flow));
        found.extend(outstanding(input, user, &flow));
    }
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

/// USER_OVERPAID: above what is vested now, or above what was even earned when it was paid. SET_EARLY: paid before it vested.
fn overpaid(posted: &AllPosted, user: &UserKey, flow: &Flow) -> Option<Finding> {
    let sats = |shares: &[Share]| shares.iter().map(|share| u128::from(share.sats)).sum::<u128>();
    let vested_shares = flow.shares.split(|share| share.vested_at.is_none()).next().unwrap_or_default();
    let vested = sats(vested_shares);
    let mut by_earning: Vec<(UnixSeconds, u64)> =
        flow.shares.iter().map(|share| (share.earned_at, share.sats)).collect();
    by_earning.sort_unstable();
    // Payouts come by time, so what was earned and vested by then only grows.
    let (mut earning, mut vesting) = (by_earning.iter().peekable(), vested_shares.iter().peekable());
    let (mut earned_then, mut vested_then, mut paid) = (0_u128, 0_u128, 0_u128);
    let mut early = None;
    let mut unearned = None;
    for payout in &flow.payouts {
        let at = payout.at;
        while let Some((_, sats)) = earning.next_if(|(earned, _)| *earned <= at) {
            earned_then += u128::from(*sats);
        }
        while let Some(share) = vesting.next_if(|share| share.vested_at.is_some_and(|vested| vested <= at)) {
            vested_then += u128::from(share.sats);
        }
        paid += u128::from(payout.discharged);
        if paid > earned_then {
            unearned = unearned.or(Some((earned_then, paid, *payout)));
        } else if paid > vested_then {
            early = early.or(Some((vested_then, paid, *payout)));
        }
    }
    let worst = if paid > vested { flow.payouts.last().map(|last| (vested, paid, *last)) } else { unearned };
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

/// SET_MISSING, SET_PENDING and SET_LATE: which shares the payouts cover, first in first out.
fn outstanding(input: &Input<'_>, user: &UserKey, flow: &Flow) -> Vec<Finding> {
    let mut payouts = flow.payouts.iter();
    let (mut paid, mut paid_at, mut vested) = (0_u128, None, 0_u128);
    let mut groups: BTreeMap<Code, (u128, &Share, UnixSeconds)> = BTreeMap::new();
    for share in flow.shares.iter().filter(|share| share.sats > 0) {
        let Some(vested_at) = share.vested_at else { continue };
        let sats = u128::from(share.sats);
        vested += sats;
        while paid < vested {
            let Some(payout) = payouts.next() else { break };
            paid += u128::from(payout.discharged);
            paid_at = Some(payout.at);
        }
        let due = vested_at.plus(PAYOUT_DUE_SECONDS);
        let code = if paid >= vested {
            if paid_at.is_none_or(|at| at <= due) {
                continue;
            }
            Code::SetLate
        } else if input.as_of.time > due {
            Code::SetMissing
        } else {
            Code::SetPending
        };
        let open = if code == Code::SetLate { sats } else { sats.min(vested - paid) };
        groups.entry(code).or_insert((0, share, due)).0 += open;
    }
    groups
        .into_iter()
        .map(|(code, (sats, share, due))| flow_finding(code, user, sats, due, share.carrier(input)))
        .collect()
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
