//! Fees, replay and price configs (FORMATS 4 and 5).

use reledger::domain::Sats;
use reledger::evidence::{BillableEvent, Claim, Decoded, EventClass, ProjectConfig, project};
use reledger::ledger::{compute_fees, fee_issues};
use serde_json::{Value, json};

use super::case::{Case, Input, list, text, vector};

fn config(value: &Value) -> Result<ProjectConfig, String> {
    match project::decode("", value.to_string().as_bytes()) {
        Decoded::Claim(claim, findings) => {
            assert_eq!(findings, []);
            let Claim::ProjectConfig(config) = *claim else { panic!("it is a config") };
            Ok(config)
        }
        Decoded::Undecodable(findings) => Err(findings[0].observed.clone()),
    }
}

/// A config that sells one thing.
fn selling(price: &Value) -> Value {
    json!({"project_key": "pk", "display_name": "X", "domain": "x.example", "updated_at": "2026-05-04T00:00:00Z",
        "events": {"sold": price}})
}

fn sats(value: &Value) -> Sats {
    Sats::new(value.as_u64().unwrap()).unwrap()
}

fn amount(amount: Option<u64>) -> Option<Sats> {
    amount.map(|amount| Sats::new(amount).unwrap())
}

/// Gross, platform, user, rebate. The price is read as a config's is.
pub(super) fn computed(price: &Value, payment: Option<u64>, is_agent: bool) -> Result<String, String> {
    let config = config(&selling(price))?;
    let fees = compute_fees(&config.events["sold"], amount(payment), is_agent).map_err(|error| error.to_string())?;
    Ok(split([fees.gross, fees.platform, fees.user, fees.rebate].map(Sats::get)))
}

fn split(parts: [u64; 4]) -> String {
    parts.map(|part| part.to_string()).join("/")
}

const PARTS: [&str; 4] = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];

fn event(value: &Value, payment_amount: Option<Sats>, is_agent: bool) -> BillableEvent {
    let [gross, platform, user_earned, rebate] = PARTS.map(|name| sats(&value[name]));
    BillableEvent {
        v: if is_agent { 3 } else { 2 },
        class: if value["class"] == "B" { EventClass::B } else { EventClass::C },
        subtype: text(value, "/subtype").into(),
        occurred_at: text(value, "/occurred_at").parse().unwrap(),
        site: text(value, "/site/domain").into(),
        user: "bc1quser".into(),
        project: None,
        gross,
        platform,
        user_earned,
        rebate,
        is_agent,
        drop: None,
        payment_amount,
        idempotency_key: None,
    }
}

/// The issues by name; `ok` without any.
pub(super) fn replayed(of: &Value, envelope: &Value, payment: Option<u64>, is_agent: bool) -> String {
    let issues = fee_issues(&config(of).unwrap(), &event(envelope, amount(payment), is_agent));
    if issues.is_empty() { "ok".to_owned() } else { issues.join(", ") }
}

/// `valid`, else refused with every problem.
pub(super) fn validated(of: &Value) -> Result<String, String> {
    let problems = config(of)?.problems;
    if problems.is_empty() {
        return Ok("valid".to_owned());
    }
    Err(problems.iter().map(|(key, problem)| format!("{key}: {problem}")).collect::<Vec<_>>().join("; "))
}

pub(super) fn cases() -> Vec<Case> {
    [computations("oc-me-client/compute-fees.json"), computations("derived/compute-fees.json"), replays(), configs()]
        .concat()
}

fn computations(from: &str) -> Vec<Case> {
    let vector = vector(from);
    let case = |case: &Value| {
        let (name, expected) = (text(case, "/name"), &case["expected"]);
        let input = Input::Fees(case["config"].clone(), case["payment_amount_sats"].as_u64(), case["is_agent"] == true);
        if let Some(fees) = expected.get("fees") {
            let wanted = split(PARTS.map(|name| sats(&fees[name]).get()));
            return Case::new("4.2 computeFees", name, from, input, wanted);
        }
        let error = text(expected, "/error");
        let row = if error == "agent_refused" { "12 oc me: agent_refused" } else { "4.2 computeFees" };
        Case::refused(row, name, from, input, error)
    };
    list(&vector, "cases").iter().map(case).collect()
}

fn replays() -> Vec<Case> {
    let from = "oc-me-client/event-verify.json";
    let vector = vector(from);
    let mut cases = Vec::new();
    for case in list(&vector, "cases") {
        let name = text(case, "/name");
        let row = match name {
            "every diverging field" => "12 oc me: fee tamper 99/19/64/16",
            "subtype_unconfigured" | "subtype_disabled" | "percent_amount_missing" => {
                "12 oc me: subtype_unconfigured, subtype_disabled, percent_amount_missing"
            }
            _ => "4.3 replay",
        };
        let issues: Vec<&str> = list(&case["expected"], "issues").iter().map(|issue| issue.as_str().unwrap()).collect();
        let wanted = if issues.is_empty() { "ok".to_owned() } else { issues.join(", ") };
        let amount = case["payment_amount_sats"].as_u64();
        let input = Input::Replay(case["config"].clone(), case["envelope"].clone(), amount, false);
        cases.push(Case::new(row, name, from, input, wanted));
    }
    // The reference never passes `is_agent` on (FORMATS 4.3, defect a); a reader must.
    let first = &list(&vector, "cases")[0];
    let (mut of, mut envelope) = (first["config"].clone(), first["envelope"].clone());
    of["events"]["session_creation"]["agent"] = json!({"site_pays": {"kind": "fixed_sats", "sats": 10}});
    for (name, part) in PARTS.into_iter().zip([10, 2, 7, 1]) {
        envelope[name] = part.into();
    }
    let mut refusing = of.clone();
    refusing["events"]["session_creation"]["agent"]["refuse"] = true.into();
    let all = "gross_fee_sats, platform_fee_sats, site_rebate_sats, user_earned_sats";
    for (name, of, is_agent, wanted) in [
        ("an agent at the agents' price", &of, true, "ok"),
        ("a human at the agents' price", &of, false, all),
        ("an agent where agents are refused", &refusing, true, "agent_refused"),
    ] {
        let input = Input::Replay(of.clone(), envelope.clone(), None, is_agent);
        cases.push(Case::new("4.3 replay", name, "derived: event-verify.json, compute-fees.json", input, wanted));
    }
    cases
}

fn configs() -> Vec<Case> {
    let from = "oc-me-client/validate-config.json";
    let vector = vector(from);
    let mut cases = Vec::new();
    for case in list(&vector, "cases") {
        let (name, input) = (text(case, "/name"), Input::Config(case["config"].clone()));
        let mentions = list(&case["expected"], "error_mentions");
        assert_eq!(mentions.is_empty(), case["expected"]["ok"] == true);
        cases.push(match mentions {
            [] => Case::new("5 validateConfig", name, from, input, "valid"),
            [key] => {
                let row = "12 oc me: config with 0 sats, share 0.95";
                Case::refused(row, name, from, input, format!("{}: ", key.as_str().unwrap()))
            }
            more => panic!("{more:?}"),
        });
    }
    // FORMATS 4.2: the reference takes every other kind for a percentage; a reader rejects it.
    let odd = json!({"enabled": true, "site_pays": {"kind": "free_lunch", "sats": 1}, "user_share_pct": 0.5});
    let from = "derived: FORMATS 4.2, 5";
    let input = Input::Fees(odd.clone(), Some(100), false);
    cases.push(Case::refused("4.2 computeFees", "an unknown kind of price", from, input, "config_malformed"));
    let envelope = super::case::vector("oc-me-client/event-verify.json")["cases"][0]["envelope"].clone();
    let mut of = selling(&odd);
    of["events"] = json!({"session_creation": odd});
    let input = Input::Replay(of.clone(), envelope, None, false);
    cases.push(Case::new("4.3 replay", "an unknown kind of price", from, input, "config_malformed"));
    cases.push(Case::refused(
        "5 validateConfig",
        "an unknown kind of price",
        from,
        Input::Config(of),
        "session_creation: site_pays",
    ));
    let classed = |class: &str| json!({"enabled": true, "site_pays": {"kind": "fixed_sats", "sats": 1}, "user_share_pct": 0.5, "class": class, "label": "x"});
    cases.push(Case::new(
        "5 validateConfig",
        "a custom key with class and label",
        from,
        Input::Config(selling(&classed("B"))),
        "valid",
    ));
    let reason = "sold: class is \"D\", not A, B or C";
    cases.push(Case::refused(
        "5 validateConfig",
        "a class that is none",
        from,
        Input::Config(selling(&classed("D"))),
        reason,
    ));
    cases
}
