//! Users: what vested against what was paid, first in first out (TREASURY 2.5); batches; reported balances (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use super::read::{DAY, Facts, Settlement, parsed, sats, text, user};
use crate::domain::{Code, Subject, draw_sample};

/// A weekly payout, and three days of grace.
const DUE: i64 = 10 * DAY;

impl Facts<'_> {
    pub(super) fn payouts(&self) -> impl Iterator<Item = &Settlement> {
        self.settlements.iter().filter(|one| one.kind() == "distribution.settled" && !one.misdirected())
    }

    /// Everybody who earned, was paid, or is named by a correction.
    fn users(&self) -> BTreeSet<&str> {
        let named = self.settlements.iter().filter_map(|one| one.text("user_address"));
        self.counted("oc-me-event").into_iter().map(|held| held.user()).chain(named).collect()
    }

    /// SET_PENDING, SET_MISSING, SET_LATE, SET_EARLY and USER_OVERPAID.
    pub(super) fn coverage(&self) {
        let until = |list: &[(i64, i128)], at: i64| -> i128 {
            list.iter().filter(|(time, _)| *time <= at).map(|(_, amount)| amount).sum()
        };
        let events = self.counted("oc-me-event");
        for key in self.users() {
            let subject = Subject::new("user", key);
            let mine = self.payouts().filter(|one| one.text("user_address") == Some(key));
            let payouts: Vec<(i64, i128)> = mine.map(|one| (one.at, one.msat())).collect();
            let mut shares: Vec<(i64, i128)> = Vec::new();
            for held in events.iter().filter(|held| held.user() == key) {
                let vests = held.window().map_or(held.at, |window| self.vests.get(window).copied());
                shares.extend(vests.map(|at| (at, sats(&held.body, "user_earned_sats") * 1_000)));
            }
            shares.retain(|(_, amount)| *amount > 0);
            shares.sort_unstable();
            if until(&payouts, self.as_of) > until(&shares, self.as_of) {
                self.open(Code::UserOverpaid, subject.clone());
            } else if payouts.iter().any(|(at, _)| until(&payouts, *at) > until(&shares, *at)) {
                self.open(Code::SetEarly, subject.clone());
            }
            let (mut missing, mut pending, mut late, mut sum) = (false, false, false, 0);
            for (at, amount) in shares {
                sum += amount;
                match payouts.iter().map(|(time, _)| *time).find(|time| until(&payouts, *time) >= sum) {
                    Some(time) => late |= time > at + DUE,
                    None if self.as_of > at + DUE => missing = true,
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

    /// Batches against their parts and against what was paid of them; nobody is paid twice.
    pub(super) fn batches(&self) {
        for batch in self.counted("oc-me-distribution") {
            let shares = batch.body["recipients"].as_array().cloned().unwrap_or_default();
            let total: i128 = shares.iter().map(|share| sats(share, "amount_sats")).sum();
            if batch.body["total_sats"].is_u64() && sats(&batch.body, "total_sats") != total {
                self.open(Code::DistClosure, batch.subject());
            }
            let mut paid: BTreeMap<&str, i128> = BTreeMap::new();
            for one in self.payouts().filter(|one| one.text("distribution_id") == Some(&batch.id)) {
                *paid.entry(one.text("user_address").unwrap_or_default()).or_default() += one.msat();
            }
            for (key, msat) in paid {
                let mine = shares.iter().filter(|share| user(share) == key);
                if mine.map(|share| sats(share, "amount_sats") * 1_000).sum::<i128>() != msat {
                    self.open(Code::AmtMismatch, batch.subject().and("user", key));
                }
            }
        }
        let (mut shares, mut hashes): (BTreeMap<_, usize>, BTreeMap<_, usize>) = Default::default();
        for one in self.payouts() {
            *shares
                .entry(["distribution_id", "user_address", "payout_binding_id"].map(|name| one.text(name)))
                .or_default() += 1;
        }
        for one in self.settlements.iter().filter_map(|one| one.text("payment_hash")) {
            *hashes.entry(one.to_ascii_lowercase()).or_default() += 1;
        }
        for (share, _) in shares.into_iter().filter(|(_, count)| *count > 1) {
            let [Some(batch), Some(user), Some(binding)] = share else { continue };
            let subject = Subject::new("distribution", batch).and("user", user).and("payout_binding", binding);
            self.open(Code::SetDupPayout, subject);
        }
        for (hash, _) in hashes.into_iter().filter(|(_, count)| *count > 1) {
            self.open(Code::SetDupPayout, Subject::new("payment_hash", hash));
        }
    }

    /// Satoshi owed to each user: earned, maturing shares included, less what was paid, and corrections.
    pub(super) fn balances(&self) -> BTreeMap<String, i128> {
        let mut owed: BTreeMap<String, i128> = self.users().into_iter().map(|key| (key.to_owned(), 0)).collect();
        for held in self.counted("oc-me-event") {
            *owed.entry(held.user().to_owned()).or_default() += sats(&held.body, "user_earned_sats");
        }
        for one in self.settlements.iter().filter(|one| ["distribution.settled", "adjustment"].contains(&one.kind())) {
            let sum = one.text("user_address").map(|key| owed.entry(key.to_owned()).or_default());
            let change = if one.is_out() { -one.msat() } else { one.msat() } / 1_000;
            sum.into_iter().for_each(|sum| *sum += change);
        }
        owed
    }

    /// The statement against what is owed, and against itself.
    pub(super) fn statement(&self) {
        let owed = self.balances();
        let lines: Vec<_> = self.scene.world.balances.iter().map(|line| parsed(line)).collect();
        let mut stated: BTreeMap<&str, i64> = BTreeMap::new();
        for line in lines.iter().filter(|line| line["user"].is_string()) {
            let (key, said) =
                (text(line, &["user"]).unwrap_or_default(), line["balance_sats"].as_i64().unwrap_or_default());
            stated.insert(key, said);
            match owed.get(key) {
                Some(right) if *right == i128::from(said) => {}
                Some(_) => self.open(Code::BalanceMismatch, Subject::new("user", key)),
                None if said == 0 => {}
                None => self.open(Code::BalanceExtraUser, Subject::new("user", key)),
            }
        }
        for (key, _) in owed.iter().filter(|(key, sats)| **sats != 0 && !stated.contains_key(key.as_str())) {
            self.open(Code::BalanceMissingUser, Subject::new("user", key));
        }
        for line in lines.iter().filter(|line| !line["user"].is_string()) {
            if line["sum_sats"].as_i64().is_some_and(|said| said != stated.values().sum::<i64>()) {
                self.open(Code::BalanceRoot, Subject::new("statement", "total"));
            }
            if line["count"].as_u64().is_some_and(|said| usize::try_from(said) != Ok(stated.len())) {
                self.open(Code::BalanceRoot, Subject::new("statement", "count"));
            }
            let sample = &line["sample"];
            let (Some(seed), Some(size)) = (sample["seed"].as_str(), sample["size"].as_u64()) else { continue };
            let places = draw_sample(seed, u64::try_from(stated.len()).unwrap_or_default(), size);
            let drawn = places.iter().filter_map(|at| stated.keys().nth(usize::try_from(*at).ok()?).copied());
            let listed = sample["users"].as_array().into_iter().flatten().filter_map(|user| user.as_str());
            if !listed.eq(drawn) {
                self.open(Code::SampleInvalid, Subject::new("statement", "sample"));
            }
        }
    }
}
