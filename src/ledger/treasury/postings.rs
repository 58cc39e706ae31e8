//! The postings of each fact (TREASURY 5.2).

use crate::domain::{
    AmountError, Direction, FederationSlug, Msat, MsatDelta, ProjectKey, Sats, SettlementKind, TrustPolicy, UserKey,
    WindowId,
};
use crate::evidence::SettlementEvent;

use super::account::{Account, Posting};
use super::journal::Parts;
use super::movement::{Movement, is_wrong_way, movement, payee_bears_fee};

/// What manual corrections are held in.
pub(super) const ADJUSTMENT: &str = "adjustment";

/// Collects debits and credits; equal accounts join, zeros vanish. An entry has a handful of accounts.
#[derive(Default)]
pub(super) struct Lines(Vec<Posting>);

impl Lines {
    pub(super) fn debit(&mut self, account: Account, delta: MsatDelta) -> Result<(), AmountError> {
        match self.0.iter_mut().find(|line| line.account == account) {
            Some(line) => line.delta = line.delta.checked_add(delta)?,
            None => self.0.push(Posting { account, delta }),
        }
        Ok(())
    }

    pub(super) fn credit(&mut self, account: Account, delta: MsatDelta) -> Result<(), AmountError> {
        self.debit(account, delta.checked_neg()?)
    }

    pub(super) fn postings(mut self) -> Vec<Posting> {
        self.0.retain(|line| line.delta != MsatDelta::ZERO);
        self.0.sort_unstable();
        self.0
    }
}

/// `user` is the account that the event's user belongs to. An event debits its project's escrow and credits platform, user and rebate. Parts that don't add up go to suspense.
pub(super) fn of_event(
    parts: Parts,
    user: &UserKey,
    project: &ProjectKey,
    maturing: Option<&WindowId>,
) -> Result<Vec<Posting>, AmountError> {
    let mut lines = Lines::default();
    let amount = |sats: Sats| sats.msat().delta();
    let user = match maturing {
        Some(window) => Account::UserMaturing(user.clone(), window.clone()),
        None => Account::UserAvailable(user.clone()),
    };
    lines.debit(Account::Escrow(project.clone()), amount(parts.gross))?;
    let mut rest = amount(parts.gross);
    for (account, sats) in [
        (Account::PlatformAccrued, parts.platform),
        (user, parts.user),
        (Account::Rebate(project.clone()), parts.rebate),
    ] {
        rest = rest.checked_add(amount(sats).checked_neg()?)?;
        lines.credit(account, amount(sats))?;
    }
    lines.credit(Account::Suspense("FEE_SPLIT"), rest)?;
    Ok(lines.postings())
}

/// A window's share of one user vests.
pub(super) fn of_vesting(user: &UserKey, window: &WindowId, share: MsatDelta) -> Result<Vec<Posting>, AmountError> {
    let mut lines = Lines::default();
    lines.debit(Account::UserMaturing(user.clone(), window.clone()), share)?;
    lines.credit(Account::UserAvailable(user.clone()), share)?;
    Ok(lines.postings())
}

/// A settlement. `user` is the account of the user that it names; `excess` is what an incoming invoice received above the settled amount.
pub(super) fn of_settlement(
    event: &SettlementEvent,
    user: Option<&UserKey>,
    excess: Msat,
    policy: &TrustPolicy,
) -> Result<Vec<Posting>, AmountError> {
    let mut lines = Lines::default();
    let (amount, fee) = moved(event);
    let custody = Account::Custody(event.federation.clone());
    if is_wrong_way(event, policy) {
        // The signed direction decides custody; what it was for is not believed.
        wrong_direction(&mut lines, event.direction, custody, amount)?;
        return Ok(lines.postings());
    }
    let owed = owed_account(event, user);
    match movement(event) {
        Movement::In => {
            lines.debit(custody.clone(), amount)?;
            lines.credit(owed, amount)?;
            book_excess(&mut lines, custody, &event.federation, excess)?;
        }
        Movement::Internal => {
            let receiver = match event.kind {
                SettlementKind::EscrowRebate => project_account(event, Account::Escrow),
                _ => Account::PlatformSettled,
            };
            lines.debit(owed, amount)?;
            lines.credit(receiver, amount)?;
        }
        Movement::Out => {
            // The fee bearer is policy; nothing published names another than the platform (FORMATS 13, row 15).
            let bearer = if payee_bears_fee(event, policy) { owed.clone() } else { Account::PlatformAccrued };
            lines.debit(owed, amount)?;
            lines.debit(bearer, fee)?;
            lines.credit(custody.clone(), amount)?;
            lines.credit(custody, fee)?;
        }
    }
    Ok(lines.postings())
}

/// The two halves of a payment out of custody whose claim the federation accepts later than it was settled: what is sent, and
/// what the acceptance closes. Together they are [`of_settlement`]. A user's share waits in flight; what others are owed is
/// owed until then.
pub(super) fn of_flight(
    event: &SettlementEvent,
    user: Option<&UserKey>,
    policy: &TrustPolicy,
) -> Result<(Vec<Posting>, Vec<Posting>), AmountError> {
    let (mut sent, mut closed) = (Lines::default(), Lines::default());
    let (amount, fee) = moved(event);
    let (custody, flight) = (Account::Custody(event.federation.clone()), Account::InFlight(event.operation.clone()));
    for part in [amount, fee] {
        sent.debit(flight.clone(), part)?;
        sent.credit(custody.clone(), part)?;
        closed.credit(flight.clone(), part)?;
    }
    let of_payee = if payee_bears_fee(event, policy) { amount.checked_add(fee)? } else { amount };
    closed.debit(Account::PlatformAccrued, amount.checked_add(fee)?.checked_add(of_payee.checked_neg()?)?)?;
    match owed_account(event, user) {
        Account::UserAvailable(user) => {
            sent.debit(Account::UserAvailable(user.clone()), of_payee)?;
            sent.credit(Account::UserInFlight(user.clone()), of_payee)?;
            closed.debit(Account::UserInFlight(user), of_payee)?;
        }
        owed => closed.debit(owed, of_payee)?,
    }
    Ok((sent.postings(), closed.postings()))
}

/// Amount and routing fee.
fn moved(event: &SettlementEvent) -> (MsatDelta, MsatDelta) {
    (event.amount.msat().delta(), event.fee.unwrap_or(Sats::ZERO).msat().delta())
}

/// The liability that the settlement creates or discharges.
fn owed_account(event: &SettlementEvent, user: Option<&UserKey>) -> Account {
    match event.kind {
        SettlementKind::EscrowDeposit | SettlementKind::EscrowRefund => project_account(event, Account::Escrow),
        SettlementKind::EscrowRebate => project_account(event, Account::Rebate),
        SettlementKind::PlatformAccrual => Account::PlatformAccrued,
        SettlementKind::DistributionSettled => {
            user.cloned().map_or(Account::Suspense("FIELD_MISSING"), Account::UserAvailable)
        }
        SettlementKind::OperatorPayout => {
            event.operator.clone().map_or(Account::Suspense("FIELD_MISSING"), Account::Operator)
        }
        SettlementKind::Adjustment => Account::Suspense(ADJUSTMENT),
    }
}

fn project_account(event: &SettlementEvent, account: fn(ProjectKey) -> Account) -> Account {
    event.project.clone().map_or(Account::Suspense("FIELD_MISSING"), account)
}

fn wrong_direction(
    lines: &mut Lines,
    direction: Direction,
    custody: Account,
    amount: MsatDelta,
) -> Result<(), AmountError> {
    let suspense = Account::Suspense("DIR_WRONG");
    let (debit, credit) = match direction {
        Direction::In => (custody, suspense),
        Direction::Out => (suspense, custody),
    };
    lines.debit(debit, amount)?;
    lines.credit(credit, amount)
}

/// Whole satoshi above the amount go to suspense, what is below one satoshi to rounding (TREASURY 5.3).
fn book_excess(
    lines: &mut Lines,
    custody: Account,
    federation: &FederationSlug,
    excess: Msat,
) -> Result<(), AmountError> {
    let (whole, residue) = excess.floor_sats();
    lines.debit(custody, excess.delta())?;
    lines.credit(Account::Suspense("INV_OVERPAID"), whole.msat().delta())?;
    lines.credit(Account::Rounding(federation.clone()), residue.delta())
}
