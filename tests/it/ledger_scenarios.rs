//! What the ledgers owe to published vectors: fees to the satoshi, and replay as the reference's own tests do it.
//! Single codes end to end are in `scenarios`.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::collections::BTreeMap;

use reledger::domain::{Sats, UnixMicros};
use reledger::evidence::{AgentPrice, BillableEvent, EventClass, EventPrice, ProjectConfig, SitePays};
use reledger::ledger::{FeeError, compute_fees, fee_issues};
use serde_json::Value;

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/vectors/oc-me-client/{name}", env!("CARGO_MANIFEST_DIR"));
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

fn site_pays(value: &Value) -> Option<SitePays> {
    match value["kind"].as_str()? {
        "fixed_sats" => Some(SitePays::FixedSats(value["sats"].as_f64()?)),
        "percent_of_amount" => Some(SitePays::PercentOfAmount(value["pct"].as_f64()?)),
        _ => None,
    }
}

fn price(value: &Value) -> EventPrice {
    EventPrice {
        enabled: value["enabled"].as_bool().unwrap(),
        site_pays: site_pays(&value["site_pays"]),
        user_share_pct: value["user_share_pct"].as_f64().unwrap(),
        agent: value.get("agent").map(|agent| AgentPrice {
            site_pays: site_pays(&agent["site_pays"]),
            user_share_pct: agent["user_share_pct"].as_f64(),
            refuse: agent["refuse"].as_bool().unwrap_or(false),
        }),
    }
}

fn sats(value: &Value) -> Sats {
    Sats::new(value.as_u64().unwrap()).unwrap()
}

fn amount(value: &Value) -> Option<Sats> {
    value.as_u64().map(|amount| Sats::new(amount).unwrap())
}

#[test]
fn every_published_fee_comes_out_to_the_satoshi() {
    let cases = vectors("compute-fees.json");
    // FORMATS 4.5 speaks of 29 derived cases; the file as delivered holds 14. A file cut short must not pass.
    let with_status = |status: &str| cases.iter().filter(|case| case["status"] == status).count();
    assert_eq!((with_status("KNOWN"), with_status("DERIVED"), cases.len()), (12, 14, 26));
    for case in cases {
        let got = compute_fees(
            &price(&case["config"]),
            amount(&case["payment_amount_sats"]),
            case["is_agent"].as_bool().unwrap(),
        );
        let expected = &case["expected"];
        match expected.get("fees") {
            Some(fees) => {
                let got = got.unwrap();
                for (name, value) in [
                    ("gross_fee_sats", got.gross),
                    ("platform_fee_sats", got.platform),
                    ("user_earned_sats", got.user),
                    ("site_rebate_sats", got.rebate),
                ] {
                    assert_eq!(value, sats(&fees[name]), "{}: {name}", case["name"]);
                }
            }
            None => assert_eq!(got.unwrap_err().to_string(), expected["error"].as_str().unwrap(), "{}", case["name"]),
        }
    }
}

fn config(value: &Value) -> ProjectConfig {
    ProjectConfig {
        host: String::new(),
        project: value["project_key"].as_str().unwrap().into(),
        display_name: value["display_name"].as_str().unwrap().to_owned(),
        domain: value["domain"].as_str().unwrap().to_owned(),
        updated_at: value["updated_at"].as_str().unwrap().parse().ok(),
        events: value["events"].as_object().unwrap().iter().map(|(key, value)| (key.clone(), price(value))).collect(),
        problems: Vec::new(),
    }
}

fn event(value: &Value, payment_amount: Option<Sats>) -> BillableEvent {
    BillableEvent {
        v: 2,
        class: if value["class"] == "B" { EventClass::B } else { EventClass::C },
        subtype: value["subtype"].as_str().unwrap().to_owned(),
        occurred_at: value["occurred_at"].as_str().unwrap().parse().unwrap(),
        site: value["site"]["domain"].as_str().unwrap().to_owned(),
        user: "bc1quser".into(),
        project: None,
        gross: sats(&value["gross_fee_sats"]),
        platform: sats(&value["platform_fee_sats"]),
        user_earned: sats(&value["user_earned_sats"]),
        rebate: sats(&value["site_rebate_sats"]),
        is_agent: false,
        drop: None,
        payment_amount,
        idempotency_key: None,
    }
}

#[test]
fn replay_finds_what_the_reference_finds() {
    let cases = vectors("event-verify.json");
    assert_eq!(cases.len(), 6);
    for case in cases {
        let event = event(&case["envelope"], amount(&case["payment_amount_sats"]));
        let expected: Vec<&str> =
            case["expected"]["issues"].as_array().unwrap().iter().map(|issue| issue.as_str().unwrap()).collect();
        assert_eq!(fee_issues(&config(&case["config"]), &event), expected, "{}", case["name"]);
    }
}

/// The reference's verify never passes `is_agent` on (FORMATS 4.3); ours must.
#[test]
fn an_event_at_an_agent_price_agrees_with_its_config() {
    let agent = AgentPrice { site_pays: Some(SitePays::FixedSats(10.0)), user_share_pct: None, refuse: false };
    let price = EventPrice {
        enabled: true,
        site_pays: Some(SitePays::FixedSats(100.0)),
        user_share_pct: 0.65,
        agent: Some(agent),
    };
    let config = ProjectConfig {
        host: String::new(),
        project: "pk".into(),
        display_name: String::new(),
        domain: "test.co".to_owned(),
        updated_at: Some(UnixMicros(0)),
        events: BTreeMap::from([("session_creation".to_owned(), price.clone())]),
        problems: Vec::new(),
    };
    let sats = |sats| Sats::new(sats).unwrap();
    let mut billed = event(&vectors("event-verify.json")[0]["envelope"], None);
    // compute-fees.json, "agent site_pays override".
    (billed.gross, billed.platform, billed.user_earned, billed.rebate) = (sats(10), sats(2), sats(7), sats(1));
    billed.is_agent = true;
    assert_eq!(fee_issues(&config, &billed), Vec::<&str>::new());
    billed.is_agent = false;
    assert_eq!(fee_issues(&config, &billed).len(), 4);
    let refusing = EventPrice { agent: price.agent.map(|agent| AgentPrice { refuse: true, ..agent }), ..price };
    assert_eq!(compute_fees(&refusing, None, true), Err(FeeError::AgentRefused));
}
