//! A report with a foreign string in every member that takes any, and the bytes that each rendering makes of it.

use std::io::{Cursor, Read};

use serde_json::{Map, Value, json};

use reledger::report::{Document, DocumentError, Measurements, Rendering, Table};

use super::strings::Strings;

/// Lines of each list: no rendering leaves any of them out.
const ROWS: usize = 45;
/// Names of each map.
const NAMES: usize = 10;

/// Every rendering of a report.
pub(crate) const RENDERINGS: [(&str, Rendering); 8] = [
    ("text", Rendering::Text),
    ("html", Rendering::Html),
    ("md", Rendering::Markdown),
    ("junit", Rendering::Junit),
    ("openmetrics", Rendering::OpenMetrics),
    ("divergences", Rendering::Csv(Table::Divergences)),
    ("coverage", Rendering::Csv(Table::Coverage)),
    ("checks", Rendering::Csv(Table::Checks)),
];

fn digest(number: usize) -> String {
    format!("{number:064x}")
}

fn list(count: usize, mut one: impl FnMut(usize) -> Value) -> Value {
    (0..count).map(&mut one).collect()
}

fn map(strings: &mut Strings, mut one: impl FnMut(&mut Strings) -> Value) -> Value {
    let mut members = Map::new();
    for _ in 0..NAMES {
        let name = strings.next();
        members.insert(name, one(strings));
    }
    Value::Object(members)
}

fn divergences(s: &mut Strings) -> Value {
    list(ROWS, |n| {
        let state = ["open", "explained", "acknowledged"][n % 3];
        json!({
            "at": 7, "at_stake_msat": "1000", "blocks": state == "open", "code": "SET_MISSING", "severity": "error",
            "state": state, "step": 4, "fingerprint": digest(n), "values_sha256": digest(n),
            "subject": {s.next(): s.next()}, "expected": s.next(), "observed": s.next(), "explanation": s.next(),
            "evidence": [{"id": digest(n), "role": s.next()}],
        })
    })
}

fn coverage(s: &mut Strings) -> Value {
    list(ROWS, |n| {
        json!({"source": s.next(), "kind": format!("{n}"), "from": null, "until": 9, "basis": "none", "complete": false,
            "events": 1, "missing_here": 1, "retries": 0, "reason": s.next()})
    })
}

fn over_time(s: &mut Strings) -> (Value, Value, Value) {
    let months = list(ROWS, |_| {
        json!({"source": s.next(), "kind": 30078, "month": s.next(), "from": null, "until": null, "events": 1,
            "missing_here": 0, "in_gaps": 0, "taken_down": 0, "basis": s.next(), "complete": false, "open": true})
    });
    let latest = list(ROWS, |n| {
        json!({"at": 1, "id": digest(n), "user": s.next(), "change": s.next(), "from": s.next(), "to": s.next(),
            "counts": true, "anchor_height": null})
    });
    let custody = json!({"changes": ROWS, "latest": latest, "months": map(s, |s| json!({s.next(): 1})), "states": map(s, |_| json!(1))});
    let gaps = list(ROWS, |_| {
        json!({"source": s.next(), "from": 1, "until": 2, "reason": s.next(), "cite": s.next(), "expires": 3,
            "state": s.next(), "missing": 1})
    });
    (months, custody, gaps)
}

fn acknowledgements(s: &mut Strings) -> Value {
    list(ROWS, |n| {
        json!({"id": digest(n), "key_id": s.next(), "state": s.next(), "reason": s.next(), "by": s.next(), "issued_at": 1,
            "kind": s.next(), "fingerprint": digest(n), "code": s.next(), "expires_at": 2})
    })
}

fn runbook(s: &mut Strings) -> Value {
    let steps = list(6, |n| {
        json!({"step": n, "name": s.next(), "verdict": s.next(), "reason": s.next(), "checks": {"ran": 1, "owed": 2}, "items": 1,
            "disagreed": 1, "blocking": {s.next(): 1}, "acknowledged": 0, "unverifiable": {"checks": [s.next()], "items": 1},
            "undeclared": 0})
    });
    json!({"ready_to_unfreeze": false, "reasons": [s.next(), s.next()], "steps": steps})
}

/// A whole report of such strings.
pub(super) fn report(s: &mut Strings) -> Value {
    let counts = json!({"received": 2, "unique": 1, "accepted": 1, "pending": 0, "rejected": 0, "quarantined": 0});
    let open = ROWS.div_ceil(3);
    let (months, custody, gaps) = over_time(s);
    let ages = map(s, |_| json!(1));
    json!({
        "schema": "reledger/report/1", "tool": {"name": "reledger", "version": s.next()},
        "as_of": {"time": 9, "tip": {"height": 1, "hash": s.next()}},
        "inputs": {"evidence_root": digest(1), "config_sha256": digest(2), "policy_sha256": digest(3), "profile": s.next(),
            "fail_on": "error", "users_revealed": false},
        "verdict": {"outcome": s.next(), "exit_code": 1, "conditions": [s.next(), s.next()], "sentence": s.next()},
        "population": map(s, |_| counts.clone()),
        "coverage": coverage(s), "coverage_by_month": months, "custody": custody, "gaps": gaps,
        "reconstructible": {"with_operator": 1, "without_operator": 0, "share_without_operator": {"num": 0, "den": 1}},
        "ledgers": map(s, |s| json!({"root": digest(4), "entries": 1, "totals": {s.next(): 5}})),
        "state_root": digest(5), "matching": map(s, |s| json!({s.next(): {"settlements": 1, "sats": 1}})),
        "balances": {"users": 1, "root": null, "sum_sats": 0, "negative_users": 0, "negative_sats": 0, "excluded_sats": 0,
            "excluded_users": 0, "sample": {"size": 0, "seed": s.next(), "compared": 0, "equal": 0, "different": 0}},
        "recovery": {"rpo_claimed_seconds": 1, "rpo_provable_seconds": 2, "newest_envelope_time": null, "newest_anchor_time": null},
        "divergences": divergences(s), "acknowledgements": acknowledgements(s),
        "summary": {"by_code": {"SET_MISSING": ROWS}, "explained": ROWS / 3, "acknowledged": ROWS / 3, "unexplained": open,
            "by_age": ages, "by_project": map(s, |s| json!({"by_age": {s.next(): 1}, "by_age_sats": {}}))},
        "runbook": runbook(s),
        "checks": list(ROWS, |n| json!({"check": s.next(), "items": 2, "disagreed": n % 2, "codes": [s.next()]})),
        "unverifiable": list(ROWS, |n| json!({"check": s.next(), "reason": s.next(), "items": 1, "declared": n % 2 == 0})),
        "queues": {"needs_anchor": 0, "needs_review": 1}, "does_not_prove": list(ROWS, |_| s.next().into()),
        "not_rebuilt": list(ROWS, |_| json!({"store": s.next(), "consequence": s.next()})),
    })
}

/// What a rendering makes of those bytes.
pub(crate) fn rendered(bytes: &[u8], rendering: Rendering, strings: &mut Strings) -> Result<String, DocumentError> {
    let open = || -> std::io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.to_vec()))) };
    let document = Document::read(&open)?;
    let stages = (0..NAMES).map(|_| (strings.next(), 1_500)).collect();
    let measured = Measurements { started_at: 1, stages, rto_seconds: Some(3), ..Measurements::default() };
    let mut out = Vec::new();
    rendering.write(&document, Some(&measured), &mut out)?;
    Ok(String::from_utf8(out).expect("a rendering is UTF-8"))
}
