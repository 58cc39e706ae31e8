//! Step 5: every balance is recomputed and compared, never a sample (FORMATS 10, TREASURY 0.11).

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::audit::{Audit, wide};
use super::book::{Balance, BalanceBook, Balances};
use super::listed::{Lines, Listed};
use super::reconciler::Input;
use super::result::BalanceSummary;
use super::shares::{Share, Shares};
use super::{sampling, statement};
use crate::domain::{Code, EvidenceId, Finding, Subject, UserKey};
use crate::evidence::BalanceLine;

/// Every account's balance with its parts, recomputed from the ledgers: the leaves of the balance tree.
pub fn balances<'a>(input: &Input<'a>) -> Balances<'a> {
    by_account(input, &recompute(input))
}

fn by_account<'a>(input: &Input<'a>, by_name: &Balances<'a>) -> Balances<'a> {
    let people = &input.ledgers.people;
    if people.joined() == 0 { by_name.clone() } else { by_name.under(|name| people.account_of(name)) }
}

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) -> BalanceSummary {
    let by_name = recompute(input);
    let balances = by_account(input, &by_name);
    let root = balances.root();
    let (excluded_sats, excluded_users) = excluded(input);
    let owing = balances.iter().map(|(_, balance)| balance.total()).filter(|total| *total < 0);
    let (negative_users, negative_sats) = owing.fold((0, 0), |(users, sats), total| (users + 1, sats + total));
    let mut summary = BalanceSummary {
        users: wide(balances.len()),
        root: root.map(|root| root.hash),
        sum_sats: root.map_or(0, |root| root.sum),
        negative_users,
        negative_sats,
        excluded_sats,
        excluded_users,
        accounts: balances.iter().map(|(user, balance)| (user.clone(), *balance)).collect(),
        ..BalanceSummary::default()
    };
    if !input.declared.balances {
        return summary;
    }
    let lines = Lines::of(&input.set.balances);
    let shares = Shares::of(input, &lines);
    let people = &input.ledgers.people;
    let listed = Listed::of(people, &lines, |line| {
        let balance = by_name.get(&line.user).copied().unwrap_or_default();
        let shares = shares.get(&line.user);
        differences(balance, shares, line).is_empty()
    });
    let is_plain = people.joined() == 0;
    let stated = (!is_plain).then(|| by_name.under(|name| listed.answers(people, name)));
    let shares = if is_plain { shares } else { shares.under(|name| listed.answers(people, name).clone()) };
    let stated = stated.as_ref().unwrap_or(&balances);
    let asked = sampling::draw(input, (&balances, stated), &lines, &mut summary, audit);
    // Nobody answered is an answer, where somebody was asked for.
    if !lines.is_empty() || asked.as_ref().is_some_and(|asked| !asked.is_empty()) {
        compare(&lines, (stated, &shares), asked.as_ref(), &mut summary, audit);
    }
    statement::check(input, stated, &lines, audit);
    summary
}

/// The users' shares of events that a leaked key excludes, and how many users they name.
fn excluded(input: &Input<'_>) -> (i128, u64) {
    let lost = &input.ledgers.envelope.compromised;
    let users: BTreeSet<&UserKey> = lost.keys().map(|user| input.ledgers.people.account_of(user)).collect();
    (lost.values().sum(), wide(users.len()))
}

/// Earned, maturing, paid and adjusted by name (FORMATS 10). Payments by Lightning wallets don't touch this balance.
fn recompute<'a>(input: &Input<'a>) -> Balances<'a> {
    let mut book = BalanceBook::new();
    for (user, sums) in &input.ledgers.envelope.earned {
        book.add(user, Balance { earned: sums.earned, maturing: sums.maturing, ..Balance::default() });
    }
    for (user, sums) in &input.ledgers.treasury.paid {
        book.add(user, Balance { paid: sums.paid, adjusted: sums.adjusted, ..Balance::default() });
    }
    book.finish()
}

/// Compares the statement's lines with the balances, user by user: both ascend. Where only a sample was `asked` for, nobody
/// else is missing.
fn compare(
    lines: &Lines<'_>,
    (balances, shares): (&Balances<'_>, &Shares),
    asked: Option<&BTreeSet<UserKey>>,
    summary: &mut BalanceSummary,
    audit: &mut Audit,
) {
    let mut found = Vec::new();
    let mut items = 0;
    let mut missing = |user: &UserKey, balance: &Balance| {
        if asked.is_some_and(|asked| !asked.contains(user)) {
            return None;
        }
        items += 1;
        // A user without any balance may be left out of a statement; nobody is owed anything then.
        (balance.total() != 0).then(|| {
            Finding::new(Code::BalanceMissingUser, Subject::new("user", user))
                .with_values(format!("{} sats", balance.total()), "no line")
                .with_stake_sats(balance.total())
                .with_explanation("The statement leaves out a user who is owed a balance.")
        })
    };
    let mut rebuilt = balances.iter().peekable();
    let mut listed = 0;
    for own in lines.by_user() {
        let Some((_, first)) = own.first() else { continue };
        listed += 1;
        while let Some((user, balance)) = rebuilt.next_if(|(user, _)| (*user).cmp(&first.user) == Ordering::Less) {
            found.extend(missing(user, balance));
        }
        let Some((user, balance)) = rebuilt.next_if(|(user, _)| **user == first.user) else {
            found.extend(extra(&first.user, own));
            continue;
        };
        summary.compared += 1;
        match mismatch(user, *balance, shares, own) {
            Some(finding) => {
                summary.different += 1;
                found.push(finding);
            }
            None => summary.equal += 1,
        }
    }
    for (user, balance) in rebuilt {
        found.extend(missing(user, balance));
    }
    audit.check("balances.compare", listed + items, found);
}

fn extra(user: &UserKey, lines: &[&(EvidenceId, BalanceLine)]) -> Option<Finding> {
    if lines.iter().all(|(_, line)| line.is_zero()) {
        return None;
    }
    let finding = Finding::new(Code::BalanceExtraUser, Subject::new("user", user))
        .with_values("no line", "a line")
        .with_stake_sats(lines.iter().map(|(_, line)| stated(line)).max().unwrap_or_default())
        .with_explanation("The statement names a user whom no ledger fact knows.");
    Some(lines.iter().fold(finding, |finding, (id, _)| finding.with_evidence(*id, "statement")))
}

/// The members of a line that differ: (name, reported, rebuilt). Only those that are present are compared.
fn differences(balance: Balance, shares: Share, line: &BalanceLine) -> Vec<(&'static str, i64, i128)> {
    let [a, b, c] = line.by_class;
    let rows = [
        ("balance_sats", line.balance_sats, balance.total()),
        ("available_sats", line.available_sats, balance.available()),
        ("maturing_sats", line.maturing_sats, balance.maturing),
        ("by_class.A", a, shares.by_class[0]),
        ("by_class.B", b, shares.by_class[1]),
        ("by_class.C", c, shares.by_class[2]),
        ("last_7d", line.last_7d, shares.last_7d),
    ];
    let reported = rows.into_iter().filter_map(|(name, reported, rebuilt)| Some((name, reported?, rebuilt)));
    reported.filter(|(_, reported, rebuilt)| i128::from(*reported) != *rebuilt).collect()
}

/// The largest amount of a line, as a size.
fn stated(line: &BalanceLine) -> i128 {
    let amounts = [line.balance_sats, line.available_sats, line.maturing_sats];
    amounts.into_iter().flatten().map(|sats| i128::from(sats).abs()).max().unwrap_or_default()
}

/// Compares every line about the user.
fn mismatch(
    user: &UserKey,
    balance: Balance,
    shares: &Shares,
    lines: &[&(EvidenceId, BalanceLine)],
) -> Option<Finding> {
    let (mut expected, mut observed, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    // Members of a line repeat each other: the largest difference is what is at stake, not their sum.
    let mut stake = 0;
    for (id, line) in lines {
        for (name, reported, rebuilt) in differences(balance, shares.get(user), line) {
            expected.push(format!("{name}={rebuilt}"));
            observed.push(format!("{name}={reported}"));
            stake = rebuilt.saturating_sub(reported.into()).saturating_abs().max(stake);
            evidence.push(*id);
        }
    }
    if observed.is_empty() {
        return None;
    }
    let finding = Finding::new(Code::BalanceMismatch, Subject::new("user", user))
        .with_explanation("The recomputed balance differs from the reported one.")
        .with_stake_sats(stake)
        .with_values(expected.join(", "), observed.join(", "));
    Some(evidence.into_iter().fold(finding, |finding, id| finding.with_evidence(id, "statement")))
}
