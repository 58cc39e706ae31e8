//! Step 5: every balance is recomputed and compared, never a sample (FORMATS 10, TREASURY 0.11).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Code, Direction, EvidenceId, Finding, SettlementKind, Subject, SumLeaf, UserKey, sum_root};
use crate::evidence::{BalanceLine, OcMeBody};
use crate::ledger::{Exclusion, People, Standing, discharged};

use super::audit::{Audit, wide};
use super::reconciler::Input;
use super::result::BalanceSummary;
use super::settlements::Posted;
use super::statement;

/// One user's recomputed balance in satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Balance {
    earned: i128,
    maturing: i128,
    paid: i128,
    adjusted: i128,
}

impl Balance {
    fn add(&mut self, other: Self) {
        self.earned += other.earned;
        self.maturing += other.maturing;
        self.paid += other.paid;
        self.adjusted += other.adjusted;
    }

    fn total(self) -> i128 {
        self.earned - self.paid + self.adjusted
    }

    fn available(self) -> i128 {
        self.total() - self.maturing
    }
}

pub(super) fn check(input: &Input<'_>, posted: &[Posted<'_>], audit: &mut Audit) -> BalanceSummary {
    let by_name = recompute(input, posted);
    let people = &input.ledgers.people;
    let balances = joined(&by_name, |name| people.account_of(name));
    let leaves: Vec<SumLeaf> = balances
        .iter()
        .map(|(user, balance)| SumLeaf { user: user.as_str().to_owned(), sats: balance.total() })
        .collect();
    let root = sum_root(&leaves);
    let (excluded_sats, excluded_users) = excluded(input);
    let mut summary = BalanceSummary {
        users: wide(balances.len()),
        root: root.map(|root| root.hash),
        sum_sats: root.map_or(0, |root| root.sum),
        excluded_sats,
        excluded_users,
        ..BalanceSummary::default()
    };
    if !input.declared.balances {
        return summary;
    }
    let listed = listed(input, &by_name);
    let stated = joined(&by_name, |name| under_its_listed_name(people, &listed, name));
    if !input.set.balances.is_empty() {
        compare(input, &stated, &mut summary, audit);
    }
    let totals = stated.iter().map(|(user, balance)| (*user, balance.total())).collect();
    statement::check(input, &totals, audit);
    summary
}

/// The users' shares of events that a leaked key excludes, and how many users they name.
fn excluded(input: &Input<'_>) -> (i128, u64) {
    let (mut sats, mut users) = (0_i128, BTreeSet::new());
    for entry in input.ledgers.envelope.entries.values() {
        if let (Standing::Excluded(Exclusion::KeyCompromised), OcMeBody::Event(event)) = (entry.standing, &*entry.body)
        {
            sats += i128::from(event.user_earned.get());
            users.insert(input.ledgers.people.account_of(&event.user));
        }
    }
    (sats, wide(users.len()))
}

/// How a statement lists the names of one account.
enum Listed<'a> {
    /// Each with its own balance: a name that is not listed is missing.
    Apart,
    /// These answer for all others.
    Together(BTreeSet<&'a UserKey>),
}

/// The accounts that a statement lists. A name that is listed with nothing but zero stands aside when another name of its
/// account is listed with something: an account that was merged away is owed nothing under its old name.
fn listed<'a>(input: &Input<'a>, by_name: &BTreeMap<&'a UserKey, Balance>) -> BTreeMap<&'a UserKey, Listed<'a>> {
    let mut lines: BTreeMap<&UserKey, BTreeMap<&UserKey, Vec<&BalanceLine>>> = BTreeMap::new();
    for (_, line) in &input.set.balances {
        let names = lines.entry(input.ledgers.people.account_of(&line.user)).or_default();
        names.entry(&line.user).or_default().push(line);
    }
    let reading = |names: BTreeMap<&'a UserKey, Vec<&BalanceLine>>| {
        let own = |name: &UserKey| by_name.get(name).copied().unwrap_or_default();
        if names.iter().all(|(name, lines)| lines.iter().all(|line| differences(own(name), line).next().is_none())) {
            return Listed::Apart;
        }
        let holds = |lines: &[&BalanceLine]| lines.iter().any(|line| !is_zero(line));
        let any = names.values().any(|lines| holds(lines));
        Listed::Together(names.into_iter().filter(|(_, lines)| !any || holds(lines)).map(|(name, _)| name).collect())
    };
    lines.into_iter().map(|(account, names)| (account, reading(names))).collect()
}

/// The name under which a statement answers for another: the name itself where it is listed or each stands apart, else its
/// account, else the lowest name of the account that is listed.
fn under_its_listed_name<'a>(
    people: &'a People,
    listed: &BTreeMap<&'a UserKey, Listed<'a>>,
    name: &'a UserKey,
) -> &'a UserKey {
    let account = people.account_of(name);
    let names = match listed.get(account) {
        None => return account,
        Some(Listed::Apart) => return name,
        Some(Listed::Together(names)) => names,
    };
    let held = |name: &UserKey| names.get(name).copied();
    held(name).or_else(|| held(account)).or_else(|| names.first().copied()).unwrap_or(account)
}

/// Adds the balances of names that answer to one.
fn joined<'a>(
    by_name: &BTreeMap<&'a UserKey, Balance>,
    answers: impl Fn(&'a UserKey) -> &'a UserKey,
) -> BTreeMap<&'a UserKey, Balance> {
    let mut joined: BTreeMap<&UserKey, Balance> = BTreeMap::new();
    for (name, balance) in by_name {
        joined.entry(answers(name)).or_default().add(*balance);
    }
    joined
}

/// Earned, maturing, paid and adjusted by name (FORMATS 10). Payments by Lightning wallets don't touch this balance.
fn recompute<'a>(input: &Input<'a>, posted: &[Posted<'a>]) -> BTreeMap<&'a UserKey, Balance> {
    let mut balances: BTreeMap<&UserKey, Balance> = BTreeMap::new();
    for (_, event) in input.ledgers.envelope.events() {
        let balance = balances.entry(&event.user).or_default();
        let sats = i128::from(event.user_earned.get());
        balance.earned += sats;
        if input.ledgers.envelope.vested_at(event).is_none() {
            balance.maturing += sats;
        }
    }
    for settlement in posted {
        let event = settlement.event;
        let Some(user) = &event.user else { continue };
        let sats = i128::from(event.amount.get());
        match (event.kind, event.direction) {
            (SettlementKind::DistributionSettled, Direction::Out) => {
                let taken = i128::try_from(discharged(event, input.policy)).unwrap_or(i128::MAX);
                balances.entry(user).or_default().paid += taken;
            }
            (SettlementKind::Adjustment, Direction::In) => balances.entry(user).or_default().adjusted += sats,
            (SettlementKind::Adjustment, Direction::Out) => balances.entry(user).or_default().adjusted -= sats,
            _ => {}
        }
    }
    balances
}

fn compare(input: &Input<'_>, balances: &BTreeMap<&UserKey, Balance>, summary: &mut BalanceSummary, audit: &mut Audit) {
    let mut lines: BTreeMap<&UserKey, Vec<(EvidenceId, &BalanceLine)>> = BTreeMap::new();
    for (id, line) in &input.set.balances {
        lines.entry(&line.user).or_default().push((*id, line));
    }
    let mut found = Vec::new();
    for (user, own) in &lines {
        let Some(balance) = balances.get(user) else {
            found.extend(extra(user, own));
            continue;
        };
        summary.compared += 1;
        match mismatch(user, *balance, own) {
            Some(finding) => {
                summary.different += 1;
                found.push(finding);
            }
            None => summary.equal += 1,
        }
    }
    // A user without any balance may be left out of a statement; nobody is owed anything then.
    let unlisted = balances.iter().filter(|(user, balance)| !lines.contains_key(**user) && balance.total() != 0);
    for (user, balance) in unlisted {
        found.push(
            Finding::new(Code::BalanceMissingUser, Subject::new("user", user))
                .with_values(format!("{} sats", balance.total()), "no line")
                .with_stake_sats(balance.total())
                .with_explanation("The statement leaves out a user who is owed a balance."),
        );
    }
    let items = lines.len() + balances.keys().filter(|user| !lines.contains_key(**user)).count();
    audit.check("balances.compare", items, found);
}

fn extra(user: &UserKey, lines: &[(EvidenceId, &BalanceLine)]) -> Option<Finding> {
    if lines.iter().all(|(_, line)| is_zero(line)) {
        return None;
    }
    let finding = Finding::new(Code::BalanceExtraUser, Subject::new("user", user))
        .with_values("no line", "a line")
        .with_stake_sats(lines.iter().map(|(_, line)| stated(line)).max().unwrap_or_default())
        .with_explanation("The statement names a user whom no ledger fact knows.");
    Some(lines.iter().fold(finding, |finding, (id, _)| finding.with_evidence(*id, "statement")))
}

/// The members of a line that differ: (name, reported, rebuilt). Only those that are present are compared.
fn differences(balance: Balance, line: &BalanceLine) -> impl Iterator<Item = (&'static str, i64, i128)> {
    let rows = [
        ("balance_sats", line.balance_sats, balance.total()),
        ("available_sats", line.available_sats, balance.available()),
        ("maturing_sats", line.maturing_sats, balance.maturing),
    ];
    let reported = rows.into_iter().filter_map(|(name, reported, rebuilt)| Some((name, reported?, rebuilt)));
    reported.filter(|(_, reported, rebuilt)| i128::from(*reported) != *rebuilt)
}

/// The largest amount of a line, as a size.
fn stated(line: &BalanceLine) -> i128 {
    let amounts = [line.balance_sats, line.available_sats, line.maturing_sats];
    amounts.into_iter().flatten().map(|sats| i128::from(sats).abs()).max().unwrap_or_default()
}

fn is_zero(line: &BalanceLine) -> bool {
    [line.balance_sats, line.available_sats, line.maturing_sats].into_iter().flatten().all(|sats| sats == 0)
}

/// Compares every line about the user.
fn mismatch(user: &UserKey, balance: Balance, lines: &[(EvidenceId, &BalanceLine)]) -> Option<Finding> {
    let (mut expected, mut observed) = (Vec::new(), Vec::new());
    // Members of a line repeat each other: the largest difference is what is at stake, not their sum.
    let mut stake = 0;
    let mut finding = Finding::new(Code::BalanceMismatch, Subject::new("user", user))
        .with_explanation("The recomputed balance differs from the reported one.");
    let mut lines = lines.to_vec();
    lines.sort_by_key(|(id, _)| *id);
    for (id, line) in lines {
        for (name, reported, rebuilt) in differences(balance, line) {
            expected.push(format!("{name}={rebuilt}"));
            observed.push(format!("{name}={reported}"));
            stake = rebuilt.saturating_sub(reported.into()).saturating_abs().max(stake);
            finding = finding.with_evidence(id, "statement");
        }
    }
    let values = (expected.join(", "), observed.join(", "));
    (!observed.is_empty()).then(|| finding.with_values(values.0, values.1).with_stake_sats(stake))
}
