//! Which way a settlement moves money (TREASURY 2.4, 5.2).

use crate::domain::{Direction, FeeBearer, SettlementKind, TrustPolicy};
use crate::evidence::SettlementEvent;

/// What a settlement does to custody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Movement {
    /// Money comes into custody.
    In,
    /// Money leaves custody.
    Out,
    /// Money changes its owner inside custody.
    Internal,
}

/// The direction that a kind must have: the policy's word, else the contract's; `None` where both are silent.
pub fn allowed_direction(event: &SettlementEvent, policy: &TrustPolicy) -> Option<Direction> {
    let by_policy = policy.directions.get(&event.federation).and_then(|kinds| kinds.get(&event.kind));
    by_policy.copied().or(match event.kind {
        SettlementKind::EscrowDeposit => Some(Direction::In),
        SettlementKind::EscrowRefund | SettlementKind::DistributionSettled | SettlementKind::OperatorPayout => {
            Some(Direction::Out)
        }
        SettlementKind::EscrowRebate | SettlementKind::PlatformAccrual | SettlementKind::Adjustment => None,
    })
}

/// True when the signed direction is not the one that the kind must have: what the money was for is not believed then.
pub fn is_wrong_way(event: &SettlementEvent, policy: &TrustPolicy) -> bool {
    allowed_direction(event, policy).is_some_and(|allowed| allowed != event.direction)
}

/// True when whoever is paid bears the routing fee of a payout.
pub(super) fn payee_bears_fee(event: &SettlementEvent, policy: &TrustPolicy) -> bool {
    let by_policy = policy.fee_bearers.get(&event.federation).and_then(|kinds| kinds.get(&event.kind));
    by_policy == Some(&FeeBearer::Payee)
}

/// What a settlement takes from the account of whoever is paid, in satoshi: the amount, and the fee where they bear it.
pub fn discharged(event: &SettlementEvent, policy: &TrustPolicy) -> u128 {
    let fee = event.fee.filter(|_| movement(event) == Movement::Out && payee_bears_fee(event, policy));
    u128::from(event.amount.get()) + fee.map_or(0, |fee| u128::from(fee.get()))
}

/// True when a manual correction says why, or what it corrects.
pub fn is_explained(event: &SettlementEvent) -> bool {
    let referenced = event.txid.is_some() || event.payment_hash.is_some() || event.distribution.is_some();
    referenced || event.note.as_ref().is_some_and(|note| !note.trim().is_empty())
}

/// What a settlement moves. A rebate or accrual without a destination stays inside custody.
pub fn movement(event: &SettlementEvent) -> Movement {
    match event.kind {
        SettlementKind::EscrowRebate | SettlementKind::PlatformAccrual if event.destination.is_none() => {
            Movement::Internal
        }
        SettlementKind::EscrowRebate | SettlementKind::PlatformAccrual => Movement::Out,
        SettlementKind::EscrowDeposit
        | SettlementKind::EscrowRefund
        | SettlementKind::DistributionSettled
        | SettlementKind::OperatorPayout
        | SettlementKind::Adjustment => match event.direction {
            Direction::In => Movement::In,
            Direction::Out => Movement::Out,
        },
    }
}
