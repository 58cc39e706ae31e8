//! The same sums by a second path: from the members of the facts, without accounts (TREASURY 5.4, I8 and I9).

use std::collections::BTreeMap;

use crate::domain::{Direction, FederationSlug, Msat, Sats, SettlementKind, TrustPolicy, UserKey};
use crate::evidence::SettlementEvent;

use super::account::Account;
use super::book::Balances;
use super::invariants::{Rule, Watch};
use super::journal::{Cause, Parts};
use super::movement::{Movement, discharged, is_wrong_way, movement};

/// What came in and went out, in millisatoshi. No sum of these facts leaves 128 bits before 10^20 of them.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// By federation: in, less out, less fees.
    custody: BTreeMap<FederationSlug, i128>,
    /// What projects paid in, less what went back to them.
    funded: i128,
    /// Whether there was anything to sum: a rule that was asked of nothing was not asked.
    has_facts: bool,
    /// What events took from projects, less the rebates that they earned by it.
    spent: i128,
    /// What each user was paid, by the name that the settlement has.
    pub(super) paid: BTreeMap<UserKey, Paid>,
}

/// What settlements did to one user's balance, in satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paid {
    /// Paid out.
    pub paid: i128,
    /// Corrections in, less corrections out.
    pub adjusted: i128,
}

impl Paid {
    fn of(event: &SettlementEvent, policy: &TrustPolicy) -> Option<Self> {
        let sats = i128::from(event.amount.get());
        match (event.kind, event.direction) {
            (SettlementKind::DistributionSettled, Direction::Out) => {
                let paid = i128::try_from(discharged(event, policy)).unwrap_or(i128::MAX);
                Some(Self { paid, adjusted: 0 })
            }
            (SettlementKind::Adjustment, Direction::In) => Some(Self { paid: 0, adjusted: sats }),
            (SettlementKind::Adjustment, Direction::Out) => Some(Self { paid: 0, adjusted: -sats }),
            _ => None,
        }
    }
}

fn msat(sats: Sats) -> i128 {
    sats.msat().delta().0
}

impl Flows {
    /// One fact of the journal. What vests, and what is accepted later, moves nothing in or out.
    pub(super) fn fact(&mut self, cause: &Cause, policy: &TrustPolicy) {
        match cause {
            Cause::Event(parts) => self.event(*parts),
            Cause::Settlement { event, excess, in_flight } => self.settlement(event, *excess, *in_flight, policy),
            Cause::Vesting | Cause::Claim(_) => {}
        }
    }

    fn event(&mut self, parts: Parts) {
        self.has_facts = true;
        self.spent += msat(parts.gross) - msat(parts.rebate);
    }

    /// `excess` is what an invoice received above the amount. What is in flight has left custody and nobody's account.
    fn settlement(&mut self, event: &SettlementEvent, excess: Msat, in_flight: bool, policy: &TrustPolicy) {
        self.has_facts = true;
        if let (Some(user), Some(Paid { paid, adjusted })) = (&event.user, Paid::of(event, policy)) {
            let own = self.paid.entry(user.clone()).or_default();
            own.paid += paid;
            own.adjusted += adjusted;
        }
        let (amount, fee) = (msat(event.amount), msat(event.fee.unwrap_or(Sats::ZERO)));
        let of_custody = self.custody.entry(event.federation.clone()).or_default();
        if is_wrong_way(event, policy) {
            *of_custody += if event.direction == Direction::In { amount } else { -amount };
            return;
        }
        let way = movement(event);
        match way {
            Movement::In => *of_custody += amount + excess.delta().0,
            Movement::Out => *of_custody -= amount + fee,
            Movement::Internal => {}
        }
        let is_of_project = event.project.is_some();
        // What leaves a project, with the fee where the project bears it.
        let taken = i128::try_from(discharged(event, policy)).unwrap_or(i128::MAX).saturating_mul(1_000);
        self.funded += match event.kind {
            SettlementKind::EscrowDeposit if is_of_project => amount,
            SettlementKind::EscrowRefund | SettlementKind::EscrowRebate
                if is_of_project && way == Movement::Out && !in_flight =>
            {
                -taken
            }
            _ => 0,
        };
    }

    /// Asks both rules of the final balances.
    pub(super) fn agree(&self, balances: &Balances, watch: &mut Watch) {
        for (federation, flow) in &self.custody {
            let custody = balances.of(&Account::Custody(federation.clone())).0;
            watch.agree(Rule::Conservation, custody, *flow);
        }
        if !self.has_facts {
            return;
        }
        let is_of_project = |account: &Account| matches!(account, Account::Escrow(_) | Account::Rebate(_));
        let of_projects = balances.iter().filter(|(account, _)| is_of_project(account));
        let unspent: i128 = of_projects.map(|(_, delta)| delta.0.saturating_neg()).sum();
        watch.agree(Rule::Global, unspent, self.funded - self.spent);
    }
}
