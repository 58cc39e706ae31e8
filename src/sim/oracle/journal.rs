//! The treasury's journal: which fact posts what (TREASURY 5.2), in millisatoshi, and what must hold over it.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{Facts, Held};
use crate::domain::{Code, Subject};

/// Accounts in the order of docs/state-root.md 4.3, without a user's key.
const CLASSES: &str = "A:Custody A:InFlight L:Escrow L:Rebate L:User:Maturing L:User:Available L:User:InFlight \
                       L:Platform:Accrued L:Platform:Settled L:Operator L:Rounding L:Suspense";

/// The class of an account's name. A user's key may hold colons, a part after it may too.
pub(super) fn class(account: &str) -> &'static str {
    let fits = |class: &&str| match class.strip_prefix("L:User:") {
        Some(part) => account.starts_with("L:User:") && format!("{account}:").contains(&format!(":{part}:")),
        None => account.starts_with(*class),
    };
    CLASSES.split(' ').find(fits).unwrap_or("L:Suspense")
}

/// One entry of the journal.
pub(super) struct Entry {
    pub(super) at: i64,
    /// 0 money in, 1 billing, 2 vesting, 3 every other settlement.
    pub(super) rank: u8,
    pub(super) kind: String,
    /// The fact behind it, by the names of its ids.
    pub(super) fact: Vec<(&'static str, String)>,
    pub(super) postings: Vec<(String, i128)>,
}

impl Entry {
    fn of(at: i64, rank: u8, kind: &str, fact: &[(&'static str, &str)], postings: &[(&str, i128)]) -> Self {
        let mut sums: BTreeMap<(usize, String), i128> = BTreeMap::new();
        for (account, amount) in postings {
            let place = CLASSES.split(' ').position(|one| one == class(account)).unwrap_or_default();
            *sums.entry((place, (*account).to_owned())).or_default() += amount;
        }
        sums.retain(|_, amount| *amount != 0);
        let postings = sums.into_iter().map(|((_, account), amount)| (account, amount)).collect();
        let fact = fact.iter().map(|(name, id)| (*name, (*id).to_owned())).collect();
        Self { at, rank, kind: kind.to_owned(), fact, postings }
    }
}

fn billed(held: &Held) -> Entry {
    let part = |name: &str| held.sats(name) * 1_000;
    let project = held.text("project_key").unwrap_or_default();
    let share = held.window().map_or("Available".to_owned(), |window| format!("Maturing:{window}"));
    let postings: [(&str, i128); 4] = [
        (&format!("L:Escrow:{project}"), part("gross_fee_sats")),
        ("L:Platform:Accrued", -part("platform_fee_sats")),
        (&format!("L:User:{}:{share}", held.user()), -part("user_earned_sats")),
        (&format!("L:Rebate:{project}"), -part("site_rebate_sats")),
    ];
    Entry::of(held.time(), 1, "envelope", &[("envelope", &held.id)], &postings)
}

impl Facts<'_> {
    /// Every entry in its order.
    pub(super) fn journal(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.events().into_iter().map(billed).collect();
        let mut maturing: BTreeMap<(&str, &str), i128> = BTreeMap::new();
        for held in self.events() {
            let share = held.window().map(|window| maturing.entry((window, held.user())).or_default());
            share.into_iter().for_each(|sum| *sum += held.sats("user_earned_sats") * 1_000);
        }
        for ((window, user), amount) in maturing {
            let Some(at) = self.vests.get(window) else { continue };
            let [from, to] =
                [format!("Maturing:{window}"), "Available".to_owned()].map(|part| format!("L:User:{user}:{part}"));
            let postings: [(&str, i128); 2] = [(&from, amount), (&to, -amount)];
            entries.push(Entry::of(*at, 2, "vesting", &[("window", window), ("user", user)], &postings));
        }
        entries.extend(self.settlements.iter().map(|one| self.settled(one)));
        entries.sort_by(|a, b| (a.at, a.rank, &a.fact).cmp(&(b.at, b.rank, &b.fact)));
        entries
    }

    fn settled(&self, one: &Held) -> Entry {
        let named = |account: &str, name: &str| format!("{account}:{}", one.text(name).unwrap_or_default());
        let (custody, project) = (named("A:Custody", "federation_slug"), named("L:Escrow", "project_key"));
        let (rebate, operator) = (named("L:Rebate", "project_key"), named("L:Operator", "operator_id"));
        let available = named("L:User", "user_address") + ":Available";
        let is_paid = one.text("destination").is_some();
        let (debit, credit): (&str, &str) = match one.kind.as_str() {
            kind if kind == "adjustment" || one.misdirected() => match one.is_out() {
                true => ("L:Suspense:adjustment", &custody),
                false => (&custody, "L:Suspense:adjustment"),
            },
            "escrow.deposit" => (&custody, &project),
            "escrow.rebate" => (&rebate, if is_paid { &custody } else { &project }),
            "escrow.refund" => (&project, &custody),
            "platform.accrual" => ("L:Platform:Accrued", if is_paid { &custody } else { "L:Platform:Settled" }),
            "operator.payout" => (&operator, &custody),
            _ => (&available, &custody),
        };
        let (excess, account) = match self.excess(one) {
            residue @ 0..1_000 => (residue, named("L:Rounding", "federation_slug")),
            excess => (excess, "L:Suspense:overpayment".to_owned()),
        };
        // The bearer of routing fees is the platform, unless a policy says otherwise.
        let fee = if one.is_out() { one.sats("fee_sats") * 1_000 } else { 0 };
        let (fee, excess) =
            ([("L:Platform:Accrued", fee), (&custody, -fee)], [(&*custody, excess), (&account, -excess)]);
        let postings = [[(debit, one.msat()), (credit, -one.msat())], fee, excess].concat();
        Entry::of(one.time(), if one.is_out() { 3 } else { 0 }, &one.kind, &[("settlement", &one.id)], &postings)
    }

    /// Millisatoshi by account, debits positive.
    pub(super) fn accounts(&self) -> BTreeMap<String, i128> {
        let mut sums = BTreeMap::new();
        for (account, amount) in self.journal().into_iter().flat_map(|entry| entry.postings) {
            *sums.entry(account).or_default() += amount;
        }
        sums
    }

    /// Custody, escrow and platform accounts: at every prefix, and at the end.
    pub(super) fn treasury(&self) {
        // What a project can spend: its escrow and the rebates that it has not taken (FORMATS 6.4).
        let (mut spendable, mut custody): (BTreeMap<String, i128>, BTreeMap<String, i128>) = Default::default();
        let (mut unfunded, mut overdrawn) = (BTreeSet::new(), BTreeSet::new());
        for entry in self.journal() {
            for (account, amount) in &entry.postings {
                let (kind, name) = account.split_at(account.match_indices(':').nth(1).map_or(0, |(at, _)| at + 1));
                match kind {
                    "L:Escrow:" | "L:Rebate:" => {
                        let sum = spendable.entry(name.to_owned()).or_default();
                        unfunded.extend(
                            (entry.rank == 1 && kind == "L:Escrow:" && *sum < *amount).then(|| name.to_owned()),
                        );
                        *sum -= amount;
                    }
                    "A:Custody:" => *custody.entry(name.to_owned()).or_default() += amount,
                    _ => {}
                }
            }
            overdrawn.extend(custody.iter().filter(|(_, sum)| **sum < 0).map(|(federation, _)| federation.clone()));
        }
        let billed: BTreeSet<&str> = self.events().into_iter().filter_map(|held| held.text("project_key")).collect();
        for project in billed {
            let is_deposit = |one: &&Held| one.kind == "escrow.deposit" && one.text("project_key") == Some(project);
            let (is_funded, subject) =
                (self.settlements.iter().any(|one| is_deposit(&one)), Subject::new("project", project));
            let is_short = spendable.get(project).is_some_and(|sum| *sum < 0);
            self.when(!is_funded, Code::EscNeverFunded, subject.clone());
            self.when(is_funded && unfunded.contains(project), Code::EscUnfunded, subject.clone());
            self.when(is_funded && is_short, Code::EscNegative, subject);
        }
        for federation in overdrawn {
            self.when(true, Code::ConsCustody, Subject::new("federation", federation));
        }
        let fees: i128 = self.events().iter().map(|held| held.sats("platform_fee_sats")).sum();
        let accruals = self.settlements.iter().filter(|one| one.kind == "platform.accrual" && !one.misdirected());
        let is_over = accruals.map(|one| one.sats("amount_sats")).sum::<i128>() > fees;
        self.when(is_over, Code::PlatformOveraccrued, Subject::new("account", "platform"));
    }
}
