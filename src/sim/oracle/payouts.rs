//! Users: what vested against what was paid, first in first out (TREASURY 2.5), and the reported balances (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use super::read::{DAY, Facts, Settlement, parsed, sats, user};
use crate::domain::{Code, Subject};

impl Facts<'_> {
    fn payouts(&self, key: &str) -> Vec<&Settlement> {
        let fits = |one: &&Settlement| one.kind() == "distribution.settled" && one.text("user_address") == Some(key);
        self.settlements.iter().filter(fits).collect()
    }

    /// Everybody who earned or was paid.
    fn users(&self) -> BTreeSet<String> {
        let earners = self.counted("oc-me-event").into_iter().map(|held| user(&held.body).to_owned());
        let paid = self.settlements.iter().filter(|one| one.kind() == "distribution.settled");
        earners.chain(paid.filter_map(|one| one.text("user_address")).map(str::to_owned)).collect()
    }

    /// Shares that have vested, by the time they did: when, and millisatoshi.
    fn shares(&self, key: &str) -> Vec<(i64, i128)> {
        let events = self.counted("oc-me-event");
        let mine = events.iter().filter(|held| user(&held.body) == key);
        let vested = mine.filter_map(|held| {
            let at = held.window().map_or(held.at, |window| self.vests_at(window));
            Some((at?, sats(&held.body, "user_earned_sats") * 1_000))
        });
        let mut vested: Vec<(i64, i128)> = vested.filter(|(_, amount)| *amount > 0).collect();
        vested.sort_unstable();
        vested
    }

    /// SET_PENDING, SET_MISSING, SET_LATE, SET_EARLY and USER_OVERPAID.
    pub(super) fn coverage(&mut self) {
        for key in self.users() {
            let subject = Subject::new("user", &key);
            let payouts: Vec<(i64, i128)> = self.payouts(&key).iter().map(|one| (one.at, one.msat())).collect();
            let shares = self.shares(&key);
            let vested: i128 = shares.iter().map(|(_, amount)| amount).sum();
            let paid: i128 = payouts.iter().map(|(_, amount)| amount).sum();
            let until = |list: &[(i64, i128)], at: i64| -> i128 {
                list.iter().filter(|(time, _)| *time <= at).map(|(_, amount)| amount).sum()
            };
            if paid > vested {
                self.open(Code::UserOverpaid, subject.clone());
            } else if payouts.iter().any(|(at, _)| until(&payouts, *at) > until(&shares, *at)) {
                self.open(Code::SetEarly, subject.clone());
            }
            let (mut missing, mut pending, mut late, mut sum) = (false, false, false, 0);
            for (at, amount) in shares {
                sum += amount;
                let settled_at = payouts.iter().map(|(time, _)| *time).find(|time| until(&payouts, *time) >= sum);
                let due = at + 7 * DAY;
                match settled_at {
                    Some(time) => late |= time > due,
                    None if self.as_of > due => missing = true,
                    None => pending = true,
                }
            }
            if late {
                self.open(Code::SetLate, subject.clone());
            }
            if missing {
                self.open(Code::SetMissing, subject);
            } else if pending {
                self.explained(Code::SetPending, subject);
            }
        }
    }

    /// Satoshi owed to each user, shares that mature included.
    pub(super) fn balances(&self) -> BTreeMap<String, i128> {
        let events = self.counted("oc-me-event");
        let owed = |key: String| {
            let earned =
                events.iter().filter(|held| user(&held.body) == key).map(|held| sats(&held.body, "user_earned_sats"));
            let paid: i128 = self.payouts(&key).iter().map(|one| one.msat() / 1_000).sum();
            let balance = earned.sum::<i128>() - paid;
            (key, balance)
        };
        self.users().into_iter().map(owed).collect()
    }

    /// The statement against what is owed.
    pub(super) fn statement(&mut self) {
        let owed = self.balances();
        let mut stated = BTreeSet::new();
        for line in &self.scene.world.balances {
            let line = parsed(line);
            let key = line["user"].as_str().unwrap_or_default();
            stated.insert(key.to_owned());
            let said = line["balance_sats"].as_i64().map_or(0, i128::from);
            match owed.get(key) {
                Some(right) if *right == said => {}
                Some(_) => self.open(Code::BalanceMismatch, Subject::new("user", key)),
                None if said == 0 => {}
                None => self.open(Code::BalanceExtraUser, Subject::new("user", key)),
            }
        }
        for (key, _) in owed.iter().filter(|(key, sats)| **sats != 0 && !stated.contains(*key)) {
            self.open(Code::BalanceMissingUser, Subject::new("user", key));
        }
    }
}
