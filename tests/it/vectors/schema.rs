//! Fields of signed bytes (FORMATS 3.2, 3.7, 3.8): versions, members, times. What can't be read is named with its member and
//! both values, and kept.

use reledger::domain::{Media, sha256};
use serde_json::{Value, json};

use super::case::{Case, Input};
use crate::vectors_events::{BODY, event, keys, raw, signature, wrapped};

/// What the reader says of such bytes.
fn unreadable(expected: &str, observed: &str) -> String {
    format!("envelopes: quarantined; ENV_SCHEMA [{expected}] [{observed}]")
}

const READ: &str = "envelopes: accepted";
const VERSIONS: &str = "v: 1 to 4, the known versions";
const TIME: &str = "an ISO-8601 UTC time like 2026-05-01T00:00:00Z, from 2009-01-03T18:15:05Z on";

fn signed(prefix: &str, body: &str) -> Input {
    let d = format!("{prefix}:{}", sha256(body.as_bytes()));
    Input::Evidence(vec![keys(), event(30_087, &d, &wrapped(body, |_| ()))])
}

/// The published shape of a billable event with members changed; `null` in the list takes a member out.
fn changed(edits: &Value) -> Input {
    let mut body: Value = serde_json::from_str(BODY).unwrap();
    for (name, value) in edits.as_object().unwrap() {
        if *value == json!("(none)") {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    signed("oc-me-event", &body.to_string())
}

pub(super) fn cases() -> Vec<Case> {
    [versions(), other_versions(), members(), times(), manifests(), statements()].concat()
}

fn table(row: &'static str, cases: Vec<(&str, Input, String)>) -> Vec<Case> {
    cases.into_iter().map(|(name, input, wanted)| Case::new(row, name, "derived: FORMATS 3.2", input, wanted)).collect()
}

fn versions() -> Vec<Case> {
    let drop = json!({"window_id": "w_1", "close_height_target": null});
    let known = |found: &str| unreadable(VERSIONS, &format!("v is {found}"));
    let against = |expected: &str, found: &str| unreadable(&format!("v: {expected}"), &format!("v is {found}"));
    let of = |edits: Value| changed(&edits);
    table(
        "3.2 schema versions",
        vec![
            ("2 for a human", of(json!({})), READ.into()),
            ("2 with is_agent false", of(json!({"is_agent": false})), READ.into()),
            ("2 with drop null", of(json!({"drop": null})), READ.into()),
            ("2 with is_agent null", of(json!({"is_agent": null})), READ.into()),
            ("2 with is_agent", of(json!({"is_agent": true})), against("3 with is_agent", "2 with is_agent")),
            ("2 with drop", of(json!({"drop": drop})), against("4 with drop", "2 with drop")),
            ("3 with is_agent", of(json!({"v": 3, "is_agent": true})), READ.into()),
            ("3 with is_agent false", of(json!({"v": 3, "is_agent": false})), READ.into()),
            ("3 without is_agent", of(json!({"v": 3})), against("2 without is_agent", "3 without is_agent")),
            ("3 with drop", of(json!({"v": 3, "is_agent": true, "drop": drop})), against("4 with drop", "3 with drop")),
            ("4 with drop", of(json!({"v": 4, "drop": drop})), READ.into()),
            ("4 with drop and is_agent", of(json!({"v": 4, "drop": drop, "is_agent": true})), READ.into()),
            ("4 without drop", of(json!({"v": 4})), against("2 or 3 without drop", "4 without drop")),
            ("4 with drop null", of(json!({"v": 4, "drop": null})), against("2 or 3 without drop", "4 without drop")),
            ("1 with drop", of(json!({"v": 1, "drop": drop})), against("4 with drop", "1 with drop")),
            ("1, the demo's", of(json!({"v": 1, "site_rebate_sats": "(none)", "site": "fold.example"})), READ.into()),
            ("5, of the future", of(json!({"v": 5})), known("5")),
            ("0", of(json!({"v": 0})), known("0")),
            ("as a text", of(json!({"v": "2"})), known("\"2\"")),
            ("a fraction", of(json!({"v": 2.5})), known("2.5")),
            ("beyond a byte", of(json!({"v": 258})), known("258")),
            ("null", of(json!({"v": null})), known("missing")),
            ("none", of(json!({"v": "(none)"})), known("missing")),
        ],
    )
}

/// A version of nobody's schema is not counted, whatever the kind; the other kinds may be silent about it.
fn other_versions() -> Vec<Case> {
    const AT: &str = "2026-04-19T03:33:23Z";
    let bodies = [
        ("oc-me-payment", json!({"status": "authorized", "sats_charged": 9, "occurred_at": AT})),
        (
            "oc-me-rebind",
            json!({"did_oc": "did:oc:x", "from": "fedimint_threshold", "to": "bip322", "occurred_at": AT}),
        ),
        ("oc-me-trust", json!({"note": "x"})),
        ("oc-me-payout-binding", json!({"user": "u", "destination": "a@b", "created_at": AT})),
        ("oc-me-distribution", json!({"user": "u", "amount_sats": 5, "created_at": AT})),
        (
            "oc-me-drop",
            json!({"window_id": "w", "sealed_at": AT, "event_count": 1, "gross_fee_sats": 1, "user_share_sats": 0}),
        ),
    ];
    let mut cases = Vec::new();
    for (kind, body) in bodies {
        let of = |v: Value| {
            let mut body = body.clone();
            body["v"] = v;
            signed(kind, &body.to_string())
        };
        let mut add = |name: &str, input: Input, wanted: String| {
            let row = "3.2 schema versions";
            cases.push(Case::new(row, format!("{kind}: {name}"), "derived: FORMATS 3.2", input, wanted));
        };
        add("none", signed(kind, &body.to_string()), READ.into());
        for v in 1..=4 {
            add(&format!("{v}"), of(v.into()), READ.into());
        }
        for v in [json!(0), json!(5), json!(9), json!(-1), json!(1.5), json!(257), json!("x"), json!("1"), json!([1])] {
            add(&v.to_string(), of(v.clone()), unreadable(VERSIONS, &format!("v is {v}")));
        }
    }
    cases
}

fn members() -> Vec<Case> {
    let of = |edits: Value| changed(&edits);
    let user = "user_address or did_oc or identity or user";
    table(
        "3.2 members of a billable event",
        vec![
            ("members of nobody's schema", of(json!({"future": {"v": [1, {"a": null}]}, "note": "x"})), READ.into()),
            ("class D", of(json!({"class": "D"})), unreadable("class: \"A\", \"B\" or \"C\"", "class is \"D\"")),
            ("class as a number", of(json!({"class": 1})), unreadable("class: a text of at most 4096 bytes", "class is 1")),
            ("no class", of(json!({"class": "(none)"})), unreadable("class: a value", "class is missing")),
            ("no user", of(json!({"user_address": "(none)"})), unreadable(&format!("{user}: a user"), &format!("{user} is missing"))),
            ("no site", of(json!({"site": "(none)"})), unreadable("site_domain: a value", "site_domain is missing")),
            (
                "no rebate",
                of(json!({"site_rebate_sats": "(none)"})),
                unreadable("site_rebate_sats: an amount of satoshi", "site_rebate_sats is missing"),
            ),
            (
                "is_agent as a number",
                of(json!({"v": 3, "is_agent": 1})),
                unreadable("is_agent: true or false", "is_agent is 1"),
            ),
            (
                "a window without a name",
                of(json!({"v": 4, "drop": {"close_height_target": 1}})),
                unreadable("window_id: a value", "window_id is missing"),
            ),
            (
                "a height that is none",
                of(json!({"v": 4, "drop": {"window_id": "w", "close_height_target": -1}})),
                unreadable("close_height_target: a block height", "close_height_target is -1"),
            ),
            (
                "an amount as a text",
                of(json!({"gross_fee_sats": "60"})),
                unreadable("gross_fee_sats: a number", "gross_fee_sats is \"60\""),
            ),
            (
                "a fraction of a satoshi",
                of(json!({"gross_fee_sats": 60.5})),
                "envelopes: rejected; AMT_RANGE [whole satoshi within the supply] [member gross_fee_sats is 60.5, not an amount of satoshi]".into(),
            ),
        ],
    )
}

fn times() -> Vec<Case> {
    let at = |time: &str| changed(&json!({"occurred_at": time}));
    let refused = |time: &str| unreadable(&format!("occurred_at: {TIME}"), &format!("occurred_at is \"{time}\""));
    let mut cases = Vec::new();
    for (name, time) in [
        ("the year 0", "0000-01-01T00:00:00Z"),
        ("before the first block", "2009-01-03T18:15:04Z"),
        ("a leap second", "2016-12-31T23:59:60Z"),
        ("an offset instead of Z", "2026-04-19T05:33:23+02:00"),
        ("no zone", "2026-04-19T03:33:23"),
        ("a day that is none", "2026-02-30T00:00:00Z"),
        ("five digits of a year", "12026-01-01T00:00:00Z"),
        ("a space instead of T", "2026-04-19 03:33:23Z"),
        ("words", "yesterday"),
    ] {
        cases.push((name, at(time), refused(time)));
    }
    for (name, time) in [
        ("the second of the first block", "2009-01-03T18:15:05Z"),
        ("the last second before a leap second", "2016-12-31T23:59:59Z"),
        ("milliseconds", "2026-04-19T03:33:23.850Z"),
        // A time that has not come yet is read; ledgers leave it out until then (ENV_TIME).
        ("the year 9999", "9999-12-31T23:59:59Z"),
    ] {
        cases.push((name, at(time), READ.into()));
    }
    cases.push(("a number", changed(&json!({"occurred_at": 1_780_000_000})), {
        unreadable(&format!("occurred_at: {TIME}"), "occurred_at is 1780000000")
    }));
    table("3.2 times", cases)
}

fn manifests() -> Vec<Case> {
    let manifest = json!({
        "v": 1, "kind": "oc-me-drop", "window_id": "w_1", "schedule_id": "s", "sealed_at": "2026-05-01T00:00:00Z",
        "event_count": 1, "gross_fee_sats": 60, "user_share_sats": 39,
    });
    let of = |name: &str, value: Value| {
        let mut body = manifest.clone();
        body[name] = value;
        signed("oc-me-drop", &body.to_string())
    };
    table(
        "3.7 drop manifest",
        vec![
            ("with what is needed", of("label", "x".into()), READ.into()),
            ("with a root over recipients in any form", of("recipients_root", json!(["?"])), READ.into()),
            (
                "a count that is none",
                of("event_count", json!(-1)),
                unreadable("event_count: a count", "event_count is -1"),
            ),
            (
                "a root that is none",
                of("events_root", "ab".into()),
                unreadable("events_root: 64 lower-case hex digits", "events_root is \"ab\""),
            ),
            (
                "sealed before the first block",
                of("sealed_at", "2008-10-31T18:10:00Z".into()),
                unreadable(&format!("sealed_at: {TIME}"), "sealed_at is \"2008-10-31T18:10:00Z\""),
            ),
        ],
    )
}

fn statements() -> Vec<Case> {
    let statement = json!({
        "v": 1, "kind": "oc-me-activity", "did_oc": "did:oc:x", "event_count": 1, "human_event_count": 1, "lifetime_sats": 39,
        "distinct_integrator_count": 1, "oldest_event_at": null, "active_days": 1, "computed_at": "2026-05-01T00:00:00Z",
        "expires_at": "2026-06-01T00:00:00Z",
    });
    let of = |name: &str, value: Value| {
        let mut body = statement.clone();
        body[name] = value;
        let body = body.to_string();
        let bundle =
            wrapped(&body, |record| record["attestation"] = json!({"id": sha256(body.as_bytes()).to_string()}));
        assert!(bundle.contains(&signature(&body, 1)));
        Input::Evidence(vec![keys(), raw(Media::Activity, bundle)])
    };
    let computed = "\"2026-05-01T00:00:00Z\"";
    table(
        "3.8 activity attestation",
        vec![
            ("of our own", of("note", "x".into()), READ.into()),
            ("expires as it is computed", of("expires_at", "2026-05-01T00:00:00Z".into()), READ.into()),
            (
                "expires before it is computed",
                of("expires_at", "2026-04-30T23:59:59Z".into()),
                unreadable(
                    &format!("expires_at: a time not before computed_at {computed}"),
                    "expires_at is \"2026-04-30T23:59:59Z\"",
                ),
            ),
            ("version 2", of("v", 2.into()), unreadable("v: 1, the known version", "v is 2")),
            ("no version", of("v", Value::Null), unreadable("v: 1, the known version", "v is missing")),
        ],
    )
}
