//! The published fee rule (FORMATS 4), in the doubles that it is published in.

use serde_json::Value;

use super::read::{Facts, Held, micros};
use crate::domain::Code;

/// Gross, platform, user, rebate; in satoshi.
pub(super) type Split = [i128; 4];

/// FORMATS 4.4.
const CLASS_A: &str = "account_creation account_recovery attest_bond_increased kyc_tier_upgrade \
                       payment_method_connected agent_delegation_issued recovery_method_updated";
const CLASS_B: &str = "payment_authorization scoped_action_authorization attest_verification_at_gate stamp_signing \
                       pledge_resolution";

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
    let classes = [("A", CLASS_A), ("B", CLASS_B), ("C", "session_creation")];
    let of_subtype = |all: &str| all.split(' ').any(|one| held.text("subtype") == Some(one));
    gross >= 1
        && platform + user + rebate == gross
        && platform == split(gross, 0.0)[1]
        && user <= rounded(gross, 0.8).min(gross - platform)
        && classes.iter().all(|(class, all)| !of_subtype(all) || held.text("class") == Some(class))
        && !held.site().is_empty()
}

impl Facts<'_> {
    /// FEE_SPLIT and FEE_UNREPLAYABLE of every counted event, by the price list in force at its time.
    pub(super) fn fees(&self) {
        for held in self.events() {
            let names = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];
            let charged = names.map(|name| held.sats(name));
            let amount = held.body["context"]["payment_amount_sats"].as_u64().map(i128::from);
            let lists = self.price_lists.iter().filter(|list| list["project_key"] == held.body["project_key"]);
            let dated = lists.filter_map(|list| Some((micros(list, &["updated_at"])?, &list["events"])));
            let in_force = dated.filter(|(since, _)| *since <= held.time()).max_by_key(|(since, _)| *since);
            let price = in_force.map(|(_, events)| &events[held.text("subtype").unwrap_or_default()]);
            let right = price.and_then(|price| compute(price, amount, held.body["is_agent"] == true));
            let is_wrong = !holds_by_itself(held, charged) || right.is_some_and(|right| right != Ok(charged));
            self.when(is_wrong, Code::FeeSplit, held.subject());
            self.when(!is_wrong && right.is_none(), Code::FeeUnreplayable, held.subject());
        }
    }
}
