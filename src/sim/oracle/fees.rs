//! The published fee rule (FORMATS 4), in the doubles that it is published in.

use serde_json::Value;

use super::read::{Facts, Held, micros, sats, site, text};
use crate::domain::Code;

/// Gross, platform, user, rebate; in satoshi.
type Split = [i128; 4];

const BUILT_IN: [(&str, &str); 13] = [
    ("account_creation", "A"),
    ("account_recovery", "A"),
    ("attest_bond_increased", "A"),
    ("kyc_tier_upgrade", "A"),
    ("payment_method_connected", "A"),
    ("agent_delegation_issued", "A"),
    ("recovery_method_updated", "A"),
    ("payment_authorization", "B"),
    ("scoped_action_authorization", "B"),
    ("attest_verification_at_gate", "B"),
    ("stamp_signing", "B"),
    ("pledge_resolution", "B"),
    ("session_creation", "C"),
];

/// `Math.round` of a non-negative product.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    reason = "FORMATS 4.2: the rule is one of doubles"
)]
fn rounded(left: f64, right: f64) -> i128 {
    // A product of an amount below 2^53 and a share is far below 2^127.
    (left * right).round() as i128
}

#[expect(clippy::cast_precision_loss, reason = "amounts are below 2^53")]
fn double(amount: i128) -> f64 {
    // FORMATS 0: safe integers only.
    amount as f64
}

/// What the rule makes of a gross amount.
fn split(gross: i128, share: f64) -> Split {
    let platform = gross.min(rounded(double(gross), 0.2).max(1));
    let user = (gross - platform).min(rounded(double(gross), share.clamp(0.0, 0.8)));
    [gross, platform, user, gross - platform - user]
}

/// FORMATS 4.2. `None` when the price is a share of an amount that is not known; an error when nothing may be charged.
pub(super) fn compute(price: &Value, amount: Option<i128>, is_agent: bool) -> Option<Result<Split, ()>> {
    let agent = if is_agent { &price["agent"] } else { &Value::Null };
    if agent["refuse"] == true {
        return Some(Err(()));
    }
    let pays = if agent["site_pays"].is_object() { &agent["site_pays"] } else { &price["site_pays"] };
    let share = agent["user_share_pct"].as_f64().or(price["user_share_pct"].as_f64()).unwrap_or_default();
    let gross = match pays["kind"].as_str() {
        Some("fixed_sats") => rounded(pays["sats"].as_f64().unwrap_or_default(), 1.0),
        _ => rounded(double(amount?), pays["pct"].as_f64().unwrap_or_default()),
    };
    Some(Ok(split(gross.max(1), share)))
}

/// FORMATS 4.3: what holds under every price.
fn holds_by_itself(held: &Held, charged: Split) -> bool {
    let [gross, platform, user, rebate] = charged;
    let most = split(gross, 0.8);
    let class = BUILT_IN.iter().find(|(subtype, _)| held.text("subtype") == Some(subtype)).map(|(_, class)| *class);
    gross >= 1
        && platform + user + rebate == gross
        && platform == most[1]
        && user <= rounded(double(gross), 0.8)
        && user <= gross - platform
        && class.is_none_or(|class| held.text("class") == Some(class))
        && !site(&held.body).is_empty()
}

impl Facts<'_> {
    /// The newest config of the project that was in force at that time.
    fn config(&self, held: &Held) -> Option<&Value> {
        let project = held.text("project_key")?;
        let of_project = self.configs.iter().map(|(config, _)| config).filter(|one| one["project_key"] == project);
        let dated = of_project.filter_map(|config| Some((micros(config, &["updated_at"])?, config)));
        dated.filter(|(since, _)| *since <= held.time()).max_by_key(|(since, _)| *since).map(|(_, config)| config)
    }

    /// FEE_SPLIT and FEE_UNREPLAYABLE of every counted event.
    pub(super) fn fees(&mut self) {
        let mut findings = Vec::new();
        for held in self.counted("oc-me-event") {
            let names = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];
            let charged = names.map(|name| sats(&held.body, name));
            let amount = held.body["context"]["payment_amount_sats"].as_u64().map(i128::from);
            let replayed =
                self.config(held).map(|config| &config["events"][text(&held.body, &["subtype"]).unwrap_or("")]);
            let replayed = replayed.map(|price| {
                let priced = price["enabled"] == true;
                if priced { compute(price, amount, held.body["is_agent"] == true) } else { Some(Err(())) }
            });
            if !holds_by_itself(held, charged) {
                findings.push((Code::FeeSplit, held.subject()));
                continue;
            }
            match replayed {
                None | Some(None) => findings.push((Code::FeeUnreplayable, held.subject())),
                Some(Some(Ok(right))) if right == charged => {}
                Some(Some(_)) => findings.push((Code::FeeSplit, held.subject())),
            }
        }
        findings.into_iter().for_each(|(code, subject)| self.open(code, subject));
    }
}
