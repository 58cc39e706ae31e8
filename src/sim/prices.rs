//! What projects charge: templates, and the documents by which a project changed its prices over time (FORMATS 4.4, 5).

use super::json::{Object, pretty};
use super::rng::Rng;
use super::time::{AS_OF, DAY, Millis, START, iso_millis};

/// What a site pays for an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pays {
    /// Satoshi.
    Fixed(u32),
    /// A share of the payment amount, as the document writes it.
    Percent(&'static str),
}

/// Overrides for agents.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AgentPrice {
    pub(super) pays: Option<Pays>,
    pub(super) share: Option<&'static str>,
    pub(super) refuse: bool,
}

/// One price of a project.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    pub(super) subtype: &'static str,
    pub(super) class: char,
    pub(super) pays: Pays,
    pub(super) share: &'static str,
    pub(super) agent: Option<AgentPrice>,
    pub(super) enabled: bool,
}

/// A price document, valid from its `updated_at` until the next one's.
#[derive(Debug, Clone)]
pub(super) struct PriceList {
    pub(super) from: Millis,
    pub(super) prices: Vec<Price>,
}

/// The index of the percentage prices: these events come with a payment.
pub(super) const PAYMENT_PRICES: [usize; 2] = [0, 6];
/// The index of the price that may belong to a drop window.
pub(super) const DROP_PRICE: usize = 2;
/// A fixed class B price that is always on: what an event becomes that may not be what it was planned as.
pub(super) const PLAIN_PRICE: usize = 2;
/// How often each price is asked for.
pub(super) const DEMAND: [(usize, u64); PRICES] = [
    (0, 26),
    (1, 16),
    (2, 16),
    (3, 14),
    (4, 6),
    (5, 5),
    (6, 4),
    (7, 4),
    (8, 1),
    (9, 2),
    (10, 1),
    (11, 1),
    (12, 2),
    (13, 2),
];

const PRICES: usize = 14;
/// Subtypes in the order of a list: an index means one subtype in every project. The last two are custom event keys, whose
/// class only the project's catalogue tells.
const SUBTYPES: [(&str, char); PRICES] = [
    ("payment_authorization", 'B'),
    ("scoped_action_authorization", 'B'),
    ("stamp_signing", 'B'),
    ("session_creation", 'C'),
    ("account_creation", 'A'),
    ("attest_bond_increased", 'A'),
    ("pledge_resolution", 'B'),
    ("attest_verification_at_gate", 'B'),
    ("account_recovery", 'A'),
    ("payment_method_connected", 'A'),
    ("agent_delegation_issued", 'A'),
    ("recovery_method_updated", 'A'),
    ("loyalty.check-in", 'C'),
    ("zine_download", 'B'),
];
const PERCENTS: [&str; 6] = ["0.005", "0.0075", "0.01", "0.0033", "0.02", "0.004"];
const SHARES: [&str; 12] =
    ["0.75", "0.65", "0.57", "0.145", "0.8", "0.5", "0.7", "0.29", "0.07", "0.35", "0.45", "0.66"];

/// A project as its founders made it.
pub(super) struct Template {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    /// When its first document was published, before history begins.
    published: Millis,
    shares: [&'static str; 3],
    fixed: [u32; 5],
}

/// The projects in order of founding.
pub(super) const TEMPLATES: [Template; 6] = [
    Template {
        name: "Caf\u{e9} Satoshi",
        domain: "cafe.example",
        published: START - 30 * DAY + 34_200_000,
        shares: ["0.75", "0.65", "0.57"],
        fixed: [60, 21, 130, 1300, 640],
    },
    Template {
        name: "Stamp & Ship",
        domain: "stamp.example",
        published: START - 21 * DAY,
        shares: ["0.65", "0.145", "0.8"],
        fixed: [100, 5, 80, 1000, 900],
    },
    Template {
        name: "Relay \"Nine\"",
        domain: "relay9.example",
        published: START - 12 * DAY + 60_312_500,
        shares: ["0.5", "0.7", "0.65"],
        fixed: [50, 9, 55, 777, 1450],
    },
    Template {
        name: "Pledge House",
        domain: "pledge.example",
        published: START - 32 * DAY + 43_200_000,
        shares: ["0.29", "0.65", "0.07"],
        fixed: [150, 50, 42, 1111, 333],
    },
    Template {
        name: "Agents/Guild",
        domain: "guild.example",
        published: START - 4 * DAY + 29_288_000,
        shares: ["0.8", "0.35", "0.45"],
        fixed: [75, 33, 27, 1500, 501],
    },
    Template {
        name: "Node Watch",
        domain: "watch.example",
        published: START - 2 * DAY + 86_399_000,
        shares: ["0.6", "0", "0.66"],
        fixed: [90, 11, 64, 820, 700],
    },
];

/// The documents of the project founded as that template, oldest first: one to three.
pub(super) fn price_lists(template: &Template, rng: &mut Rng) -> Vec<PriceList> {
    let mut lists = vec![PriceList { from: template.published, prices: first_prices(template, rng) }];
    for change in 0..rng.index(3) {
        // The last change is old enough for every late event to fall under one list.
        let day = if change == 0 { rng.range(9, 55) } else { rng.range(60, 105) };
        let from = START + day * DAY + rng.range(0, DAY - 1);
        debug_assert!(from < AS_OF - DAY);
        let prices = lists.last().map(|list| list.prices.iter().map(|price| changed(*price, rng)).collect());
        lists.push(PriceList { from, prices: prices.unwrap_or_default() });
    }
    lists
}

fn first_prices(template: &Template, rng: &mut Rng) -> Vec<Price> {
    let [first, second, third] = template.shares;
    let [action, session, stamp, account, bond] = template.fixed;
    let shares = [first, second, third, second, first, second];
    let fixed = [0, action, stamp, session, account, bond];
    let mut prices = Vec::with_capacity(PRICES);
    for (index, (subtype, class)) in SUBTYPES.into_iter().enumerate() {
        let drawn = match class {
            'A' => rng.range(200, 1_500),
            'B' => rng.range(20, 160),
            _ => rng.range(1, 50),
        };
        let sats = fixed.get(index).copied().unwrap_or_else(|| u32::try_from(drawn).unwrap_or(1));
        let is_percent = PAYMENT_PRICES.contains(&index);
        let pays = if is_percent { Pays::Percent(rng.pick(&PERCENTS)) } else { Pays::Fixed(sats) };
        let share = shares.get(index).copied().unwrap_or_else(|| rng.pick(&SHARES));
        let agent = match index {
            1 => Some(AgentPrice { pays: Some(Pays::Fixed(action / 2)), share: Some("0.3"), refuse: false }),
            2 => Some(AgentPrice { share: Some("0.5"), ..AgentPrice::default() }),
            3 => Some(AgentPrice { refuse: true, ..AgentPrice::default() }),
            7 => Some(AgentPrice { share: Some("0"), ..AgentPrice::default() }),
            _ => None,
        };
        prices.push(Price { subtype, class, pays, share, agent, enabled: true });
    }
    prices
}

/// A price as the next document has it: half of them stay as they are, custom keys may be switched off.
fn changed(price: Price, rng: &mut Rng) -> Price {
    let mut next = price;
    let is_custom = SUBTYPES.iter().rev().take(2).any(|(subtype, _)| *subtype == price.subtype);
    next.enabled = !is_custom || rng.chance(60);
    if rng.chance(50) {
        next.share = rng.pick(&SHARES);
        next.pays = match price.pays {
            // Stays below 1,950 satoshi in three documents, so that class A earnings stay below the review threshold.
            Pays::Fixed(sats) => Pays::Fixed((sats * u32::try_from(rng.range(75, 114)).unwrap_or(100) / 100).max(1)),
            Pays::Percent(_) => Pays::Percent(rng.pick(&PERCENTS)),
        };
    }
    next
}

impl PriceList {
    /// The published document (FORMATS 5), as `JSON.stringify(config, null, 2)` and a line feed.
    pub(super) fn document(&self, key: &str, name: &str, domain: &str) -> String {
        let events = self.prices.iter().enumerate().fold(Object::new(), |events, (index, price)| {
            let mut entry = Object::new()
                .plain("enabled", price.enabled)
                .raw("site_pays", pays(price.pays).compact())
                .raw("user_share_pct", price.share);
            if let Some(agent) = price.agent {
                entry = entry.raw("agent", overrides(agent).compact());
            }
            if index + 2 >= PRICES {
                entry = entry.plain_text("class", price.class).text("label", price.subtype.replace(['.', '_'], " "));
            }
            events.raw(price.subtype, entry.compact())
        });
        let config = Object::new()
            .text("project_key", key)
            .text("display_name", name)
            .text("domain", domain)
            .text("updated_at", iso_millis(self.from))
            .raw("events", events.compact());
        format!("{}\n", pretty(&config.compact()))
    }
}

fn overrides(agent: AgentPrice) -> Object {
    let mut overrides = Object::new();
    if let Some(agent_pays) = agent.pays {
        overrides = overrides.raw("site_pays", pays(agent_pays).compact());
    }
    if let Some(share) = agent.share {
        overrides = overrides.raw("user_share_pct", share);
    }
    if agent.refuse {
        overrides = overrides.plain("refuse", true);
    }
    overrides
}

fn pays(pays: Pays) -> Object {
    match pays {
        Pays::Fixed(sats) => Object::new().text("kind", "fixed_sats").plain("sats", sats),
        Pays::Percent(percent) => Object::new().text("kind", "percent_of_amount").raw("pct", percent),
    }
}
