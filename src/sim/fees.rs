//! The published fee rule, written a second time and by another way than the auditor's (FORMATS 4.2).

use super::prices::{Pays, Price};

/// The four amounts of a billable event, in satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Split {
    pub(super) gross: u64,
    pub(super) platform: u64,
    pub(super) user: u64,
    pub(super) rebate: u64,
}

/// What an event costs. `payment` is the amount that a percentage applies to.
pub(super) fn split(price: &Price, is_agent: bool, payment: u32) -> Split {
    let agent = price.agent.filter(|_| is_agent);
    let pays = agent.and_then(|agent| agent.pays).unwrap_or(price.pays);
    let share = agent.and_then(|agent| agent.share).unwrap_or(price.share);
    let gross = match pays {
        Pays::Fixed(sats) => u64::from(sats).max(1),
        Pays::Percent(percent) => product(u64::from(payment), percent).max(1),
    };
    // A fifth, ties up: integers give what the doubles give far beyond any price here (TREASURY 5.3).
    let platform = ((2 * gross + 5) / 10).max(1).min(gross);
    let user = product(gross, share).min(product(gross, "0.8")).min(gross - platform);
    Split { gross, platform, user, rebate: gross - platform - user }
}

/// `Math.round(amount * factor)`: the product is a double before it is rounded, ties go up.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the published rule is doubles; amounts here are far below 2^53 and never negative"
)]
fn product(amount: u64, factor: &str) -> u64 {
    let factor: f64 = factor.parse().unwrap_or(0.0);
    let exact = amount as f64 * factor;
    let floor = exact.floor();
    if exact - floor >= 0.5 { floor as u64 + 1 } else { floor as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::prices::AgentPrice;

    fn price(pays: Pays, share: &'static str) -> Price {
        Price { subtype: "stamp_signing", class: 'B', pays, share, agent: None, enabled: true }
    }

    fn amounts(split: Split) -> [u64; 4] {
        [split.gross, split.platform, split.user, split.rebate]
    }

    #[test]
    fn published_cases_come_out_as_published() {
        // FORMATS 4.5, results marked KNOWN.
        for (pays, share, payment, expected) in [
            (Pays::Fixed(1300), "0.65", 0, [1300, 260, 845, 195]),
            (Pays::Fixed(1), "0.65", 0, [1, 1, 0, 0]),
            (Pays::Percent("0.0075"), "0.65", 240_000, [1800, 360, 1170, 270]),
            (Pays::Fixed(1000), "0", 0, [1000, 200, 0, 800]),
            (Pays::Fixed(1000), "0.95", 0, [1000, 200, 800, 0]),
            (Pays::Percent("0.005"), "0.75", 410_000, [2050, 410, 1538, 102]),
            (Pays::Fixed(60), "0.65", 0, [60, 12, 39, 9]),
        ] {
            assert_eq!(amounts(split(&price(pays, share), false, payment)), expected, "{share}");
        }
        // 50 x 0.57 is 28.499999999999996 as a double.
        assert_eq!(product(50, "0.57"), 28);
        assert_eq!(product(150, "0.07"), 11);
    }

    #[test]
    fn an_agent_price_applies_to_agents_only() {
        let mut price = price(Pays::Fixed(100), "0.65");
        price.agent = Some(AgentPrice { pays: Some(Pays::Fixed(40)), share: Some("0.5"), refuse: false });
        assert_eq!(amounts(split(&price, true, 0)), [40, 8, 20, 12]);
        assert_eq!(amounts(split(&price, false, 0)), [100, 20, 65, 15]);
    }
}
