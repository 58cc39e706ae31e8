//! The published fee rule and its replay (FORMATS 4). The only place in the core that computes with doubles.

use crate::domain::Sats;
use crate::evidence::{BillableEvent, EventClass, EventPrice, ProjectConfig, SitePays};

/// The four parts of one billed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// What the site pays.
    pub gross: Sats,
    /// The platform's part.
    pub platform: Sats,
    /// The user's part.
    pub user: Sats,
    /// What is left: the site's rebate.
    pub rebate: Sats,
}

/// Why the rule gives no fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    /// The project refuses agents for this event (HTTP 422 at the operator).
    #[error("agent_refused")]
    AgentRefused,
    /// The price is neither a fixed number of satoshi nor a share of an amount.
    #[error("config_malformed")]
    Malformed,
    /// A share of an amount was asked for and the amount is not known.
    #[error("percent_amount_missing")]
    AmountMissing,
    /// The result is above the supply.
    #[error("amount out of range")]
    OutOfRange,
}

/// Computes the fees of one event exactly as published (FORMATS 4.2): products are IEEE-754 doubles, rounded to the nearest
/// integer with ties up, and the user's share is of *gross*.
///
/// Does not look at `enabled`; replay does.
///
/// # Errors
/// [`FeeError`] when the rule has no answer for this price and amount.
#[expect(
    clippy::float_arithmetic,
    reason = "the published rule is doubles; exact decimals differ in 156 of 322,000 cases"
)]
#[expect(clippy::cast_precision_loss, reason = "an amount is at most 2.1e15, below 2^53")]
pub fn compute_fees(price: &EventPrice, payment_amount: Option<Sats>, is_agent: bool) -> Result<Fees, FeeError> {
    let agent = price.agent.as_ref().filter(|_| is_agent);
    if agent.is_some_and(|agent| agent.refuse) {
        return Err(FeeError::AgentRefused);
    }
    let site_pays = agent.and_then(|agent| agent.site_pays).or(price.site_pays).ok_or(FeeError::Malformed)?;
    let share = share_of(price, is_agent);
    let unrounded = match site_pays {
        SitePays::FixedSats(sats) => sats,
        SitePays::PercentOfAmount(pct) => payment_amount.ok_or(FeeError::AmountMissing)?.get() as f64 * pct,
    };
    // For x >= 0 `f64::round` equals JavaScript's Math.round; `max` hides the difference below zero.
    let gross = unrounded.round().max(1.0);
    let platform = (gross * 0.2).round().max(1.0).min(gross);
    let user = (gross * share).round().min(gross - platform);
    Ok(Fees {
        gross: sats(gross)?,
        platform: sats(platform)?,
        user: sats(user)?,
        rebate: sats(gross - platform - user)?,
    })
}

/// The user's share within its published bounds.
fn share_of(price: &EventPrice, is_agent: bool) -> f64 {
    let agent = price.agent.as_ref().filter(|_| is_agent);
    agent.and_then(|agent| agent.user_share_pct).unwrap_or(price.user_share_pct).clamp(0.0, 0.8)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is checked to lie in 0..=2.1e15 before it is cast"
)]
fn sats(value: f64) -> Result<Sats, FeeError> {
    if !(0.0..=2.1e15).contains(&value) {
        return Err(FeeError::OutOfRange);
    }
    Sats::new(value as u64).map_err(|_| FeeError::OutOfRange)
}

/// True when the event's split is what one page of the operator describes, against code and demos: the user's share taken
/// of what the platform leaves, not of gross (FORMATS 4.2, `fee_rule_variant_post_platform`).
#[expect(clippy::float_arithmetic, reason = "the same doubles as in the published rule")]
#[expect(clippy::cast_precision_loss, reason = "an amount is at most 2.1e15, below 2^53")]
fn is_post_platform(price: &EventPrice, event: &BillableEvent, fees: Fees) -> bool {
    let Some(left) = fees.gross.checked_sub(fees.platform) else { return false };
    let user = sats((left.get() as f64 * share_of(price, event.is_agent)).round());
    (event.gross, event.platform) == (fees.gross, fees.platform)
        && user == Ok(event.user_earned)
        && left.checked_sub(event.user_earned) == Some(event.rebate)
}

/// Compares an event with one price config, as `event.verify` of the reference does (FORMATS 4.3), but with `is_agent`
/// passed on. Returns the names of what disagrees, sorted; none when it agrees.
pub fn fee_issues(config: &ProjectConfig, event: &BillableEvent) -> Vec<&'static str> {
    match replay(config, event) {
        Replay::Agrees => Vec::new(),
        Replay::Differs(difference) => difference.fields,
        Replay::Forbidden(reason) | Replay::Unknown(reason) => vec![reason],
    }
}

/// What replaying one event under one config says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    /// All four amounts agree.
    Agrees,
    /// Named members differ from the rule's result, or from the catalogue.
    Differs(Difference),
    /// The config does not allow this event to be billed at all.
    Forbidden(&'static str),
    /// The rule has no answer with what is known.
    Unknown(&'static str),
}

/// What a replay finds wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The members, sorted.
    pub(crate) fields: Vec<&'static str>,
    /// The rule's result; `None` when it has none and only the class differs.
    pub(crate) fees: Option<Fees>,
    /// The class that the catalogue states, when the event has another.
    pub(crate) class: Option<EventClass>,
    /// The split follows the rule that the operator's page describes.
    pub(crate) post_platform: bool,
}

pub(crate) fn replay(config: &ProjectConfig, event: &BillableEvent) -> Replay {
    let Some(price) = config.events.get(event.subtype.as_str()) else {
        return Replay::Forbidden("subtype_unconfigured");
    };
    if !price.enabled {
        return Replay::Forbidden("subtype_disabled");
    }
    // The class of a built-in subtype is an invariant; that of a custom key is what the catalogue says (FORMATS 4.3, 4.4).
    let is_custom = class_of(event.subtype.as_str()).is_none();
    let class = price.class.filter(|class| is_custom && *class != event.class);
    match compute_fees(price, event.payment_amount, event.is_agent) {
        Ok(fees) => {
            let mut fields = if class.is_some() { vec!["class"] } else { Vec::new() };
            for (name, computed, recorded) in [
                ("gross_fee_sats", fees.gross, event.gross),
                ("platform_fee_sats", fees.platform, event.platform),
                ("site_rebate_sats", fees.rebate, event.rebate),
                ("user_earned_sats", fees.user, event.user_earned),
            ] {
                if computed != recorded {
                    fields.push(name);
                }
            }
            let post_platform = is_post_platform(price, event, fees);
            let difference = Difference { fields, fees: Some(fees), class, post_platform };
            if difference.fields.is_empty() { Replay::Agrees } else { Replay::Differs(difference) }
        }
        Err(FeeError::Malformed | FeeError::AmountMissing | FeeError::OutOfRange) if class.is_some() => {
            Replay::Differs(Difference { fields: vec!["class"], fees: None, class, post_platform: false })
        }
        Err(FeeError::AgentRefused) => Replay::Forbidden("agent_refused"),
        Err(FeeError::Malformed) => Replay::Unknown("config_malformed"),
        Err(FeeError::AmountMissing) => Replay::Unknown("percent_amount_missing"),
        Err(FeeError::OutOfRange) => Replay::Unknown("price_out_of_range"),
    }
}

/// The invariants that hold without any config (FORMATS 4.3). Returns the names of the broken ones.
///
/// 20 % and 80 % of an integer never fall on a tie, so integers reproduce the doubles here.
pub(crate) fn broken_invariants(event: &BillableEvent) -> Vec<&'static str> {
    let [gross, platform, user, rebate] =
        [event.gross, event.platform, event.user_earned, event.rebate].map(|sats| u128::from(sats.get()));
    let rules = [
        ("gross_below_one", gross >= 1),
        ("parts_do_not_sum_to_gross", platform + user + rebate == gross),
        ("platform_fee_sats", platform == ((gross * 2 + 5) / 10).max(1).min(gross)),
        ("user_above_80_percent", user <= (gross * 8 + 5) / 10),
        ("user_above_remainder", user + platform <= gross),
        ("class", class_of(event.subtype.as_str()).is_none_or(|class| class == event.class)),
        ("site_empty", !event.site.as_str().trim().is_empty()),
    ];
    rules.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect()
}

/// True for a custom key whose class none of these configs states.
pub(crate) fn class_is_unknown(event: &BillableEvent, configs: &[&ProjectConfig]) -> bool {
    let states =
        |config: &&ProjectConfig| config.events.get(event.subtype.as_str()).is_some_and(|price| price.class.is_some());
    class_of(event.subtype.as_str()).is_none() && !configs.iter().any(states)
}

/// The class of a built-in subtype (FORMATS 4.4); `None` for a custom key.
fn class_of(subtype: &str) -> Option<EventClass> {
    Some(match subtype {
        "account_creation"
        | "account_recovery"
        | "attest_bond_increased"
        | "kyc_tier_upgrade"
        | "payment_method_connected"
        | "agent_delegation_issued"
        | "recovery_method_updated" => EventClass::A,
        "payment_authorization"
        | "scoped_action_authorization"
        | "attest_verification_at_gate"
        | "stamp_signing"
        | "pledge_resolution" => EventClass::B,
        "session_creation" => EventClass::C,
        _ => return None,
    })
}
