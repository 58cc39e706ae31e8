//! The published fee rule (FORMATS 4), in the doubles that it is published in.

use serde_json::Value;

use super::read::{Facts, Held, micros, parsed, sats, site};
use crate::domain::Code;

/// Gross, platform, user, rebate; in satoshi.
pub(super) type Split = [i128; 4];

/// FORMATS 4.4, by class.
const BUILT_IN: [(&str, &str); 3] = [
    (
        "A",
        "account_creation account_recovery attest_bond_increased kyc_tier_upgrade payment_method_connected \
         agent_delegation_issued recovery_method_updated",
    ),
    (
        "B",
        "payment_authorization scoped_action_authorization attest_verification_at_gate stamp_signing pledge_resolution",
    ),
    ("C", "session_creation"),
];

/// `Math.round` of a product of doubles; amounts are safe integers.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "FORMATS 4.2: the rule is one of doubles, and amounts stay below 2^53"
)]
fn rounded(amount: i128, share: f64) -> i128 {
    (amount as f64 * share).round() as i128
}

fn split(gross: i128, share: f64) -> Split {
    let platform = gross.min(rounded(gross, 0.2).max(1));
    let user = (gross - platform).min(rounded(gross, share.clamp(0.0, 0.8)));
    [gross, platform, user, gross - platform - user]
}

/// FORMATS 4.2. `None` when the price is a share of an amount that is not known; an error when nothing may be charged.
pub(super) fn compute(price: &Value, amount: Option<i128>, is_agent: bool) -> Option<Result<Split, ()>> {
    let agent = if is_agent { &price["agent"] } else { &Value::Null };
    if price["enabled"] != true || agent["refuse"] == true {
        return Some(Err(()));
    }
    let pays = if agent["site_pays"].is_object() { &agent["site_pays"] } else { &price["site_pays"] };
    let share = agent["user_share_pct"].as_f64().or(price["user_share_pct"].as_f64()).unwrap_or_default();
    let (amount, factor) = match pays["kind"].as_str() {
        Some("fixed_sats") => (1, pays["sats"].as_f64()),
        _ => (amount?, pays["pct"].as_f64()),
    };
    Some(Ok(split(rounded(amount, factor.unwrap_or_default()).max(1), share)))
}

/// FORMATS 4.3: what holds under every price.
fn holds_by_itself(held: &Held, [gross, platform, user, rebate]: Split) -> bool {
    let of_subtype = |(_, all): &&(&str, &str)| all.split(' ').any(|one| held.text("subtype") == Some(one));
    let class = BUILT_IN.iter().find(of_subtype).map(|(class, _)| *class);
    gross >= 1
        && platform + user + rebate == gross
        && platform == split(gross, 0.0)[1]
        && user <= rounded(gross, 0.8).min(gross - platform)
        && class.is_none_or(|class| held.text("class") == Some(class))
        && !site(&held.body).is_empty()
}

impl Facts<'_> {
    /// FEE_SPLIT and FEE_UNREPLAYABLE of every counted event, by the price list in force at its time.
    pub(super) fn fees(&self) {
        let lists: Vec<Value> = self.scene.world.configs.iter().map(|document| parsed(&document.json)).collect();
        for held in self.counted("oc-me-event") {
            let names = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];
            let charged = names.map(|name| sats(&held.body, name));
            let amount = held.body["context"]["payment_amount_sats"].as_u64().map(i128::from);
            let mut known: Vec<(i64, &Value)> = Vec::new();
            for list in lists.iter().filter(|list| list["project_key"] == held.body["project_key"]) {
                known.extend(micros(list, &["updated_at"]).filter(|since| *since <= held.time()).map(|at| (at, list)));
            }
            let price = known.iter().max_by_key(|(since, _)| *since).map(|(_, list)| &list["events"]);
            let subtype = held.text("subtype").unwrap_or_default();
            let right = price.and_then(|events| compute(&events[subtype], amount, held.body["is_agent"] == true));
            match right {
                _ if !holds_by_itself(held, charged) => self.open(Code::FeeSplit, held.subject()),
                None => self.open(Code::FeeUnreplayable, held.subject()),
                Some(right) if right == Ok(charged) => {}
                Some(_) => self.open(Code::FeeSplit, held.subject()),
            }
        }
    }
}
