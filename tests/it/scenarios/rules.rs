//! What signed numbers owe to published rules: fees, amounts, drop windows, activity, caps.

use reledger::domain::sha256;
use reledger::sim::{Artifact, Document};
use serde_json::{Value, json};

use super::scene::{AS_OF, Put, Scene, iso, user_of};
use super::settlements::deposit;
use super::table::{Blame, Case, judge};

const EARLIER: i64 = AS_OF - 600;
const DAY: i64 = 86_400;

fn about(put: &Put) -> Blame {
    Blame::new("envelope", &put.id).citing("carrier", put.evidence)
}

fn add(body: &mut Value, name: &str, sats: i64) {
    body[name] = (body[name].as_i64().unwrap() + sats).into();
}

fn a_satoshi_more_for_the_user(scene: &mut Scene) -> Blame {
    let mut body = scene.event_at(EARLIER);
    add(&mut body, "user_earned_sats", 1);
    add(&mut body, "site_rebate_sats", -1);
    about(&scene.bill(&body))
}

/// The newest price list of the project of this event, with another time of validity.
fn reprice(scene: &mut Scene, body: &Value, valid_from: i64, subtype: &str, sats: u64) {
    let project = body["project_key"].as_str().unwrap();
    let held = scene.world.configs.iter().find(|document| document.json.contains(project)).unwrap();
    let mut config: Value = serde_json::from_str(&held.json).unwrap();
    config["updated_at"] = iso(valid_from).into();
    config["events"][subtype]["site_pays"] = json!({"kind": "fixed_sats", "sats": sats});
    scene.world.configs.push(Document { name: "later.json".to_owned(), json: config.to_string() });
}

fn a_price_that_changed_afterwards(scene: &mut Scene) {
    let body = scene.event_at(EARLIER);
    reprice(scene, &body, EARLIER + 1, body["subtype"].as_str().unwrap(), 7);
    scene.bill(&body);
}

fn percentage(scene: &mut Scene) -> Value {
    let body = scene.body(Artifact::Event, |body| body.get("context").is_some());
    scene.again(body, EARLIER)
}

fn a_percentage_of_nothing_known(scene: &mut Scene) -> Blame {
    let mut body = percentage(scene);
    body.as_object_mut().unwrap().remove("context");
    about(&scene.bill(&body))
}

fn a_percentage_of_a_known_amount(scene: &mut Scene) {
    let body = percentage(scene);
    scene.bill(&body);
}

fn charge(scene: &mut Scene, sats: u64) -> Put {
    let mut body = scene.body(Artifact::Payment, |_| true);
    body["sats_charged"] = sats.into();
    let carrier = scene.sign(&body);
    scene.put(carrier)
}

fn a_satoshi_above_the_supply(scene: &mut Scene) -> Blame {
    about(&charge(scene, 2_100_000_000_000_001))
}

fn the_whole_supply(scene: &mut Scene) {
    charge(scene, 2_100_000_000_000_000);
}

fn closed_by_height(body: &Value) -> bool {
    body["sealed_height"].is_u64()
}

fn manifest(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Blame {
    let put = scene.rewrite(Artifact::Drop, closed_by_height, edit);
    Blame::new("envelope", &put.id).citing("manifest", put.evidence)
}

fn a_total_of_one_more(scene: &mut Scene) -> Blame {
    manifest(scene, |body| add(body, "gross_fee_sats", 1))
}

fn another_label(scene: &mut Scene) {
    manifest(scene, |body| body["label"] = "another label".into());
}

fn another_root(scene: &mut Scene) -> Blame {
    manifest(scene, |body| body["events_root"] = sha256(b"another root").to_hex().into())
}

fn no_root(scene: &mut Scene) {
    manifest(scene, |body| body["events_root"] = Value::Null);
}

fn seal_later(scene: &mut Scene, seconds: i64) -> String {
    let mut window = String::new();
    manifest(scene, |body| {
        let sealed: reledger::domain::UnixSeconds = body["sealed_at"].as_str().unwrap().parse().unwrap();
        body["sealed_at"] = iso(sealed.0 + seconds).into();
        body["window_id"].as_str().unwrap().clone_into(&mut window);
    });
    window
}

fn sealed_five_days_late(scene: &mut Scene) -> Blame {
    Blame::new("window", seal_later(scene, 5 * DAY))
}

fn sealed_inside_the_valve(scene: &mut Scene) {
    seal_later(scene, 20 * 3_600);
}

fn attest(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Blame {
    let bundle: Value = serde_json::from_str(&scene.world.activity[0]).unwrap();
    let mut body = bundle["attestation"].clone();
    body.as_object_mut().unwrap().remove("id");
    edit(&mut body);
    let carrier = scene.sign(&body);
    let bundle = json!({
        "attestation": {"id": carrier.id}, "sig": carrier.content["sig"], "kid": carrier.content["kid"],
        "canonical_b64": carrier.content["canonical_b64"], "ots": carrier.content["ots"],
    });
    scene.world.activity[0] = bundle.to_string();
    let cited = super::scene::evidence(reledger::domain::Media::Activity, &scene.world.activity[0]);
    Blame::new("envelope", carrier.id).citing("carrier", cited)
}

fn an_event_too_many(scene: &mut Scene) -> Blame {
    attest(scene, |body| add(body, "event_count", 1))
}

fn a_later_expiry(scene: &mut Scene) {
    attest(scene, |body| body["expires_at"] = "2027-01-01T00:00:00Z".into());
}

/// The cheapest class A event of a user who has none but this project's events in September.
fn class_a(scene: &Scene) -> Value {
    let september = |body: &Value| body["occurred_at"].as_str().unwrap().starts_with("2026-09");
    let bodies: Vec<Value> = scene
        .world
        .envelopes
        .iter()
        .filter(|envelope| envelope.kind == Artifact::Event)
        .map(|envelope| serde_json::from_slice(&envelope.canonical).unwrap())
        .collect();
    let mut fitting: Vec<&Value> = bodies
        .iter()
        .filter(|body| body["class"] == "A")
        .filter(|body| !bodies.iter().any(|other| user_of(other) == user_of(body) && september(other)))
        .collect();
    fitting.sort_by_key(|body| body["gross_fee_sats"].as_u64());
    let mut body = fitting[0].clone();
    body.as_object_mut().unwrap().remove("drop");
    body
}

/// Bills the event so often a day before each of these days at noon.
fn bill_daily(scene: &mut Scene, days: &[(i64, u32)]) -> Blame {
    let template = class_a(scene);
    let count: u32 = days.iter().map(|(_, count)| count).sum();
    let gross = template["gross_fee_sats"].as_u64().unwrap();
    deposit(scene, template["project_key"].as_str().unwrap(), gross * u64::from(count));
    for (day, count) in days {
        for index in 0..*count {
            let body = scene.again(template.clone(), AS_OF - day * DAY + 43_200 + i64::from(index));
            scene.bill(&body);
        }
    }
    Blame::new("user", user_of(&template))
}

fn six_in_a_day(scene: &mut Scene) -> Blame {
    bill_daily(scene, &[(1, 6)])
}

fn five_in_a_day(scene: &mut Scene) {
    bill_daily(scene, &[(1, 5)]);
}

fn thirty_one_in_a_month(scene: &mut Scene) -> Blame {
    bill_daily(scene, &[(1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (6, 5), (7, 1)])
}

fn thirty_in_a_month(scene: &mut Scene) {
    bill_daily(scene, &[(1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (6, 5)]);
}

/// An event of a user whose only site in September is this one.
fn of_one_site(scene: &mut Scene) -> Value {
    let body = class_a(scene);
    let first = scene.again(body.clone(), AS_OF - 2 * DAY);
    deposit(scene, body["project_key"].as_str().unwrap(), 10_000);
    scene.bill(&first);
    body
}

fn most_from_one_of_two_sites(scene: &mut Scene) -> Blame {
    let first = of_one_site(scene);
    let most = first["user_earned_sats"].as_u64().unwrap();
    let mut other = scene.body(Artifact::Event, |body| {
        body["project_key"] != first["project_key"]
            && body["user_earned_sats"].as_u64().is_some_and(|sats| sats > 0 && sats * 3 < most * 2)
            && body.get("drop").is_none()
    });
    for name in ["user_address", "did_oc"] {
        other.as_object_mut().unwrap().remove(name);
        if let Some(user) = first.get(name) {
            other[name] = user.clone();
        }
    }
    let other = scene.again(other, AS_OF - DAY);
    scene.bill(&other);
    Blame::new("site", first["site"]["domain"].as_str().unwrap())
}

fn all_from_one_site(scene: &mut Scene) {
    let body = of_one_site(scene);
    let second = scene.again(body, AS_OF - DAY);
    scene.bill(&second);
}

/// One account creation at a price of its own: 20 % platform, the project's share for the user, the rest rebate.
fn one_dear_event(scene: &mut Scene, gross: i64, user: i64) -> Blame {
    let body = class_a(scene);
    let mut body = scene.again(body, EARLIER);
    let share: Value = json!(0.75);
    let project = body["project_key"].as_str().unwrap().to_owned();
    body["subtype"] = "account_creation".into();
    body["gross_fee_sats"] = gross.into();
    body["platform_fee_sats"] = (gross / 5).into();
    body["user_earned_sats"] = user.into();
    body["site_rebate_sats"] = (gross - gross / 5 - user).into();
    reprice(scene, &body, EARLIER - 60, "account_creation", gross.unsigned_abs());
    let list = scene.world.configs.last_mut().unwrap();
    let mut config: Value = serde_json::from_str(&list.json).unwrap();
    config["events"]["account_creation"]["user_share_pct"] = share;
    list.json = config.to_string();
    deposit(scene, &project, gross.unsigned_abs());
    scene.bill(&body);
    Blame::new("user", user_of(&body))
}

fn earnings_at_the_threshold(scene: &mut Scene) -> Blame {
    one_dear_event(scene, 70_136, 52_602)
}

fn earnings_below_the_threshold(scene: &mut Scene) {
    one_dear_event(scene, 70_132, 52_599);
}

#[test]
fn every_fault_of_an_amount_has_its_code() {
    judge(&[
        Case {
            code: "FEE_SPLIT",
            severity: "error",
            exit: 1,
            fault: a_satoshi_more_for_the_user,
            beside: &[],
            near_miss: a_price_that_changed_afterwards,
            near_miss_beside: &[],
        },
        Case {
            code: "FEE_UNREPLAYABLE",
            severity: "info",
            exit: 3,
            fault: a_percentage_of_nothing_known,
            // The replay is owed, since price lists are declared.
            beside: &["UNVERIFIABLE"],
            near_miss: a_percentage_of_a_known_amount,
            near_miss_beside: &[],
        },
        Case {
            code: "AMT_RANGE",
            severity: "critical",
            exit: 1,
            fault: a_satoshi_above_the_supply,
            beside: &[],
            near_miss: the_whole_supply,
            near_miss_beside: &[],
        },
        Case {
            code: "ACTIVITY_MISMATCH",
            severity: "error",
            exit: 1,
            fault: an_event_too_many,
            beside: &[],
            near_miss: a_later_expiry,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_fault_of_a_drop_window_has_its_code() {
    judge(&[
        Case {
            code: "DROP_TOTALS",
            severity: "critical",
            exit: 1,
            fault: a_total_of_one_more,
            beside: &[],
            near_miss: another_label,
            near_miss_beside: &[],
        },
        Case {
            code: "DROP_ROOT",
            severity: "warn",
            exit: 0,
            fault: another_root,
            beside: &[],
            near_miss: no_root,
            near_miss_beside: &[],
        },
        Case {
            code: "DROP_WINDOW",
            severity: "error",
            exit: 1,
            fault: sealed_five_days_late,
            beside: &[],
            near_miss: sealed_inside_the_valve,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_breach_of_a_published_limit_has_its_code() {
    judge(&[
        Case {
            code: "CAP_CLASS_A_DAY",
            severity: "warn",
            exit: 0,
            fault: six_in_a_day,
            beside: &[],
            near_miss: five_in_a_day,
            near_miss_beside: &[],
        },
        Case {
            code: "CAP_CLASS_A_MONTH",
            severity: "warn",
            exit: 0,
            fault: thirty_one_in_a_month,
            beside: &[],
            near_miss: thirty_in_a_month,
            near_miss_beside: &[],
        },
        Case {
            code: "CAP_SITE_SHARE",
            severity: "warn",
            exit: 0,
            fault: most_from_one_of_two_sites,
            beside: &[],
            near_miss: all_from_one_site,
            near_miss_beside: &[],
        },
        Case {
            code: "CAP_REVIEW",
            severity: "info",
            exit: 0,
            fault: earnings_at_the_threshold,
            beside: &[],
            near_miss: earnings_below_the_threshold,
            near_miss_beside: &[],
        },
    ]);
}
