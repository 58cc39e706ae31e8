//! Two reports, member by member.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Changed, Listed, ReportDifference};

/// Hex digits of a user's pseudonym, and what stands before them.
const PSEUDONYM: (&str, usize) = ("user-", 16);

/// Members that are compared in a way of their own; all others are compared as they stand.
const OWN: [&str; 10] =
    ["as_of", "balances", "coverage", "divergences", "inputs", "ledgers", "schema", "state_root", "tool", "verdict"];

/// Everything that differs between two reports.
pub(super) fn reports(left: &Value, right: &Value) -> ReportDifference {
    let of = |names: &[&str]| {
        let mut changed = Vec::new();
        for name in names {
            differ(left.get(name), right.get(name), name, &mut changed);
        }
        changed
    };
    let names = |value: &Value| value.as_object().map(|members| members.keys().cloned().collect::<BTreeSet<String>>());
    let all: BTreeSet<String> = [left, right].into_iter().filter_map(names).flatten().collect();
    let others: Vec<&str> = all.iter().map(String::as_str).filter(|name| !OWN.contains(name)).collect();
    ReportDifference {
        inputs: of(&["schema", "tool", "as_of", "inputs"]),
        verdict: of(&["verdict"]),
        ledgers: of(&["state_root", "ledgers"]),
        balances: of(&["balances"]),
        divergences: divergences(left, right),
        coverage: listed(&left["coverage"], &right["coverage"], &["source", "kind", "from", "until"], &|row| {
            row.clone()
        }),
        other: of(&others),
    }
}

/// Every leaf that differs, in order of the members' names.
// Recursion is bounded by the depth that parsing allows.
fn differ(left: Option<&Value>, right: Option<&Value>, path: &str, changed: &mut Vec<Changed>) {
    if left == right {
        return;
    }
    if let (Some(Value::Object(left)), Some(Value::Object(right))) = (left, right) {
        let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        for name in names {
            differ(left.get(name), right.get(name), &format!("{path}.{name}"), changed);
        }
        return;
    }
    changed.push(Changed { path: path.to_owned(), left: left.cloned(), right: right.cloned() });
}

/// Divergences by fingerprint; whom they are about is in it, and the evidence is each side's own.
fn divergences(left: &Value, right: &Value) -> Listed {
    let told = |divergence: &Value| {
        let mut told = Map::new();
        for name in ["code", "severity", "state", "step", "blocks", "expected", "observed"] {
            let value = divergence.get(name).cloned().unwrap_or_default();
            told.insert(name.to_owned(), value.as_str().map_or(value.clone(), |text| masked(text).into()));
        }
        Value::Object(told)
    };
    listed(&left["divergences"], &right["divergences"], &["fingerprint"], &told)
}

/// A text without the users' pseudonyms, which are made from each side's evidence.
fn masked(text: &str) -> String {
    let (mark, digits) = PSEUDONYM;
    let mut parts = text.split(mark);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let tail = part.get(digits..).filter(|_| part.bytes().take(digits).all(|byte| byte.is_ascii_hexdigit()));
        masked.push_str(mark);
        masked.push_str(tail.unwrap_or(part));
    }
    masked
}

/// Two lists by key. Of several items with one key, which a foreign report may have, all count.
fn listed(left: &Value, right: &Value, key: &[&str], told: &dyn Fn(&Value) -> Value) -> Listed {
    let by_key = |list: &Value| {
        let mut items: BTreeMap<(Vec<String>, usize), Value> = BTreeMap::new();
        for item in list.as_array().into_iter().flatten() {
            let names: Vec<String> = key.iter().map(|name| item[*name].to_string()).collect();
            let mut place = 0;
            while items.contains_key(&(names.clone(), place)) {
                place += 1;
            }
            items.insert((names, place), item.clone());
        }
        items
    };
    let (left, mut right) = (by_key(left), by_key(right));
    let mut found = Listed::default();
    for (key, item) in left {
        let Some(other) = right.remove(&key) else {
            found.only_left.push(item);
            continue;
        };
        let mut changed = Vec::new();
        if let (Value::Object(one), Value::Object(two)) = (told(&item), told(&other)) {
            let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
            for name in names {
                differ(one.get(name), two.get(name), name, &mut changed);
            }
        }
        if !changed.is_empty() {
            found.changed.push((item, changed));
        }
    }
    found.only_right.extend(right.into_values());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        json!({
            "schema": "reledger/report/1", "tool": {"version": "1"}, "as_of": {"time": 5}, "inputs": {"evidence_root": "aa"},
            "verdict": {"outcome": "divergent", "exit_code": 1}, "state_root": "00",
            "ledgers": {"envelope": {"root": "11", "entries": 2, "totals": {"user_sats": 7}}, "rebind": {"root": "22"}},
            "balances": {"root": "33", "users": 2}, "coverage": [
                {"source": "a", "kind": "1", "from": null, "until": null, "events": 3, "complete": true},
                {"source": "b", "kind": "1", "from": null, "until": null, "events": 3, "complete": true}],
            "divergences": [
                {"fingerprint": "f1", "code": "SET_MISSING", "state": "open", "severity": "error", "evidence": [1],
                 "expected": "user-0123456789abcdef is owed 5 sats", "observed": "", "subject": {"user": "user-0123456789abcdef"}},
                {"fingerprint": "f2", "code": "SET_LATE", "state": "open", "severity": "warn"}],
            "checks": [{"check": "x", "items": 3}],
        })
    }

    fn paths(changed: &[Changed]) -> Vec<&str> {
        changed.iter().map(|one| one.path.as_str()).collect()
    }

    #[test]
    fn equal_reports_have_no_difference() {
        assert!(reports(&report(), &report()).is_equal());
    }

    #[test]
    fn each_member_is_told_where_it_belongs_and_nowhere_else() {
        let change = |edit: &dyn Fn(&mut Value)| {
            let mut other = report();
            edit(&mut other);
            let (there, back) = (reports(&report(), &other), reports(&other, &report()));
            assert_eq!(there.is_equal(), back.is_equal());
            there
        };
        let only = |found: &ReportDifference| {
            let Listed { only_left, only_right, changed } = &found.divergences;
            let divergences = only_left.len() + only_right.len() + changed.len();
            let rows = found.coverage.only_left.len() + found.coverage.only_right.len() + found.coverage.changed.len();
            [
                found.inputs.len(),
                found.verdict.len(),
                found.ledgers.len(),
                found.balances.len(),
                divergences,
                rows,
                found.other.len(),
            ]
        };
        let found = change(&|report| report["inputs"]["evidence_root"] = "bb".into());
        assert_eq!((paths(&found.inputs), only(&found)), (vec!["inputs.evidence_root"], [1, 0, 0, 0, 0, 0, 0]));
        let found = change(&|report| report["verdict"]["exit_code"] = 0.into());
        assert_eq!((paths(&found.verdict), only(&found)), (vec!["verdict.exit_code"], [0, 1, 0, 0, 0, 0, 0]));
        let found = change(&|report| {
            report["ledgers"]["envelope"]["totals"]["user_sats"] = 8.into();
            report["ledgers"]["new"] = json!({"root": "44"});
        });
        assert_eq!(paths(&found.ledgers), ["ledgers.envelope.totals.user_sats", "ledgers.new"]);
        assert_eq!((found.ledgers[1].left.clone(), only(&found)), (None, [0, 0, 2, 0, 0, 0, 0]));
        let found = change(&|report| report["balances"]["users"] = 3.into());
        assert_eq!(only(&found), [0, 0, 0, 1, 0, 0, 0]);
        let found = change(&|report| report["coverage"][1]["events"] = 2.into());
        assert_eq!((paths(&found.coverage.changed[0].1), only(&found)), (vec!["events"], [0, 0, 0, 0, 0, 1, 0]));
        let found = change(&|report| report["coverage"][1]["source"] = "c".into());
        assert_eq!((found.coverage.only_left.len(), found.coverage.only_right.len()), (1, 1));
        let found = change(&|report| report["checks"][0]["items"] = 4.into());
        assert_eq!((paths(&found.other), only(&found)), (vec!["checks"], [0, 0, 0, 0, 0, 0, 1]));
        let found = change(&|report| drop(report.as_object_mut().unwrap().remove("checks")));
        assert_eq!(only(&found), [0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn divergences_are_told_apart_by_fingerprint_and_pseudonyms_are_no_difference() {
        let with = |name: &str, value: Value| {
            let mut other = report();
            other["divergences"][0][name] = value;
            reports(&report(), &other).divergences
        };
        // Another evidence gives other pseudonyms, and other evidence ids.
        assert!(with("expected", "user-fedcba9876543210 is owed 5 sats".into()).is_equal());
        assert!(with("subject", json!({"user": "user-fedcba9876543210"})).is_equal());
        assert!(with("evidence", json!([2])).is_equal());
        assert_eq!(paths(&with("expected", "user-fedcba9876543210 is owed 6 sats".into()).changed[0].1), ["expected"]);
        // No pseudonym.
        assert!(!with("expected", "user-xyz is owed 5 sats".into()).is_equal());
        assert_eq!(paths(&with("state", "acknowledged".into()).changed[0].1), ["state"]);
        let moved = with("fingerprint", "f3".into());
        assert_eq!((moved.only_left.len(), moved.only_right.len(), moved.changed.len()), (1, 1, 0));
        // A list in another order is the same list.
        let mut other = report();
        other["divergences"].as_array_mut().unwrap().reverse();
        other["coverage"].as_array_mut().unwrap().reverse();
        assert!(reports(&report(), &other).is_equal());
    }

    #[test]
    fn a_report_of_any_shape_can_be_compared() {
        for odd in [json!({}), json!({"divergences": 7, "coverage": [1, null, {}]}), json!([])] {
            assert!(!reports(&report(), &odd).is_equal());
            assert!(reports(&odd, &odd.clone()).is_equal());
        }
    }
}
