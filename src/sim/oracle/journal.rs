//! The treasury's journal: which fact posts what (TREASURY 5.2), in millisatoshi, and what must hold over it.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{Facts, Held, Settlement, sats};
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

fn entry(at: i64, rank: u8, kind: &str, fact: Vec<(&'static str, String)>, postings: &[(&str, i128)]) -> Entry {
    let mut sums: BTreeMap<(usize, String), i128> = BTreeMap::new();
    for (account, amount) in postings {
        let place = CLASSES.split(' ').position(|one| one == class(account)).unwrap_or_default();
        *sums.entry((place, (*account).to_owned())).or_default() += amount;
    }
    sums.retain(|_, amount| *amount != 0);
    let postings = sums.into_iter().map(|((_, account), amount)| (account, amount)).collect();
    Entry { at, rank, kind: kind.to_owned(), fact, postings }
}

fn billed(held: &Held) -> Entry {
    let part = |name: &str| sats(&held.body, name) * 1_000;
    let project = held.text("project_key").unwrap_or_default();
    let share = held.window().map_or("Available".to_owned(), |window| format!("Maturing:{window}"));
    let postings: [(&str, i128); 4] = [
        (&format!("L:Escrow:{project}"), part("gross_fee_sats")),
        ("L:Platform:Accrued", -part("platform_fee_sats")),
        (&format!("L:User:{}:{share}", held.user()), -part("user_earned_sats")),
        (&format!("L:Rebate:{project}"), -part("site_rebate_sats")),
    ];
    entry(held.time(), 1, "envelope", vec![("envelope", held.id.clone())], &postings)
}

impl Facts<'_> {
    /// Every entry in its order.
    pub(super) fn journal(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.counted("oc-me-event").into_iter().map(billed).collect();
        let mut maturing: BTreeMap<(&str, &str), i128> = BTreeMap::new();
        for held in self.counted("oc-me-event") {
            let share = held.window().map(|window| maturing.entry((window, held.user())).or_default());
            share.into_iter().for_each(|sum| *sum += sats(&held.body, "user_earned_sats") * 1_000);
        }
        for ((window, user), amount) in maturing {
            let Some(at) = self.vests.get(window) else { continue };
            let from = format!("L:User:{user}:Maturing:{window}");
            let postings: [(&str, i128); 2] = [(&from, amount), (&format!("L:User:{user}:Available"), -amount)];
            let fact = vec![("window", window.to_owned()), ("user", user.to_owned())];
            entries.push(entry(*at, 2, "vesting", fact, &postings));
        }
        entries.extend(self.settlements.iter().map(|one| self.settled(one)));
        entries.sort_by(|a, b| (a.at, a.rank, &a.fact).cmp(&(b.at, b.rank, &b.fact)));
        entries
    }

    fn settled(&self, one: &Settlement) -> Entry {
        let named = |account: &str, name: &str| format!("{account}:{}", one.text(name).unwrap_or_default());
        let (custody, project) = (named("A:Custody", "federation_slug"), named("L:Escrow", "project_key"));
        let (rebate, operator) = (named("L:Rebate", "project_key"), named("L:Operator", "operator_id"));
        let available = named("L:User", "user_address") + ":Available";
        let is_paid = one.text("destination").is_some();
        let (debit, credit): (&str, &str) = match one.kind() {
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
        let fee = if one.is_out() { one.fee_msat() } else { 0 };
        let postings = [(debit, one.msat()), (credit, -one.msat()), ("L:Platform:Accrued", fee), (&custody, -fee)];
        let postings = [postings.as_slice(), &[(&custody, excess), (&account, -excess)]].concat();
        let rank = if one.is_out() { 3 } else { 0 };
        entry(one.at, rank, one.kind(), vec![("settlement", one.digest.clone())], &postings)
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
        let deposits = self.settlements.iter().filter(|one| one.kind() == "escrow.deposit");
        let funded: BTreeSet<&str> = deposits.filter_map(|one| one.text("project_key")).collect();
        // What a project can spend: its escrow and the rebates that it has not taken (FORMATS 6.4).
        let (mut spendable, mut held): (BTreeMap<String, i128>, BTreeMap<String, i128>) = Default::default();
        let (mut unfunded, mut short) = (BTreeSet::new(), BTreeSet::new());
        for entry in self.journal() {
            for (account, amount) in &entry.postings {
                let project = account.strip_prefix("L:Escrow:").or(account.strip_prefix("L:Rebate:"));
                let sum = project.map(|project| spendable.entry(project.to_owned()).or_default());
                if let (Some(project), Some(sum)) = (project, sum) {
                    if entry.rank == 1 && account.starts_with("L:Escrow") && *sum < *amount {
                        unfunded.insert(project.to_owned());
                    }
                    *sum -= amount;
                }
                if let Some(federation) = account.strip_prefix("A:Custody:") {
                    *held.entry(federation.to_owned()).or_default() += amount;
                }
            }
            short.extend(held.iter().filter(|(_, sum)| **sum < 0).map(|(federation, _)| federation.clone()));
        }
        let billed: BTreeSet<String> =
            self.counted("oc-me-event").iter().filter_map(|held| held.text("project_key")).map(str::to_owned).collect();
        for project in &billed {
            let subject = Subject::new("project", project);
            if !funded.contains(project.as_str()) {
                self.open(Code::EscNeverFunded, subject);
                continue;
            }
            if unfunded.contains(project) {
                self.open(Code::EscUnfunded, subject.clone());
            }
            if spendable.get(project).is_some_and(|sum| *sum < 0) {
                self.open(Code::EscNegative, subject);
            }
        }
        for federation in short {
            self.open(Code::ConsCustody, Subject::new("federation", federation));
        }
        let fees = self.counted("oc-me-event").iter().map(|held| sats(&held.body, "platform_fee_sats")).sum::<i128>();
        let accruals = self.settlements.iter().filter(|one| one.kind() == "platform.accrual" && !one.misdirected());
        if accruals.map(Settlement::msat).sum::<i128>() > fees * 1_000 {
            self.open(Code::PlatformOveraccrued, Subject::new("account", "platform"));
        }
    }
}
