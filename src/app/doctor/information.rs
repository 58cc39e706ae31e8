//! A relay's information document (NIP-11) against what is asked of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Patient;
use super::check::Check;
use super::evidence::listing;
use crate::substrate::Probed;

/// Members that relays use for the kinds that they take; NIP-11 has none but `retention`.
const ALLOWED: [&str; 3] = ["allowed_kinds", "allowedKinds", "kinds"];

pub(super) fn checks(patient: &Patient<'_>, url: &str, probed: &Probed) -> Vec<Check> {
    const NAME: &str = "relay.information";
    if probed.status.is_err() {
        return Vec::new();
    }
    let document = probed.refusal().is_none().then(|| serde_json::from_slice::<Value>(&probed.body).ok()).flatten();
    let Some(document) = document.filter(Value::is_object) else {
        let check = Check::warned(NAME, url, "has no information document (NIP-11): its limits are not known");
        return vec![check.with_hint("its page size is learned from its answers; a run works without")];
    };
    vec![Check::ok(NAME, url, summary(&document)), limits(url, &document), kinds(patient, url, &document)]
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64()
}

fn summary(document: &Value) -> String {
    let nips: BTreeSet<u64> =
        document["supported_nips"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let software = document["software"].as_str().filter(|text| !text.is_empty()).unwrap_or("unnamed software");
    let version = document["version"].as_str().unwrap_or_default();
    let pages = number(&document["limitation"]["max_limit"])
        .map_or_else(|| "page size not told".to_owned(), |limit| format!("pages of {limit}"));
    let offers = |nip: u64, name: &str| format!("{} {name}", if nips.contains(&nip) { "offers" } else { "no" });
    let named = format!("{software} {version}");
    format!("{}; {pages}; {}; {}", named.trim(), offers(77, "negentropy"), offers(45, "counts"))
}

/// Limits that keep us out, or contradict each other.
fn limits(url: &str, document: &Value) -> Check {
    const NAME: &str = "relay.limits";
    let limits = &document["limitation"];
    let is_true = |name: &str| limits[name].as_bool().unwrap_or(false);
    let (most, usual) = (number(&limits["max_limit"]), number(&limits["default_limit"]));
    if is_true("auth_required") {
        return Check::failed(NAME, url, "reads only for those who authenticate (NIP-42)")
            .with_hint("ask its operator for an archive, or leave the relay out");
    }
    if is_true("payment_required") {
        return Check::warned(NAME, url, "says that it must be paid")
            .with_hint("if it refuses questions, ask its operator for an archive");
    }
    if let Some(most) = most.filter(|most| *most < 2) {
        return Check::failed(NAME, url, format!("says that a page has at most {most} events"))
            .with_hint("no paging is possible; tell its operator that max_limit is wrong");
    }
    if let (Some(most), Some(usual)) = (most, usual)
        && usual > most
    {
        return Check::warned(NAME, url, format!("default_limit {usual} is above max_limit {most}"))
            .with_hint("one of the two is wrong; the smaller one counts until its pages say otherwise");
    }
    Check::ok(NAME, url, "let us read and page")
}

/// Kinds that are asked and that the relay says it does not keep.
fn kinds(patient: &Patient<'_>, url: &str, document: &Value) -> Check {
    const NAME: &str = "drift.kinds.relay";
    let refused: BTreeSet<String> = (patient.plan.policy.kinds.iter())
        .filter(|kind| !keeps(document, u64::from(**kind)))
        .map(ToString::to_string)
        .collect();
    if refused.is_empty() {
        Check::ok(NAME, url, "names no kind that it does not keep")
    } else {
        Check::failed(NAME, url, format!("does not keep {}", listing(&refused))).with_hint(
            "what it never kept must come from another relay or an archive; register a gap where that is known",
        )
    }
}

/// A list of allowed kinds that lacks it, or a retention of nothing for it (NIP-11 `retention`).
fn keeps(document: &Value, kind: u64) -> bool {
    let places = [document, &document["limitation"]];
    let lists = places.iter().flat_map(|place| ALLOWED.iter().filter_map(|name| place.get(*name)?.as_array()));
    let allowed = lists.into_iter().all(|list| list.iter().any(|entry| names(entry, kind)));
    let retained = document["retention"].as_array().into_iter().flatten().all(|rule| {
        let nothing = ["time", "count"].iter().any(|name| number(&rule[*name]) == Some(0));
        let named = rule["kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|entry| names(entry, kind)));
        !(nothing && named)
    });
    allowed && retained
}

/// A kind, or a range of kinds with both ends.
fn names(entry: &Value, kind: u64) -> bool {
    match entry {
        Value::Number(_) => entry.as_u64() == Some(kind),
        Value::Array(ends) => {
            let end = |at: usize| ends.get(at).and_then(Value::as_u64);
            matches!((end(0), end(1)), (Some(first), Some(last)) if (first..=last).contains(&kind))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_relay_keeps_what_it_does_not_rule_out() {
        for document in [
            json!({}),
            json!({"retention": [{"kinds": [0, [1, 7]], "time": 0}, {"time": 3600}]}),
            json!({"retention": [{"kinds": [30_087], "time": 3600, "count": 10}]}),
            json!({"allowed_kinds": [1, [30_078, 30_087]]}),
            json!({"limitation": {"kinds": [30_087]}}),
        ] {
            assert!(keeps(&document, 30_087), "{document}");
        }
        for document in [
            json!({"retention": [{"kinds": [[30_000, 39_999]], "time": 0}]}),
            json!({"retention": [{"kinds": [30_087], "count": 0}]}),
            json!({"allowed_kinds": [1, [30_078, 30_086]]}),
            json!({"limitation": {"allowedKinds": []}}),
        ] {
            assert!(!keeps(&document, 30_087), "{document}");
        }
    }

    #[test]
    fn limits_that_keep_us_out_or_contradict_each_other_are_told() {
        use crate::app::doctor::check::Health;
        let health = |limits: Value| limits_of(&limits);
        for fine in [json!({}), json!({"max_limit": 2, "default_limit": 2}), json!({"auth_required": false})] {
            assert_eq!(health(fine.clone()), Health::Ok, "{fine}");
        }
        assert_eq!(health(json!({"auth_required": true})), Health::Fail);
        assert_eq!(health(json!({"max_limit": 1})), Health::Fail);
        assert_eq!(health(json!({"max_limit": 100, "default_limit": 101})), Health::Warn);
        assert_eq!(health(json!({"payment_required": true})), Health::Warn);
    }

    fn limits_of(limits: &Value) -> crate::app::doctor::check::Health {
        super::limits("", &json!({"limitation": limits})).health
    }
}
