//! The treasury's journal (TREASURY 5.2), in millisatoshi; escrow, custody and payout coverage (2.5); balances (FORMATS 10).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::expect::Expected;
use super::read::{DAY, Facts, Held, parsed, repeated, sats, text, user};
use crate::domain::{Code, Subject, draw_sample};

/// Accounts in the order of docs/state-root.md 4.3, without a user's key.
const CLASSES: [&str; 12] = [
    "A:Custody",
    "A:InFlight",
    "L:Escrow",
    "L:Rebate",
    "L:User:Maturing",
    "L:User:Available",
    "L:User:InFlight",
    "L:Platform:Accrued",
    "L:Platform:Settled",
    "L:Operator",
    "L:Rounding",
    "L:Suspense",
];
/// A weekly payout, and three days of grace.
const DUE: i64 = 10 * DAY;

/// The class of an account's name. A user's key may hold colons, a part after it may too.
pub(super) fn class(account: &str) -> &'static str {
    let is_users = account.starts_with("L:User:");
    let fits = |class: &&&str| match class.strip_prefix("L:User:") {
        Some(part) => is_users && account.split(':').skip(1).any(|one| one == part),
        None => account.starts_with(**class),
    };
    CLASSES.iter().find(fits).unwrap_or(&"L:Suspense")
}

/// Entries in their order: by time, rank (0 money in, 1 billing, 2 vesting, 3 every other settlement, 4 claims) and fact. Each has its
/// postings and its leaf.
pub(super) type Journal = BTreeMap<(i64, u8, Vec<String>), (Vec<(String, i128)>, Value)>;

/// An entry is as good as the worst of what it rests on (TREASURY 3.4): a signature, or a node's record beside it.
fn enter(journal: &mut Journal, (at, rank): (i64, u8), mut leaf: Value, postings: &[(&str, i128)]) {
    let mut sums: BTreeMap<(usize, String), i128> = BTreeMap::new();
    for (account, amount) in postings {
        let class = class(account);
        let place = CLASSES.iter().position(|one| *one == class).unwrap_or_default();
        *sums.entry((place, (*account).to_owned())).or_default() += amount;
    }
    sums.retain(|_, amount| *amount != 0);
    let postings: Vec<(String, i128)> = sums.into_iter().map(|((_, account), amount)| (account, amount)).collect();
    let is_recorded = |account: &str| account.contains(":Rounding:") || account.ends_with(":INV_OVERPAID");
    let is_unsigned = leaf["type"] == "claim" || postings.iter().any(|(account, _)| is_recorded(account));
    let tier = if is_unsigned { "T2" } else { "T1" };
    let fact = ["envelope", "window", "user", "settlement"].map(|name| text(&leaf, &[name]).to_owned()).to_vec();
    let texts: Vec<[String; 2]> = postings.iter().map(|(account, sum)| [account.clone(), sum.to_string()]).collect();
    (leaf["at_micros"], leaf["tier"], leaf["postings"]) = (at.into(), tier.into(), json!(texts));
    journal.insert((at, rank, fact), (postings, leaf));
}

fn until(list: &[(i64, i128)], at: i64) -> i128 {
    list.iter().filter(|(time, _)| *time <= at).map(|(_, amount)| amount).sum()
}

impl Facts<'_> {
    pub(super) fn journal(&self) -> &Journal {
        self.books.get_or_init(|| self.book())
    }

    fn book(&self) -> Journal {
        let mut journal = Journal::new();
        let mut maturing: BTreeMap<(&str, &str), i128> = BTreeMap::new();
        for held in self.events() {
            let part = |name: &str| held.sats(name) * 1_000;
            let user = self.account(held.user());
            let (project, earned) = (text(&held.body, &["project_key"]), part("user_earned_sats"));
            let share = held.window().map_or("Available".to_owned(), |window| format!("Maturing:{window}"));
            let postings: [(&str, i128); 4] = [
                (&format!("L:Escrow:{project}"), part("gross_fee_sats")),
                ("L:Platform:Accrued", -part("platform_fee_sats")),
                (&format!("L:User:{user}:{share}"), -earned),
                (&format!("L:Rebate:{project}"), -part("site_rebate_sats")),
            ];
            enter(&mut journal, (held.at, 1), json!({"type": "envelope", "envelope": held.id}), &postings);
            if let Some(window) = held.window() {
                *maturing.entry((window, user)).or_default() += earned;
            }
        }
        for ((window, user), amount) in maturing {
            let Some(at) = self.vests.get(window) else { continue };
            let from = format!("L:User:{user}:Maturing:{window}");
            let postings: [(&str, i128); 2] = [(&from, amount), (&format!("L:User:{user}:Available"), -amount)];
            enter(&mut journal, (*at, 2), json!({"type": "vesting", "window": window, "user": user}), &postings);
        }
        self.settlements.iter().for_each(|one| self.settled(&mut journal, one));
        journal
    }

    fn settled(&self, journal: &mut Journal, one: &Held) {
        let named = |account: &str, name: &str| format!("{account}:{}", one.text(name).unwrap_or_default());
        let (custody, project) = (named("A:Custody", "federation_slug"), named("L:Escrow", "project_key"));
        let (rebate, operator) = (named("L:Rebate", "project_key"), named("L:Operator", "operator_id"));
        let available = format!("L:User:{}:Available", self.account(one.text("user_address").unwrap_or_default()));
        let suspense = if one.misdirected() { "L:Suspense:DIR_WRONG" } else { "L:Suspense:adjustment" };
        let is_paid = one.text("destination").is_some();
        let (debit, credit): (&str, &str) = match one.kind.as_str() {
            kind if kind == "adjustment" || one.misdirected() => (&custody, suspense),
            "escrow.deposit" => (&custody, &project),
            "escrow.rebate" => (&rebate, if is_paid { &custody } else { &project }),
            "escrow.refund" => (&project, &custody),
            "platform.accrual" => ("L:Platform:Accrued", if is_paid { &custody } else { "L:Platform:Settled" }),
            "operator.payout" => (&operator, &custody),
            _ => (&available, &custody),
        };
        let amount = if credit == suspense && one.is_out() { -one.msat() } else { one.msat() };
        let (excess, rounding) = (self.excess(one), named("L:Rounding", "federation_slug"));
        let beyond = if excess < 1_000 { &rounding } else { "L:Suspense:INV_OVERPAID" };
        // The bearer of routing fees is the platform, unless a policy says otherwise.
        let fee = if one.is_out() { one.sats("fee_sats") * 1_000 } else { 0 };
        let paid = [(debit, amount), (credit, -amount)];
        let beside = [("L:Platform:Accrued", fee), (&custody, -fee), (&custody, excess), (beyond, -excess)];
        let accepted = if credit == custody { self.claim(one) } else { None };
        if let Some(at) = accepted.filter(|at| *at > one.at) {
            let (all, flight) = (amount + fee, format!("A:InFlight:{}", one.text("operation_id").unwrap_or_default()));
            let held = if debit == available { available.replace(":Available", ":InFlight") } else { debit.to_owned() };
            let sent = [(&*flight, all), (&*custody, -all), (debit, amount), (&*held, -amount)];
            enter(journal, (one.at, 3), json!({"type": one.kind, "settlement": one.id}), &sent);
            let closed = [(&*flight, -all), (&*held, amount), ("L:Platform:Accrued", fee)];
            if at <= self.as_of {
                enter(journal, (at, 4), json!({"type": "claim", "settlement": one.id}), &closed);
            }
            return;
        }
        let is_money_in = debit == custody && amount > 0;
        let (rank, postings) = (if is_money_in { 0 } else { 3 }, [paid.as_slice(), &beside].concat());
        enter(journal, (one.at, rank), json!({"type": one.kind, "settlement": one.id}), &postings);
    }

    /// Custody, escrow and platform accounts: at every prefix, and at the end.
    pub(super) fn treasury(&self) {
        // What a project can spend: its escrow and the rebates that it has not taken (FORMATS 6.4).
        let (mut spendable, mut custody): (BTreeMap<String, i128>, BTreeMap<String, i128>) = Default::default();
        let (mut unfunded, mut overdrawn) = (BTreeSet::new(), BTreeSet::new());
        let mut rebates: BTreeMap<String, i128> = BTreeMap::new();
        for ((_, rank, _), (postings, leaf)) in self.journal() {
            for (account, amount) in postings {
                let (kind, name) = account.split_at(account.match_indices(':').nth(1).map_or(0, |(at, _)| at + 1));
                let sums = if kind == "A:Custody:" { &mut custody } else { &mut spendable };
                if ["A:Custody:", "L:Escrow:", "L:Rebate:"].contains(&kind) {
                    let sum = sums.entry(name.to_owned()).or_default();
                    let is_short = *rank == 1 && kind == "L:Escrow:" && *sum < *amount;
                    unfunded.extend(is_short.then(|| name.to_owned()));
                    *sum += if kind == "A:Custody:" { *amount } else { -*amount };
                }
                // A rebate that nobody earned (TREASURY 2.7).
                let earned = rebates.entry(name.to_owned()).or_default();
                let is_rebate = kind == "L:Rebate:" && !leaf["settlement"].is_null();
                self.when(
                    is_rebate && amount > earned,
                    Code::SetOrphan,
                    Subject::new("settlement", text(leaf, &["settlement"])),
                );
                *earned -= if kind == "L:Rebate:" { *amount } else { 0 };
            }
            overdrawn.extend(custody.iter().filter(|(_, sum)| **sum < 0).map(|(federation, _)| federation.clone()));
        }
        let billed: BTreeSet<&str> = self.events().into_iter().filter_map(|held| held.text("project_key")).collect();
        let named =
            self.settlements.iter().filter_map(|one| one.text("project_key")).filter(|one| !billed.contains(one));
        let is_short = |project: &&str| spendable.get(*project) < Some(&0) && spendable.contains_key(*project);
        let unbilled: BTreeSet<&str> = named.filter(is_short).collect();
        self.each(Code::EscNegative, unbilled.iter().map(|project| Subject::new("project", project)));
        for project in billed {
            let mut deposits = self.settlements.iter().filter(|one| one.kind == "escrow.deposit");
            let is_funded = deposits.any(|one| one.text("project_key") == Some(project));
            let (is_short, subject) = (spendable.get(project) < Some(&0), Subject::new("project", project));
            self.when(!is_funded, Code::EscNeverFunded, subject.clone());
            self.when(is_funded && unfunded.contains(project), Code::EscUnfunded, subject.clone());
            self.when(is_funded && is_short, Code::EscNegative, subject);
        }
        self.each(Code::ConsCustody, overdrawn.iter().map(|federation| Subject::new("federation", federation)));
        let fees: i128 = self.events().iter().map(|held| held.sats("platform_fee_sats")).sum();
        let accruals = self.settlements.iter().filter(|one| one.kind == "platform.accrual" && !one.misdirected());
        let is_over = accruals.map(|one| one.sats("amount_sats")).sum::<i128>() > fees;
        self.when(is_over, Code::PlatformOveraccrued, Subject::new("account", "platform"));
    }

    fn payouts(&self) -> impl Iterator<Item = &Held> {
        self.settlements.iter().filter(|one| one.kind == "distribution.settled" && !one.misdirected())
    }

    /// The accounts of everybody who earned, was paid, or is named by a correction.
    fn users(&self) -> BTreeSet<&str> {
        let named = self.settlements.iter().filter_map(|one| one.text("user_address"));
        self.events().into_iter().map(Held::user).chain(named).map(|name| self.account(name)).collect()
    }

    fn is_of(&self, one: &Held, key: &str) -> bool {
        one.text("user_address").is_some_and(|name| self.account(name) == key)
    }

    /// SET_PENDING, SET_MISSING, SET_LATE, SET_EARLY and USER_OVERPAID: first in, first out.
    pub(super) fn coverage(&self) {
        for key in self.users() {
            let mine = self.payouts().filter(|one| self.is_of(one, key));
            let payouts: Vec<(i64, i128)> = mine.map(|one| (one.at, one.msat())).collect();
            let (mut shares, mut earned) = (Vec::<(i64, i128)>::new(), Vec::<(i64, i128)>::new());
            for held in self.events().into_iter().filter(|held| self.account(held.user()) == key) {
                let vests = held.window().map_or(Some(&held.at), |window| self.vests.get(window));
                earned.push((held.at, held.sats("user_earned_sats") * 1_000));
                shares.extend(vests.map(|at| (*at, held.sats("user_earned_sats") * 1_000)));
            }
            // Who never earned anything has no share to exceed: each payment is an orphan (TREASURY 2.5).
            if earned.is_empty() {
                continue;
            }
            shares.retain(|(_, amount)| *amount > 0);
            shares.sort_unstable();
            // TREASURY 2.5 calls every payment above what is vested overpaid; one of a share that only matures is early.
            let is_over = until(&payouts, self.as_of) > until(&shares, self.as_of)
                || payouts.iter().any(|(at, _)| until(&payouts, *at) > until(&earned, *at));
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
                *paid.entry(self.account(text(&one.body, &["user_address"]))).or_default() += one.sats("amount_sats");
            }
            for (key, paid) in paid {
                let mine = shares
                    .iter()
                    .filter(|share| self.account(user(share)) == key)
                    .map(|share| sats(share, "amount_sats"));
                self.when(mine.sum::<i128>() != paid, Code::AmtMismatch, batch.subject().and("user", key));
            }
        }
        let shares = self.payouts().filter_map(|one| {
            let share = Subject::new("distribution", one.text("distribution_id")?).and("user", one.user());
            Some(share.and("payout_binding", one.text("payout_binding_id")?))
        });
        let hashes = self.settlements.iter().filter_map(|one| Some(Subject::new("payment_hash", one.hash()?)));
        self.each(Code::SetDupPayout, repeated(shares.chain(hashes)));
    }

    /// Satoshi owed to each user: earned, maturing shares included, less what was paid, and corrections.
    pub(super) fn balances(&self) -> BTreeMap<String, i128> {
        self.owed(|name| self.account(name).to_owned())
    }

    /// The same under the names that answer for others.
    fn owed(&self, answers: impl Fn(&str) -> String) -> BTreeMap<String, i128> {
        let mut owed: BTreeMap<String, i128> = BTreeMap::new();
        for held in self.events() {
            *owed.entry(answers(held.user())).or_default() += held.sats("user_earned_sats");
        }
        for one in self.settlements.iter().filter(|one| ["distribution.settled", "adjustment"].contains(&&*one.kind)) {
            let change = one.sats("amount_sats") * if one.is_out() { -1 } else { 1 };
            if let Some(name) = one.text("user_address") {
                *owed.entry(answers(name)).or_default() += change;
            }
        }
        owed
    }

    /// Users whose line states other shares by class, or of the last seven days, than their account earned.
    fn unlike_shares(&self, lines: &[Value]) -> BTreeSet<String> {
        let is_unlike = |line: &&Value| {
            let account = self.account(text(line, &["user"]));
            let sum = |fits: &dyn Fn(&Held) -> bool| -> i128 {
                let own = |held: &&Held| self.account(held.user()) == account && fits(held);
                self.events().into_iter().filter(own).map(|held| held.sats("user_earned_sats")).sum()
            };
            let differs = |said: &Value, fits: &dyn Fn(&Held) -> bool| {
                said.as_i64().is_some_and(|said| i128::from(said) != sum(fits))
            };
            let week = |held: &Held| held.at > self.as_of - 7 * DAY;
            let of_class = |class: &str| differs(&line["by_class"][class], &|held| held.body["class"] == class);
            differs(&line["last_7d"], &week) || ["A", "B", "C"].into_iter().any(of_class)
        };
        lines.iter().filter(is_unlike).map(|line| text(line, &["user"]).to_owned()).collect()
    }

    /// The statement against what is owed, and against itself.
    pub(super) fn statement(&self) {
        let lines: Vec<Value> = self.scene.world.balances.iter().map(parsed).collect();
        let of = |line: &Value| Some((line["user"].as_str()?.to_owned(), line["balance_sats"].as_i64()?));
        let stated: BTreeMap<String, i64> = lines.iter().filter_map(of).collect();
        // Names of one account are listed each with its own balance; or those that are listed with something answer for all.
        let own = self.owed(str::to_owned);
        let owed = self.owed(|name| {
            let account = self.account(name);
            let mut of: Vec<&String> = stated.keys().filter(|key| self.account(key) == account).collect();
            let is_own = |key: &&String| own.get(*key).copied().unwrap_or_default() == i128::from(stated[*key]);
            if !of.is_empty() && of.iter().all(is_own) {
                return name.to_owned();
            }
            let some: Vec<&String> = of.iter().copied().filter(|key| stated[*key] != 0).collect();
            of = if some.is_empty() { of } else { some };
            let found = |name: &str| of.iter().find(|key| **key == name).map(|_| name.to_owned());
            found(name).or_else(|| found(account)).unwrap_or_else(|| of.first().map_or(account, |key| key).to_owned())
        });
        let unlike = self.unlike_shares(&lines);
        for (key, said) in &stated {
            let (right, subject) = (owed.get(key), Subject::new("user", key));
            let differs = |right: &i128| *right != i128::from(*said) || unlike.contains(key);
            self.when(right.is_some_and(differs), Code::BalanceMismatch, subject.clone());
            self.when(right.is_none() && *said != 0, Code::BalanceExtraUser, subject);
        }
        for (key, sats) in &owed {
            self.when(*sats != 0 && !stated.contains_key(key), Code::BalanceMissingUser, Subject::new("user", key));
        }
        // Sums, counts and samples are about everybody who is listed or owed something, and have to fit the lines too.
        let is_owed = |(key, sats): (&String, &i128)| (*sats != 0).then(|| key.clone());
        let users: BTreeSet<String> = stated.keys().cloned().chain(owed.iter().filter_map(is_owed)).collect();
        let sums = [stated.values().copied().map(i128::from).sum::<i128>(), owed.values().sum()];
        for line in lines.iter().filter(|line| !line["user"].is_string()) {
            let total = line["sum_sats"].as_i64().is_some_and(|said| sums != [i128::from(said); 2]);
            let counts = [stated.len(), users.len()].map(u64::try_from);
            let count = line["count"].as_u64().is_some_and(|said| counts != [Ok(said); 2]);
            self.when(total, Code::BalanceRoot, Subject::new("statement", "total"));
            self.when(count, Code::BalanceRoot, Subject::new("statement", "count"));
            let (sample, population) = (&line["sample"], u64::try_from(users.len()).unwrap_or_default());
            let places = draw_sample(text(sample, &["seed"]), population, sample["size"].as_u64().unwrap_or(0));
            let drawn = places.iter().filter_map(|at| users.iter().nth(usize::try_from(*at).ok()?));
            let is_drawn = sample["users"].as_array().into_iter().flatten().filter_map(Value::as_str).eq(drawn);
            self.when(!is_drawn, Code::SampleInvalid, Subject::new("statement", "sample"));
        }
    }
}
