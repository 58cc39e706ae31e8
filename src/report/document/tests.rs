use std::io::Read;

use serde_json::{Value, json};

use super::*;
use crate::domain::{Code, Severity, State};

fn counts() -> Value {
    json!({"received": 1, "unique": 1, "accepted": 1, "pending": 0, "rejected": 0, "quarantined": 0})
}

fn line(code: &str, severity: &str, step: u8) -> Value {
    json!({
        "at": 7, "at_stake_msat": "1000", "blocks": true, "code": code, "evidence": [], "expected": "a", "observed": "b",
        "explanation": "", "fingerprint": "ab".repeat(32), "severity": severity, "state": "open", "step": step,
        "subject": {"user": "user-0"}, "values_sha256": "cd".repeat(32),
    })
}

/// A small report that names what its schema demands.
fn report() -> Value {
    let digest = "00".repeat(32);
    let ledger = json!({"root": digest, "entries": 1, "totals": {"sats": 5, "x_msat": "5000"}});
    json!({
        "schema": "reledger/report/1", "tool": {"name": "reledger", "version": "0.1.0"},
        "as_of": {"time": 9, "tip": null},
        "inputs": {"evidence_root": digest, "config_sha256": digest, "policy_sha256": digest, "profile": "p",
            "fail_on": "error", "users_revealed": false},
        "verdict": {"outcome": "divergent", "exit_code": 1, "conditions": ["divergent"], "sentence": "s"},
        "population": {"events": counts()}, "coverage": [],
        "reconstructible": {"with_operator": 1, "without_operator": 0, "share_without_operator": {"num": 0, "den": 1}},
        "ledgers": {"envelope": ledger}, "state_root": digest,
        "balances": {"users": 0, "root": null, "sum_sats": 0, "negative_users": 0, "negative_sats": 0,
            "excluded_sats": 0, "excluded_users": 0,
            "sample": {"size": 0, "seed": "", "compared": 0, "equal": 0, "different": 0}},
        "recovery": {"rpo_claimed_seconds": null, "rpo_provable_seconds": null, "newest_envelope_time": null,
            "newest_anchor_time": null},
        "divergences": [line("EVT_BAD_ID", "error", 2)],
        "summary": {"by_code": {"EVT_BAD_ID": 1}, "explained": 0, "unexplained": 1, "by_age": {}},
        "checks": [], "unverifiable": [], "queues": {"needs_anchor": 0, "needs_review": 1}, "does_not_prove": ["x"],
    })
}

fn read(bytes: &[u8]) -> Result<Head, DocumentError> {
    let open = || -> std::io::Result<Box<dyn Read>> { Ok(Box::new(std::io::Cursor::new(bytes.to_vec()))) };
    Document::read(&open).map(|document| document.head)
}

/// The member that a report with that change is refused for, and whether it is a foreign one.
fn refused(change: impl FnOnce(&mut Value)) -> (String, bool) {
    let mut report = report();
    change(&mut report);
    match read(&serde_json::to_vec(&report).unwrap()).unwrap_err() {
        DocumentError::Foreign { member, .. } => (member, true),
        DocumentError::Damaged { member, .. } => (member, false),
        DocumentError::Io(error) => panic!("{error}"),
    }
}

#[test]
fn a_report_without_what_later_versions_added_is_read_and_its_divergences_come_one_by_one() {
    let bytes = serde_json::to_vec(&report()).unwrap();
    let open = || -> std::io::Result<Box<dyn Read>> { Ok(Box::new(std::io::Cursor::new(bytes.clone()))) };
    let document = Document::read(&open).unwrap();
    assert_eq!(document.head.ledgers["envelope"].totals["x_msat"], Integer(5000));
    assert_eq!(document.tally.count(|code, severity, _| code == Code::EvtBadId && severity == Severity::Error), 1);
    assert_eq!((document.tally.in_state(State::Open), document.tally.blocking), (1, 1));
    let mut seen = Vec::new();
    document
        .each(&mut |divergence| {
            seen.push(divergence.at.map(|at| at.0));
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, [Some(7)]);
    assert_eq!(document.sha256, crate::domain::sha256(&bytes));
}

#[test]
fn what_is_no_report_of_this_version_is_refused_with_its_member() {
    assert_eq!(refused(|r| r["schema"] = "reledger/report/2".into()), ("schema".to_owned(), true));
    assert_eq!(refused(|r| r["schema"] = "reledger/report/0".into()), ("schema".to_owned(), true));
    assert_eq!(refused(|r| _ = r.as_object_mut().unwrap().remove("schema")), ("schema".to_owned(), true));
    assert_eq!(refused(|r| r["tool"]["name"] = "other".into()), ("tool".to_owned(), true));
    assert_eq!(refused(|r| r["novelty"] = 1.into()), ("novelty".to_owned(), true));
    assert_eq!(refused(|r| r["divergences"][0]["code"] = "ODD".into()), ("divergences/0/code".to_owned(), true));
}

#[test]
fn a_report_that_was_changed_or_cut_is_refused_with_its_member() {
    for name in ["as_of", "verdict", "population", "coverage", "balances", "summary", "does_not_prove", "divergences"] {
        assert_eq!(refused(|r| _ = r.as_object_mut().unwrap().remove(name)), (name.to_owned(), false));
    }
    assert_eq!(refused(|r| r["verdict"]["exit_code"] = "1".into()), ("verdict".to_owned(), false));
    assert_eq!(refused(|r| r["checks"] = json!([{"check": "x"}])), ("checks".to_owned(), false));
    assert_eq!(refused(|r| r["summary"]["unexplained"] = 0.into()), ("summary".to_owned(), false));
    assert_eq!(refused(|r| r["summary"]["by_code"] = json!({})), ("summary".to_owned(), false));
    let at = |name: &str| (format!("divergences/0/{name}"), false);
    assert_eq!(refused(|r| r["divergences"][0]["severity"] = "bad".into()), at("severity"));
    assert_eq!(refused(|r| r["divergences"][0]["blocks"] = false.into()), at("blocks"));
    assert_eq!(refused(|r| r["divergences"][0]["step"] = 3.into()), at("step"));
    let whole = serde_json::to_vec(&report()).unwrap();
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], b"", b"{}x", b"[]", b"null"] {
        assert!(matches!(read(bytes), Err(DocumentError::Damaged { .. })), "{}", String::from_utf8_lossy(bytes));
    }
    let twice = format!("{{\"queues\":{{}},{}", std::str::from_utf8(&whole[1..]).unwrap());
    assert!(read(twice.as_bytes()).unwrap_err().to_string().contains("report.json"));
}
