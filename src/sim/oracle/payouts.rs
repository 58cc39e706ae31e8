//! Users: what vested against what was paid, first in first out (TREASURY 2.5); batches; reported balances (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::expect::Expected;
use super::read::{DAY, Facts, Held, parsed, repeated, sats, text, user};
use crate::domain::{Code, Subject, draw_sample};

/// A weekly payout, and three days of grace.
const DUE: i64 = 10 * DAY;

/// Millisatoshi up to a time.
fn until(list: &[(i64, i128)], at: i64) -> i128 {
    list.iter().filter(|(time, _)| *time <= at).map(|(_, amount)| amount).sum()
}

impl Facts<'_> {
    fn payouts(&self) -> impl Iterator<Item = &Held> {
        self.settlements.iter().filter(|one| one.kind == "distribution.settled" && !one.misdirected())
    }

    /// Everybody who earned, was paid, or is named by a correction.
    fn users(&self) -> BTreeSet<&str> {
        let named = self.settlements.iter().filter_map(|one| one.text("user_address"));
        self.events().into_iter().map(Held::user).chain(named).collect()
    }

    /// SET_PENDING, SET_MISSING, SET_LATE, SET_EARLY and USER_OVERPAID.
    pub(super) fn coverage(&self) {
        let events = self.events();
        for key in self.users() {
            let mine = self.payouts().filter(|one| one.text("user_address") == Some(key));
            let payouts: Vec<(i64, i128)> = mine.map(|one| (one.time(), one.msat())).collect();
            let mut shares: Vec<(i64, i128)> = Vec::new();
            for held in events.iter().filter(|held| held.user() == key && held.sats("user_earned_sats") > 0) {
                let vests = held.window().map_or(held.at, |window| self.vests.get(window).copied());
                shares.extend(vests.map(|at| (at, held.sats("user_earned_sats") * 1_000)));
            }
            shares.sort_unstable();
            let is_over = until(&payouts, self.as_of) > until(&shares, self.as_of);
            let is_early = payouts.iter().any(|(at, _)| until(&payouts, *at) > until(&shares, *at));
            let (mut missing, mut pending, mut late, mut sum) = (false, false, false, 0);
            for (at, amount) in shares {
                sum += amount;
                let paid_at = payouts.iter().map(|(time, _)| *time).find(|time| until(&payouts, *time) >= sum);
                late |= paid_at.is_some_and(|time| time > at + DUE);
                missing |= paid_at.is_none() && self.as_of > at + DUE;
                pending |= paid_at.is_none() && self.as_of <= at + DUE;
            }
            let subject = Subject::new("user", key);
            self.when(is_over, Code::UserOverpaid, subject.clone());
            self.when(is_early && !is_over, Code::SetEarly, subject.clone());
            self.when(late, Code::SetLate, subject.clone());
            self.when(missing, Code::SetMissing, subject.clone());
            pending.then(|| self.say(Expected::explained(Code::SetPending, subject)));
        }
    }

    /// Batches against their parts and against what was paid of them; nobody is paid twice.
    pub(super) fn batches(&self) {
        for batch in self.counted("oc-me-distribution") {
            let shares = batch.body["recipients"].as_array().cloned().unwrap_or_default();
            let total: i128 = shares.iter().map(|share| sats(share, "amount_sats")).sum();
            let is_open = batch.body["total_sats"].is_u64() && batch.sats("total_sats") != total;
            self.when(is_open, Code::DistClosure, batch.subject());
            let mut paid: BTreeMap<&str, i128> = BTreeMap::new();
            for one in self.payouts().filter(|one| one.text("distribution_id") == Some(&batch.id)) {
                *paid.entry(one.text("user_address").unwrap_or_default()).or_default() += one.sats("amount_sats");
            }
            for (key, paid) in paid {
                let mine = shares.iter().filter(|share| user(share) == key).map(|share| sats(share, "amount_sats"));
                self.when(mine.sum::<i128>() != paid, Code::AmtMismatch, batch.subject().and("user", key));
            }
        }
        let names = ["distribution_id", "user_address", "payout_binding_id"];
        for share in repeated(self.payouts().map(|one| names.map(|name| one.text(name)))) {
            let [Some(batch), Some(user), Some(binding)] = share else { continue };
            let subject = Subject::new("distribution", batch).and("user", user).and("payout_binding", binding);
            self.when(true, Code::SetDupPayout, subject);
        }
        for hash in repeated(self.settlements.iter().filter_map(Held::hash)) {
            self.when(true, Code::SetDupPayout, Subject::new("payment_hash", hash));
        }
    }

    /// Satoshi owed to each user: earned, maturing shares included, less what was paid, and corrections.
    pub(super) fn balances(&self) -> BTreeMap<String, i128> {
        let mut owed: BTreeMap<String, i128> = self.users().into_iter().map(|key| (key.to_owned(), 0)).collect();
        for held in self.events() {
            *owed.entry(held.user().to_owned()).or_default() += held.sats("user_earned_sats");
        }
        for one in self.settlements.iter().filter(|one| ["distribution.settled", "adjustment"].contains(&&*one.kind)) {
            let change = one.sats("amount_sats") * if one.is_out() { -1 } else { 1 };
            let sum = one.text("user_address").and_then(|key| owed.get_mut(key));
            sum.into_iter().for_each(|sum| *sum += change);
        }
        owed
    }

    /// The statement against what is owed, and against itself.
    pub(super) fn statement(&self) {
        let owed = self.balances();
        let lines: Vec<Value> = self.scene.world.balances.iter().map(parsed).collect();
        let of = |line: &'_ Value| Some((line["user"].as_str()?.to_owned(), line["balance_sats"].as_i64()?));
        let stated: BTreeMap<String, i64> = lines.iter().filter_map(of).collect();
        for (key, said) in &stated {
            let (right, subject) = (owed.get(key), Subject::new("user", key));
            self.when(right.is_some_and(|right| *right != i128::from(*said)), Code::BalanceMismatch, subject.clone());
            self.when(right.is_none() && *said != 0, Code::BalanceExtraUser, subject);
        }
        for (key, sats) in owed {
            self.when(sats != 0 && !stated.contains_key(&key), Code::BalanceMissingUser, Subject::new("user", key));
        }
        for line in lines.iter().filter(|line| !line["user"].is_string()) {
            let total = line["sum_sats"].as_i64().is_some_and(|said| said != stated.values().sum::<i64>());
            let count = line["count"].as_u64().is_some_and(|said| usize::try_from(said) != Ok(stated.len()));
            self.when(total, Code::BalanceRoot, Subject::new("statement", "total"));
            self.when(count, Code::BalanceRoot, Subject::new("statement", "count"));
            let (sample, users) = (&line["sample"], u64::try_from(stated.len()).unwrap_or_default());
            let places =
                draw_sample(text(sample, &["seed"]).unwrap_or_default(), users, sample["size"].as_u64().unwrap_or(0));
            let drawn = places.iter().filter_map(|at| stated.keys().nth(usize::try_from(*at).ok()?));
            let is_drawn = sample["users"].as_array().into_iter().flatten().filter_map(Value::as_str).eq(drawn);
            self.when(!is_drawn, Code::SampleInvalid, Subject::new("statement", "sample"));
        }
    }
}
