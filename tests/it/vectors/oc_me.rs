//! OC Me artifacts (FORMATS 3): activity bundles, demo envelopes, wrappers, signatures.

use std::fs;

use reledger::domain::{Media, RawEvidence};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::case::{Case, Input, list, text, vector};
use crate::support::{arg, run, shown, stdout};
use crate::vectors_events::{BODY, d_of, event, keys, raw, signature, verify, wrapped_event};

/// The populations that matter, with their fate, where there is one of a kind; then every code with what was observed for
/// those whose words are the specification's. `accepted` alone when an envelope holds.
pub(super) fn verified(evidence: &[RawEvidence]) -> String {
    let set = verify(evidence);
    let mut said = Vec::new();
    for name in ["envelopes", "attestations", "bindings", "stored", "events", "graduations"] {
        let counts = set.population.get(name);
        let fates = [
            ("accepted", counts.accepted),
            ("pending", counts.pending),
            ("rejected", counts.rejected),
            ("quarantined", counts.quarantined),
        ];
        // An event that carries something is what it carries.
        let told = if name == "events" { counts.quarantined == 1 && said.is_empty() } else { counts.unique == 1 };
        if told && let Some((fate, _)) = fates.into_iter().find(|(_, count)| *count == 1) {
            said.push(format!("{name}: {fate}"));
        }
    }
    for finding in &set.findings {
        let code = finding.code.name();
        said.push(match code {
            "ATT_SIG" => format!("{code} {}", finding.observed),
            "ENV_SCHEMA" | "AMT_RANGE" => format!("{code} [{}] [{}]", finding.expected, finding.observed),
            _ => code.to_owned(),
        });
    }
    said.join("; ")
}

/// One line for each file: its fate and what `verify` says beside it.
pub(super) fn verified_files(files: &[(&'static str, String)], now: &str) -> String {
    let folder = tempdir().unwrap();
    let paths: Vec<_> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(files) {
        fs::write(path, text).unwrap();
    }
    let mut args = vec!["verify", "--now", now, "--format", "json", "-q"];
    args.extend(paths.iter().map(|path| arg(path)));
    let output = run(&args);
    let lines = stdout(&output);
    assert_eq!(lines.lines().count(), files.len(), "{}", shown(&output));
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let words = list(&last, "anchors").iter().map(|word| word.as_str().unwrap());
    [text(&last, "/fate")].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

pub(super) fn cases() -> Vec<Case> {
    [activity(), demos(), envelopes()].concat()
}

fn activity() -> Vec<Case> {
    let from = "derived/activity-attestation.json";
    let vectors = vector(from);
    let jwks = raw(Media::Jwks, vectors["jwks"].to_string());
    let mut cases = Vec::new();
    for case in list(&vectors, "cases") {
        let bundle = case["bundle"].to_string();
        let (row, wanted) = match case["expected"]["reason_contains"].as_str() {
            None => ("3.8 activity attestation", "envelopes: accepted"),
            // Whoever asks about the past asks about what was said then: only `verify` looks at a clock, see below.
            Some("expired") => ("12 oc me: expired", "envelopes: accepted"),
            Some("id does not match") => {
                ("12 oc me: canonical bytes with one extra byte", "envelopes: rejected; ENV_ADDRESS_MISMATCH")
            }
            Some("signature does not match") => {
                ("12 oc me: signature of another envelope", "envelopes: rejected; ENV_SIG_BAD")
            }
            Some("kid") => ("12 oc me: unknown kid", "envelopes: pending; KEY_UNKNOWN"),
            Some("shape") => ("12 oc me: malformed bundle, null", "envelopes: quarantined; SRC_PARSE"),
            Some("wrapper") => {
                ("12 oc me: wrapper field is not the signed one", "envelopes: rejected; ENV_WRAPPER_DISAGREES")
            }
            Some(other) => panic!("{other}"),
        };
        let input = Input::Evidence(vec![jwks.clone(), raw(Media::Activity, bundle.clone())]);
        cases.push(Case::new(row, text(case, "/name"), from, input, wanted));
        let now = match row {
            "12 oc me: expired" => Some(("2026-06-01T00:00:00Z", "ok expired 2026-06-01T00:00:00Z")),
            "3.8 activity attestation" => Some(("2026-05-31T23:59:59Z", "ok valid until 2026-06-01T00:00:00Z")),
            _ => None,
        };
        if let Some((now, wanted)) = now {
            let files = vec![("keys.json", vectors["jwks"].to_string()), ("bundle.json", bundle)];
            let name = format!("{}, asked at {now}", text(case, "/name"));
            cases.push(Case::new(row, name, from, Input::Files(files, now), wanted));
        }
    }
    let null = Input::Evidence(vec![jwks, raw(Media::Activity, "null")]);
    let wanted = "envelopes: quarantined; SRC_PARSE";
    cases.push(Case::new("12 oc me: malformed bundle, null", "null", "derived: FORMATS 12", null, wanted));
    cases
}

fn demos() -> Vec<Case> {
    const ROW: &str = "12 oc me: v1 demo envelopes";
    let from = "oc-me-web-public/demo-envelopes-v1.json";
    let demo = vector(from);
    let mut cases = Vec::new();
    for envelope in list(&demo, "envelopes") {
        let (text_of, id) = (envelope.to_string(), text(envelope, "/id"));
        for (name, d, wanted) in [
            ("by its name", format!("oc-me-event:{id}"), "events: quarantined; EVT_NOT_ENVELOPE"),
            ("by another hash", d_of("something else"), "envelopes: rejected; ENV_ADDRESS_MISMATCH"),
            ("by the hash of its own bytes", d_of(&text_of), "envelopes: rejected; ENV_UNSIGNED"),
        ] {
            let input = Input::Evidence(vec![keys(), event(30_087, &d, &text_of)]);
            cases.push(Case::new(ROW, format!("{id} {name}"), from, input, wanted));
        }
    }
    cases
}

fn envelopes() -> Vec<Case> {
    let of = |change: &dyn Fn(&mut Value)| Input::Evidence(vec![keys(), wrapped_event(BODY, change)]);
    let from = "derived: FORMATS 3.1";
    let zero = "00".repeat(64);
    vec![
        Case::new("3.1 acceptance of OC Me artifacts", "signed and wrapped", from, of(&|_| ()), "envelopes: accepted"),
        Case::new(
            "12 oc me: all-zero signature",
            "the test fire of a webhook",
            "DOC me/webhooks.mdx",
            of(&|record| record["sig"] = json!(zero)),
            "envelopes: rejected; ENV_SIG_BAD",
        ),
        Case::new(
            "12 oc me: signature of another envelope",
            "a billable event with the signature of an empty object",
            from,
            of(&|record| record["sig"] = json!(signature("{}", 1))),
            "envelopes: rejected; ENV_SIG_BAD",
        ),
        Case::new(
            "12 oc me: unknown kid",
            "a billable event under a kid of no set",
            from,
            of(&|record| record["kid"] = json!("k9")),
            "envelopes: pending; KEY_UNKNOWN",
        ),
        Case::new(
            "12 oc me: wrapper field is not the signed one",
            "a billable event with another amount around it",
            from,
            of(&|record| record["user_earned_sats"] = json!(40)),
            "envelopes: rejected; ENV_WRAPPER_DISAGREES",
        ),
        Case::new(
            "3.1 acceptance of OC Me artifacts",
            "a wrapper that repeats the amount",
            from,
            of(&|record| record["user_earned_sats"] = json!(39)),
            "envelopes: accepted",
        ),
    ]
}
