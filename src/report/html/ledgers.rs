//! Ledgers, balances, acknowledgements, and what the page was made of.

use super::words::{self, badge, code, grouped, table, text};
use crate::domain::Digest32;
use crate::report::document::{Document, Head};

pub(super) fn ledgers(head: &Head) -> String {
    let rows = head.ledgers.iter().map(|(name, ledger)| vec![text(name), grouped(ledger.entries), code(ledger.root)]);
    let mut out = table("Ledgers and registers", &["ledger", "#entries", "root"], rows);
    for (name, ledger) in &head.ledgers {
        let totals = ledger.totals.iter().map(|(total, value)| vec![text(total), grouped(value)]);
        let mut inner = table(&format!("Totals of {name}"), &["total", "#value"], totals);
        if !ledger.trial_balance.is_empty() {
            let accounts = ledger.trial_balance.iter().map(|(account, msat)| vec![text(account), grouped(msat)]);
            inner.push_str(&table("Trial balance by class of account; it sums to zero", &["class", "#msat"], accounts));
        }
        out.push_str(&format!("<details><summary>totals of {}</summary>{inner}</details>\n", text(name)));
    }
    let matched = head.matching.iter().flat_map(|(side, rules)| {
        rules.iter().map(move |(rule, matched)| {
            vec![text(side), text(rule), grouped(matched.settlements), grouped(matched.sats)]
        })
    });
    let matched =
        table("Posted settlements by the rule that matched them", &["side", "rule", "#settlements", "#sats"], matched);
    out.push_str(&format!("<details><summary>matching</summary>{matched}</details>\n"));
    out
}

pub(super) fn balances(head: &Head) -> String {
    let balances = &head.balances;
    let sample = &balances.sample;
    let compared = match sample.compared {
        0 => badge("not compared", "warning"),
        _ if sample.different > 0 => badge("different", "bad"),
        _ => badge("equal", "good"),
    };
    let seed = if sample.seed.is_empty() { "all users".to_owned() } else { format!("seed {}", code(&sample.seed)) };
    let facts = [
        ("users", grouped(balances.users)),
        ("sum", format!("{} sats", grouped(balances.sum_sats))),
        (
            "paid too much",
            format!("{} users, {} sats", grouped(balances.negative_users), grouped(balances.negative_sats)),
        ),
        (
            "excluded under leaked keys",
            format!("{} users, {} sats", grouped(balances.excluded_users), grouped(balances.excluded_sats)),
        ),
        (
            "compared with what was reported",
            format!(
                "{compared} {} compared ({seed}), {} equal, {} different",
                grouped(sample.compared),
                grouped(sample.equal),
                grouped(sample.different)
            ),
        ),
        ("root of the sum tree", balances.root.map_or_else(|| "none".to_owned(), code)),
    ];
    words::facts(&facts)
}

pub(super) fn acknowledgements(head: &Head) -> String {
    if head.acknowledgements.is_empty() {
        return "<p>Nobody has signed for a divergence.</p>\n".to_owned();
    }
    let rows = head.acknowledgements.iter().map(|word| {
        let about = match (&word.fingerprint, &word.code) {
            (Some(print), Some(name)) => format!("{} {}", text(name), link(print)),
            _ => word.acknowledgement.map(|id| format!("withdraws {}", code(id))).unwrap_or_default(),
        };
        let tone = if word.state == "holds" { "good" } else { "warning" };
        vec![
            about,
            badge(&word.state, tone),
            text(&word.by),
            word.expires_at.map(|at| at.to_string()).unwrap_or_default(),
            text(&word.reason),
            code(&word.key_id),
        ]
    });
    let columns = ["about", "state", "by", "until", "reason", "key"];
    table("Signed statements about divergences", &columns, rows)
}

fn link(fingerprint: &Digest32) -> String {
    let hex = fingerprint.to_hex();
    let short = hex.get(..16).unwrap_or_default();
    format!("<a href=\"#d-{short}\"><code>{short}</code></a>")
}

/// What the page was made of, and how to check it.
pub(super) fn origin(document: &Document<'_>) -> String {
    let head = &document.head;
    let users =
        if head.inputs.users_revealed { badge("in clear", "warning") } else { "pseudonyms of this report".to_owned() };
    let facts = [
        ("report.json", format!("sha256 {}", code(document.sha256))),
        ("written by", format!("reledger {}", text(&head.tool.version))),
        ("profile", text(&head.inputs.profile)),
        ("evidence root", code(head.inputs.evidence_root)),
        ("configuration", code(head.inputs.config_sha256)),
        ("policy", code(head.inputs.policy_sha256)),
        ("fails from severity", text(&head.inputs.fail_on)),
        ("users stand", users),
        (
            "queued",
            format!(
                "{} to be anchored, {} to be looked at by a person",
                grouped(head.queues.needs_anchor),
                grouped(head.queues.needs_review)
            ),
        ),
    ];
    format!(
        "{}<p>This page says nothing that report.json does not, but the times of the run. \
        <code>reledger audit DIR</code> judges the evidence again and compares the report byte by byte; \
        <code>reledger explain ID</code> tells what a run knows of any id on this page; <code>reledger diff A B</code> compares \
        two runs.</p>\n",
        words::facts(&facts)
    )
}
