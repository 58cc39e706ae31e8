//! Who takes part: integrator projects with their prices, and users.

use bitcoin::key::Keypair;

use super::json::{Object, pretty};
use super::keys::{KeyMaker, Wallet};
use super::rng::Rng;

/// What a site pays for an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pays {
    /// Satoshi.
    Fixed(u32),
    /// A share of the payment amount, as the document writes it.
    Percent(&'static str),
}

/// Overrides for agents.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentPrice {
    pub(super) pays: Option<Pays>,
    pub(super) share: Option<&'static str>,
}

/// One price of a project.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    pub(super) subtype: &'static str,
    pub(super) class: char,
    pub(super) pays: Pays,
    pub(super) share: &'static str,
    pub(super) agent: Option<AgentPrice>,
}

/// An integrator project.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) key: String,
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) prices: Vec<Price>,
    pub(super) updated_at: &'static str,
    /// Where rebates and refunds go.
    pub(super) destination: String,
}

/// A user: an address, or an opaque `did:oc:` with an address and a Nostr key of their own.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) key: String,
    pub(super) is_did: bool,
    pub(super) wallet: Wallet,
    pub(super) nostr: Keypair,
    pub(super) handle: String,
    /// Payout destinations, first and later.
    pub(super) destinations: [String; 2],
}

impl User {
    /// Adds the member that names this user.
    pub(super) fn named(&self, object: Object) -> Object {
        object.text(if self.is_did { "did_oc" } else { "user_address" }, &self.key)
    }
}

/// The index of the price that may belong to a drop window.
pub(super) const DROP_PRICE: usize = 2;
/// The index of the project that runs drop windows.
pub(super) const DROP_PROJECT: usize = 1;
/// The index of the percentage price: these events come with a payment.
pub(super) const PAYMENT_PRICE: usize = 0;
/// Index of a class B price with a fixed amount: what an event over a cap is made into.
pub(super) const PLAIN_PRICE: usize = 2;

struct Template {
    name: &'static str,
    domain: &'static str,
    updated_at: &'static str,
    percent: &'static str,
    shares: [&'static str; 3],
    fixed: [u32; 5],
}

const TEMPLATES: [Template; 6] = [
    Template {
        name: "Caf\u{e9} Satoshi",
        domain: "cafe.example",
        updated_at: "2026-05-02T09:30:00.000Z",
        percent: "0.005",
        shares: ["0.75", "0.65", "0.57"],
        fixed: [60, 21, 130, 1300, 640],
    },
    Template {
        name: "Stamp & Ship",
        domain: "stamp.example",
        updated_at: "2026-05-11T00:00:00Z",
        percent: "0.0075",
        shares: ["0.65", "0.145", "0.8"],
        fixed: [100, 5, 80, 1000, 900],
    },
    Template {
        name: "Relay \"Nine\"",
        domain: "relay9.example",
        updated_at: "2026-05-20T16:45:12.500Z",
        percent: "0.01",
        shares: ["0.5", "0.7", "0.65"],
        fixed: [50, 9, 55, 777, 1450],
    },
    Template {
        name: "Pledge House",
        domain: "pledge.example",
        updated_at: "2026-04-30T12:00:00Z",
        percent: "0.0033",
        shares: ["0.29", "0.65", "0.07"],
        fixed: [150, 50, 42, 1111, 333],
    },
    Template {
        name: "Agents/Guild",
        domain: "guild.example",
        updated_at: "2026-05-28T08:08:08Z",
        percent: "0.02",
        shares: ["0.8", "0.35", "0.45"],
        fixed: [75, 33, 27, 1500, 501],
    },
    Template {
        name: "Node Watch",
        domain: "watch.example",
        updated_at: "2026-05-30T23:59:59Z",
        percent: "0.004",
        shares: ["0.6", "0", "0.66"],
        fixed: [90, 11, 64, 820, 700],
    },
];

/// The projects of the world: four to six, three in the smallest.
pub(super) fn projects(seed: u64, events: u32) -> Vec<Project> {
    let mut rng = Rng::new(seed, "projects");
    let drawn = 4 + rng.index(3);
    let count = if events < 40 { 3 } else { drawn };
    TEMPLATES
        .iter()
        .take(count)
        .map(|template| Project {
            key: format!("pk_live_{}", rng.hex::<8>()),
            name: template.name,
            domain: template.domain,
            prices: prices(template),
            updated_at: template.updated_at,
            destination: format!("treasury@{}", template.domain),
        })
        .collect()
}

/// Every project sells the same subtypes at its own prices, so a price index means one subtype everywhere.
fn prices(template: &Template) -> Vec<Price> {
    let [first, second, third] = template.shares;
    let [action, session, stamp, account, bond] = template.fixed;
    let price = |subtype, class, pays, share| Price { subtype, class, pays, share, agent: None };
    vec![
        price("payment_authorization", 'B', Pays::Percent(template.percent), first),
        Price {
            agent: Some(AgentPrice { pays: Some(Pays::Fixed(action / 2)), share: Some("0.3") }),
            ..price("scoped_action_authorization", 'B', Pays::Fixed(action), second)
        },
        Price {
            agent: Some(AgentPrice { pays: None, share: Some("0.5") }),
            ..price("stamp_signing", 'B', Pays::Fixed(stamp), third)
        },
        price("session_creation", 'C', Pays::Fixed(session), second),
        price("account_creation", 'A', Pays::Fixed(account), first),
        price("attest_bond_increased", 'A', Pays::Fixed(bond), second),
    ]
}

impl Project {
    /// The published price config (FORMATS 5), as `JSON.stringify(config, null, 2)` and a line feed.
    pub(super) fn config(&self) -> String {
        let mut events = Object::new();
        for price in &self.prices {
            let mut entry = Object::new()
                .plain("enabled", true)
                .raw("site_pays", pays(price.pays).compact())
                .raw("user_share_pct", price.share);
            if let Some(agent) = price.agent {
                let mut overrides = Object::new();
                if let Some(agent_pays) = agent.pays {
                    overrides = overrides.raw("site_pays", pays(agent_pays).compact());
                }
                if let Some(share) = agent.share {
                    overrides = overrides.raw("user_share_pct", share);
                }
                entry = entry.raw("agent", overrides.compact());
            }
            events = events.raw(price.subtype, entry.compact());
        }
        let config = Object::new()
            .text("project_key", &self.key)
            .text("display_name", self.name)
            .text("domain", self.domain)
            .text("updated_at", self.updated_at)
            .raw("events", events.compact());
        format!("{}\n", pretty(&config.compact()))
    }
}

fn pays(pays: Pays) -> Object {
    match pays {
        Pays::Fixed(sats) => Object::new().text("kind", "fixed_sats").plain("sats", sats),
        Pays::Percent(percent) => Object::new().text("kind", "percent_of_amount").raw("pct", percent),
    }
}

/// The users of the world: 4 to 40, more with more events. Two in five are known by a `did:oc:`.
pub(super) fn users(seed: u64, events: u32, keys: &KeyMaker) -> Vec<User> {
    let mut rng = Rng::new(seed, "users");
    let count = if events < 40 { (events / 2).clamp(4, 20) } else { (events / 12).clamp(20, 40) };
    (0..count)
        .map(|index| {
            let pair = keys.keypair(&format!("wallet {index}"));
            let wallet = if index % 3 == 1 { Wallet::taproot(&keys.secp, pair) } else { Wallet::segwit(pair) };
            let is_did = index % 5 < 2;
            let key = if is_did { format!("did:oc:{}", rng.hex::<16>()) } else { wallet.address.clone() };
            let handle = format!("user{index:02}-{}", rng.hex::<2>());
            let destinations = [format!("{handle}@wallet.example"), format!("{handle}@self.example")];
            User { key, is_did, wallet, nostr: keys.keypair(&format!("user nostr {index}")), handle, destinations }
        })
        .collect()
}
