//! Who takes part: integrator projects and users.

use bitcoin::key::Keypair;

use super::json::Object;
use super::keys::{KeyMaker, Wallet};
use super::prices::{Price, PriceList, TEMPLATES, price_lists};
use super::rng::Rng;
use super::time::{DAY, HOUR, Millis, START};

/// An integrator project.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) domain: String,
    /// Its price documents, oldest first; the first is older than history.
    pub(super) lists: Vec<PriceList>,
    /// Where rebates and refunds go.
    pub(super) destination: String,
}

impl Project {
    /// The price of that index in force at that time.
    pub(super) fn price(&self, index: usize, at: Millis) -> &Price {
        let list = self.lists.iter().rev().find(|list| list.from <= at).unwrap_or(&self.lists[0]);
        &list.prices[index]
    }

    /// Its documents with their names, the present one first.
    pub(super) fn documents(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let present = self.lists.len();
        self.lists.iter().enumerate().rev().map(move |(index, list)| {
            let version = if index + 1 == present { String::new() } else { format!("-{index}") };
            (format!("{}{version}", self.domain), list.document(&self.key, &self.name, &self.domain))
        })
    }
}

/// A user as the operator knows one: by an address, or by an opaque `did:oc:`. A person may have been both.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) key: String,
    pub(super) is_did: bool,
    pub(super) wallet: Wallet,
    pub(super) nostr: Keypair,
    pub(super) handle: String,
    /// Payout destinations, first and later.
    pub(super) destinations: [String; 2],
    /// The same person's other name, and since when a binding says so (FORMATS 7.6). Of two the address is the one that
    /// events under both names count for (FORMATS 3.2).
    pub(super) other: Option<String>,
    pub(super) bound_at: Millis,
}

impl User {
    /// Adds the member that names this user.
    pub(super) fn named(&self, object: Object) -> Object {
        object.text(if self.is_did { "did_oc" } else { "user_address" }, &self.key)
    }

    /// Adds the names of this user in an event of that time: both, once an address is bound to a `did:oc:`.
    pub(super) fn named_at(&self, at: Millis, object: Object) -> Object {
        let named = self.named(object);
        match &self.other {
            Some(other) if !self.is_did && at >= self.bound_at => named.text("did_oc", other),
            _ => named,
        }
    }
}

/// The index of the project that runs drop windows.
pub(super) const DROP_PROJECT: usize = 1;

/// The projects of the world: three in the smallest, four to six in others, more in large ones.
pub(super) fn projects(seed: u64, events: u32) -> Vec<Project> {
    let mut rng = Rng::new(seed, "projects");
    let drawn = 4 + rng.index(3);
    let many = usize::try_from(events.isqrt() / 40).unwrap_or(0);
    let count = if events < 40 { 3 } else { drawn.max(many) };
    TEMPLATES
        .iter()
        .cycle()
        .take(count)
        .enumerate()
        .map(|(index, template)| {
            // The founders' templates are used again by later projects.
            let round = index / TEMPLATES.len();
            let name = if round == 0 { String::new() } else { format!(" {round}") };
            let domain = if round == 0 { String::new() } else { format!("{round}.") };
            Project {
                key: format!("pk_live_{}", rng.hex::<8>()),
                name: format!("{}{name}", template.name),
                domain: format!("{domain}{}", template.domain),
                lists: price_lists(template, &mut rng),
                destination: format!("treasury@{domain}{}", template.domain),
            }
        })
        .collect()
}

/// How many users a world of that size has.
pub(super) const fn user_count(events: u32) -> u32 {
    match events {
        0..=7 => 4,
        8..40 => events / 2,
        40..240 => 20,
        240..480 => events / 12,
        _ => 40 + (events - 480) / 200,
    }
}

/// The first of the users who are the same person: 0 and 4, 10 and 14 and so on are one, with one wallet.
pub(super) const fn person(user: u32) -> u32 {
    if user % 10 == 4 { user - 4 } else { user }
}

/// The users of the world. Two in five are known by a `did:oc:`; every second fifth of those also by an address.
pub(super) fn users(seed: u64, events: u32, keys: &KeyMaker) -> Vec<User> {
    let mut rng = Rng::new(seed, "users");
    let mut users: Vec<User> = Vec::new();
    for index in 0..user_count(events) {
        let did = format!("did:oc:{}", rng.hex::<16>());
        let bound_at = START + rng.range(1, 100) * DAY + rng.range(6 * HOUR, 22 * HOUR);
        let owner = person(index);
        let same_person = usize::try_from(owner).ok().filter(|_| owner != index);
        let pair = keys.keypair(&format!("wallet {owner}"));
        let wallet = if owner % 3 == 1 { Wallet::taproot(&keys.secp, pair) } else { Wallet::segwit(pair) };
        let is_did = index % 5 < 2;
        let key = if is_did { did } else { wallet.address.clone() };
        let handle = format!("user{index:02}-{}", rng.hex::<2>());
        let destinations = [format!("{handle}@wallet.example"), format!("{handle}@self.example")];
        let nostr = keys.keypair(&format!("user nostr {owner}"));
        let (mut other, mut since) = (None, bound_at);
        if let Some(one) = same_person.and_then(|at| users.get_mut(at)) {
            one.other = Some(key.clone());
            (other, since) = (Some(one.key.clone()), one.bound_at);
        }
        users.push(User { key, is_did, wallet, nostr, handle, destinations, other, bound_at: since });
    }
    users
}
