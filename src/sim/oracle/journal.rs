//! The treasury's journal: which fact posts what (TREASURY 5.2), in millisatoshi, and what must hold over it.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{Facts, Held, Settlement, sats, user};
use crate::domain::{Code, Subject};

/// Accounts in the order of docs/state-root.md 4.3; a star stands for one part.
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

/// The class of an account's name.
pub(super) fn class(account: &str) -> &'static str {
    let parts: Vec<&str> = account.split(':').collect();
    let fits = |class: &&&str| match class.split(':').collect::<Vec<_>>().as_slice() {
        [_, "User", part] => parts.get(1) == Some(&"User") && parts.iter().skip(2).any(|one| one == part),
        of => parts.starts_with(of),
    };
    CLASSES.iter().find(fits).copied().unwrap_or("L:Suspense")
}

/// One entry of the journal.
pub(super) struct Entry {
    pub(super) at: i64,
    /// 0 money in, 1 billing, 2 vesting, 3 every other settlement.
    pub(super) rank: u8,
    pub(super) kind: String,
    pub(super) tier: &'static str,
    /// The fact behind it, by the names of its ids.
    pub(super) fact: Vec<(&'static str, String)>,
    pub(super) postings: Vec<(String, i128)>,
}

impl Entry {
    fn new(at: i64, rank: u8, kind: &str, fact: Vec<(&'static str, String)>, postings: &[(&str, i128)]) -> Self {
        let mut sums: BTreeMap<(usize, String), i128> = BTreeMap::new();
        for (account, amount) in postings {
            let place = CLASSES.iter().position(|one| *one == class(account)).unwrap_or(CLASSES.len());
            *sums.entry((place, (*account).to_owned())).or_default() += amount;
        }
        let sums = sums.into_iter().filter(|(_, amount)| *amount != 0);
        let postings = sums.map(|((_, account), amount)| (account, amount)).collect();
        Self { at, rank, kind: kind.to_owned(), tier: "T1", fact, postings }
    }
}

impl Facts<'_> {
    /// Every entry in its order.
    pub(super) fn journal(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.counted("oc-me-event").into_iter().map(|held| self.billed(held)).collect();
        entries.extend(self.vested());
        entries.extend(self.settlements.iter().filter_map(settled));
        entries.sort_by(|a, b| (a.at, a.rank, &a.fact).cmp(&(b.at, b.rank, &b.fact)));
        entries
    }

    fn billed(&self, held: &Held) -> Entry {
        let part = |name: &str| sats(&held.body, name) * 1_000;
        let project = held.text("project_key").unwrap_or_default();
        let mut earner = format!("L:User:{}:Available", user(&held.body));
        if let Some(window) = held.window() {
            earner = format!("L:User:{}:Maturing:{window}", user(&held.body));
        }
        let postings: [(&str, i128); 4] = [
            (&format!("L:Escrow:{project}"), part("gross_fee_sats")),
            ("L:Platform:Accrued", -part("platform_fee_sats")),
            (&earner, -part("user_earned_sats")),
            (&format!("L:Rebate:{project}"), -part("site_rebate_sats")),
        ];
        Entry::new(held.time(), 1, "envelope", vec![("envelope", held.id.clone())], &postings)
    }

    fn vested(&self) -> Vec<Entry> {
        let events = self.counted("oc-me-event");
        let dropped = events.iter().filter_map(|held| Some((held.window()?, user(&held.body))));
        let mut entries = Vec::new();
        for (window, user_key) in dropped.collect::<BTreeSet<_>>() {
            let Some(at) = self.vests_at(window) else { continue };
            let mine = events.iter().filter(|held| held.window() == Some(window) && user(&held.body) == user_key);
            let amount: i128 = mine.map(|held| sats(&held.body, "user_earned_sats") * 1_000).sum();
            let postings: [(&str, i128); 2] = [
                (&format!("L:User:{user_key}:Maturing:{window}"), amount),
                (&format!("L:User:{user_key}:Available"), -amount),
            ];
            let fact = vec![("window", window.to_owned()), ("user", user_key.to_owned())];
            entries.push(Entry::new(at, 2, "vesting", fact, &postings));
        }
        entries
    }

    /// Millisatoshi by account, debits positive.
    pub(super) fn accounts(&self) -> BTreeMap<String, i128> {
        let mut sums = BTreeMap::new();
        for (account, amount) in self.journal().into_iter().flat_map(|entry| entry.postings) {
            *sums.entry(account).or_default() += amount;
        }
        sums
    }

    /// Escrow and platform accounts at every prefix and at the end.
    pub(super) fn treasury(&mut self) {
        let mut findings = Vec::new();
        let mut escrow: BTreeMap<String, i128> = BTreeMap::new();
        let funded: BTreeSet<&str> = self
            .settlements
            .iter()
            .filter(|one| one.kind() == "escrow.deposit")
            .filter_map(|one| one.text("project_key"))
            .collect();
        let mut unfunded = BTreeSet::new();
        for entry in self.journal() {
            for (account, amount) in &entry.postings {
                let Some(project) = account.strip_prefix("L:Escrow:") else { continue };
                let sum = escrow.entry(project.to_owned()).or_default();
                *sum += amount;
                if *sum > 0 && entry.rank == 1 && funded.contains(project) && unfunded.insert(project.to_owned()) {
                    let envelope = entry.fact.first().map(|(_, id)| id.clone()).unwrap_or_default();
                    findings.push((Code::EscUnfunded, Subject::new("project", project).and("envelope", envelope)));
                }
            }
        }
        for (project, sum) in escrow {
            let subject = Subject::new("project", &project);
            if !funded.contains(project.as_str()) {
                findings.push((Code::EscNeverFunded, subject));
            } else if sum > 0 {
                findings.push((Code::EscNegative, subject));
            }
        }
        let fees: i128 =
            self.counted("oc-me-event").iter().map(|held| sats(&held.body, "platform_fee_sats") * 1_000).sum();
        let accruals = self.settlements.iter().filter(|one| one.kind() == "platform.accrual");
        if accruals.map(Settlement::msat).sum::<i128>() > fees {
            findings.push((Code::PlatformOveraccrued, Subject::new("account", "platform")));
        }
        findings.into_iter().for_each(|(code, subject)| self.open(code, subject));
    }
}

fn settled(one: &Settlement) -> Option<Entry> {
    let (amount, fee) = (one.msat(), one.fee_msat());
    let custody = format!("A:Custody:{}", one.text("federation_slug")?);
    let escrow = format!("L:Escrow:{}", one.text("project_key").unwrap_or_default());
    let rebate = format!("L:Rebate:{}", one.text("project_key").unwrap_or_default());
    let available = format!("L:User:{}:Available", one.text("user_address").unwrap_or_default());
    let operator = format!("L:Operator:{}", one.text("operator_id").unwrap_or_default());
    let paid_out = one.text("destination").is_some();
    let (debit, credit): (&str, &str) = match one.kind() {
        "escrow.deposit" => (&custody, &escrow),
        "escrow.rebate" if paid_out => (&rebate, &custody),
        "escrow.rebate" => (&rebate, &escrow),
        "escrow.refund" => (&escrow, &custody),
        "platform.accrual" if paid_out => ("L:Platform:Accrued", &custody),
        "platform.accrual" => ("L:Platform:Accrued", "L:Platform:Settled"),
        "distribution.settled" => (&available, &custody),
        "operator.payout" => (&operator, &custody),
        "adjustment" if one.is_out() => ("L:Suspense:adjustment", &custody),
        "adjustment" => (&custody, "L:Suspense:adjustment"),
        _ => return None,
    };
    let mut postings = vec![(debit, amount), (credit, -amount)];
    if one.is_out() {
        // The fee's bearer is the platform unless a policy says otherwise.
        postings.extend([("L:Platform:Accrued", fee), (custody.as_str(), -fee)]);
    }
    let rank = if one.is_out() { 3 } else { 0 };
    Some(Entry::new(one.at, rank, one.kind(), vec![("settlement", one.digest.clone())], &postings))
}
