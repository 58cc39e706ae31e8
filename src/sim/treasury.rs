//! Where the money went: deposits before use, weekly payouts of exactly what vested, platform accruals, rebates, guardians'
//! shares, corrections.

use std::collections::BTreeMap;

use super::billing::{Billed, index};
use super::cast::{Project, User};
use super::drops::Window;
use super::envelope::{Artifact, Envelope, Mint};
use super::gateway_log::Rail;
use super::history::Destination;
use super::invoices::{Draft, Fate, unpaid};
use super::json::{Object, array};
use super::keys::KeyMaker;
use super::postings::{Flight, Payees, Payout, Posting, bytes_of};
use super::rng::Rng;
use super::settlement::Settlement;
use super::time::{AS_OF, DAY, HOUR, MINUTE, MONTHS, Millis, START, WEEK, iso_millis, month_of};
use crate::domain::{EnvelopeId, sha256};

/// What the payouts need to know.
pub(super) struct Books<'a> {
    pub(super) seed: u64,
    pub(super) users: &'a [User],
    pub(super) projects: &'a [Project],
    pub(super) windows: &'a [Window],
    pub(super) billed: &'a [Billed],
    pub(super) destinations: &'a [Vec<Destination>],
    pub(super) mint: &'a Mint,
    pub(super) keys: &'a KeyMaker,
    pub(super) gateway_pubkey: String,
}

impl Books<'_> {
    /// What the platform took before that time. Billed events come in order of time.
    fn platform_before(&self, at: Millis) -> u64 {
        let end = self.billed.partition_point(|event| event.at() < at);
        self.billed.iter().take(end).map(|event| event.split().platform).sum()
    }
}

/// The treasury's traces.
#[derive(Default)]
pub(super) struct Treasury {
    /// In order of time once all are there.
    pub(super) settlements: Vec<Posting>,
    pub(super) distributions: Vec<Envelope>,
    /// The id of each distribution, and until when what it pays had vested.
    pub(super) batches: Vec<(EnvelopeId, Millis)>,
    pub(super) invoices: Vec<Draft>,
    pub(super) legs: Vec<Flight>,
    /// Paid to each user so far, in satoshi.
    pub(super) paid: BTreeMap<usize, u64>,
    /// Corrections in favour of each user, in satoshi.
    pub(super) adjusted: BTreeMap<usize, u64>,
    /// Borne by the platform: routing fees and guardians' shares.
    fees: u64,
    /// Taken by the platform.
    accrued: u64,
    has_paid_operators: bool,
}

/// Plays the whole history of settlements, in time order.
pub(super) fn settle(books: &Books<'_>) -> Treasury {
    let mut treasury = Treasury::default();
    let mut rng = Rng::new(books.seed, "treasury");
    let months = Months::count(books);
    deposit(books, &months, &mut treasury, &mut rng);
    let mut week = 1;
    while START + week * WEEK < AS_OF {
        let boundary = START + week * WEEK;
        distribute(books, &mut treasury, boundary, &mut rng);
        if week % 4 == 2 || !treasury.has_paid_operators {
            pay_operators(books, &mut treasury, boundary + 5 * HOUR, &mut rng);
        }
        accrue(books, &mut treasury, boundary, &mut rng);
        week += 1;
    }
    rebate(books, &months, &mut treasury, &mut rng);
    refund(books, &months, &mut treasury, &mut rng);
    correct(books, &mut treasury, &mut rng);
    treasury.invoices.extend(unpaid(&mut rng));
    treasury.settlements.sort_by_key(Posting::at);
    treasury
}

/// What each project used in each month.
struct Months {
    gross: Vec<[u64; MONTHS.len()]>,
    rebate: Vec<[u64; MONTHS.len()]>,
}

impl Months {
    fn count(books: &Books<'_>) -> Self {
        let none = vec![[0; MONTHS.len()]; books.projects.len()];
        let mut months = Self { gross: none.clone(), rebate: none };
        for event in books.billed {
            let (project, month, split) = (event.project(), month_of(event.at()), event.split());
            for (amounts, amount) in [(&mut months.gross, split.gross), (&mut months.rebate, split.rebate)] {
                if let Some(sum) = amounts.get_mut(project).and_then(|months| months.get_mut(month)) {
                    *sum += amount;
                }
            }
        }
        months
    }
}

/// When an event's user share vests; `None` while its window is open.
fn vests_at(books: &Books<'_>, event: &Billed) -> Option<Millis> {
    event.window().map_or(Some(event.at()), |window| books.windows.get(window).and_then(|window| window.sealed_at))
}

/// Each project pays for a month before the month's first event, a quarter more than it will need.
fn deposit(books: &Books<'_>, months: &Months, treasury: &mut Treasury, rng: &mut Rng) {
    for (month, start) in MONTHS.iter().take(MONTHS.len() - 1).enumerate() {
        for (index, project) in books.projects.iter().enumerate() {
            let gross = months.gross.get(index).and_then(|months| months.get(month)).copied().unwrap_or(0);
            let amount = (gross * 5 / 4).div_ceil(5_000) * 5_000 + 10_000;
            let at = start + 2 * HOUR + rng.range(0, 90 * MINUTE);
            let settlement = Settlement {
                kind: "escrow.deposit",
                direction: "in",
                amount_sats: amount,
                settled_at: at,
                operation_id: rng.hex::<32>(),
                project_key: Some(project.key.clone()),
                gateway_pubkey: Some(books.gateway_pubkey.clone()),
                ..Settlement::default()
            };
            if rng.chance(10) {
                // By a Bitcoin transaction: no gateway, no invoice.
                let txid = Some(rng.hex::<32>());
                treasury.post(Settlement { txid, gateway_pubkey: None, ..settlement });
                continue;
            }
            let rail = if rng.chance(50) { Rail::LnIncoming } else { Rail::LnV2Incoming };
            let preimage = push_leg(treasury, settlement, rail, rng);
            treasury.invoices.push(Draft {
                at,
                preimage,
                amount_sats: amount,
                fate: Fate::Received,
                project: (index == 0).then(|| project.key.clone()),
                memo: format!("escrow of {}", project.name),
            });
        }
    }
}

/// Longest queue of payouts: the last batch ends before the as-of, however many users there are.
const QUEUE: Millis = 70 * HOUR;

/// Most users of one distribution: with more its event would be larger than an event may be.
const RECIPIENTS_MAX: usize = 400;

/// Pays every user what has vested before the boundary and was not paid yet, in as few distributions as hold them.
fn distribute(books: &Books<'_>, treasury: &mut Treasury, boundary: Millis, rng: &mut Rng) {
    let mut vested = vec![0; books.users.len()];
    for event in books.billed.iter().filter(|event| vests_at(books, event).is_some_and(|at| at < boundary)) {
        if let Some(sum) = vested.get_mut(event.user()) {
            *sum += event.split().user;
        }
    }
    let payees = Payees { users: books.users, destinations: books.destinations, ..Payees::default() };
    let due: Vec<(usize, u64, &Destination)> = vested
        .into_iter()
        .enumerate()
        .map(|(user, vested)| (user, vested - treasury.paid.get(&user).copied().unwrap_or(0)))
        .filter(|(_, amount)| *amount > 0)
        .filter_map(|(user, amount)| Some((user, amount, payees.destination(user, boundary)?)))
        .collect();
    let first = treasury.batches.len();
    for (turn, due) in (0..).zip(due.chunks(RECIPIENTS_MAX)) {
        let distribution = distribution(books, boundary, turn, due);
        treasury.batches.push((distribution.id, boundary));
        treasury.distributions.push(distribution);
    }
    let pause = 47_000.min(QUEUE / i64::try_from(due.len().max(1)).unwrap_or(1));
    for (place, (user, amount, destination)) in due.into_iter().enumerate() {
        let fee = 2 + (amount * 3).div_ceil(1_000);
        let queue = i64::try_from(place).unwrap_or(0) * pause;
        let at = boundary + 40 * MINUTE + queue + rng.range(0, 30_000);
        let operation_id = rng.bytes();
        let names_gateway = rng.chance(50);
        let rail = if rng.chance(65) { Rail::LnV2Outgoing } else { Rail::LnOutgoing };
        let flight = Flight::new(rail, at, (amount, fee), operation_id, rng);
        treasury.settlements.push(Posting::Payout(Payout {
            at,
            amount_sats: amount,
            fee_sats: fee,
            operation_id: flight.operation_id,
            preimage: flight.preimage,
            user: index(user),
            distribution: index(first + place / RECIPIENTS_MAX),
            names_gateway,
        }));
        if rng.chance(15) {
            // The node's own record of the payment, with the payee's invoice.
            let (preimage, fate) = (flight.preimage, Fate::Sent { fee_msat: fee * 1_000 });
            let memo = destination.address.clone();
            treasury.invoices.push(Draft { at, preimage, amount_sats: amount, fate, project: None, memo });
        }
        treasury.legs.push(flight);
        *treasury.paid.entry(user).or_default() += amount;
        treasury.fees += fee;
    }
}

/// One of the distributions of a boundary; each is a second later than the one before.
fn distribution(books: &Books<'_>, boundary: Millis, turn: i64, due: &[(usize, u64, &Destination)]) -> Envelope {
    let recipients = due.iter().filter_map(|(user, amount, destination)| {
        let share = books.users.get(*user)?.named(Object::new());
        Some(share.plain("amount_sats", amount).text("payout_binding_id", &destination.binding_id).compact())
    });
    let at = boundary + 20 * MINUTE + turn * 1_000;
    let members = Object::new()
        .text("created_at", iso_millis(at))
        .text("period_end", iso_millis(boundary))
        .raw("recipients", array(recipients))
        .plain("total_sats", due.iter().map(|(_, amount, _)| amount).sum::<u64>());
    books.mint.sign(Artifact::Distribution, 1, at, &members)
}

/// Moves the platform's fees of the time before the boundary, less the routing fees and guardians' shares it has borne.
fn accrue(books: &Books<'_>, treasury: &mut Treasury, boundary: Millis, rng: &mut Rng) {
    let fees = books.platform_before(boundary);
    let amount = fees.saturating_sub(treasury.accrued + treasury.fees);
    if amount > 0 {
        treasury.post(Settlement {
            kind: "platform.accrual",
            direction: "in",
            amount_sats: amount,
            settled_at: boundary + 3 * HOUR,
            operation_id: rng.hex::<32>(),
            note: Some("weekly accrual".to_owned()),
            ..Settlement::default()
        });
    }
    treasury.accrued += amount;
}

/// Two guardians claim a fiftieth each of the fees that are not spoken for.
fn pay_operators(books: &Books<'_>, treasury: &mut Treasury, at: Millis, rng: &mut Rng) {
    let earned = books.platform_before(at);
    for (turn, guardian) in (0..).zip(["operator 1", "operator 2"]) {
        let unspoken = earned.saturating_sub(treasury.fees + treasury.accrued);
        if unspoken == 0 {
            return;
        }
        let amount_sats = (unspoken / 50).max(1);
        treasury.has_paid_operators = true;
        let key = books.keys.ed25519(guardian).public_bytes();
        let id = sha256(&key).to_hex();
        let settlement = Settlement {
            kind: "operator.payout",
            direction: "out",
            amount_sats,
            settled_at: at + turn * 7 * MINUTE,
            operation_id: rng.hex::<32>(),
            operator_id: Some(format!("op-{}", id.get(..32).unwrap_or(&id))),
            destination: Some(format!("{}@guardians.example", guardian.replace(' ', "-"))),
            note: Some("monthly share of guardians".to_owned()),
            ..Settlement::default()
        };
        treasury.fees += amount_sats;
        push_leg(treasury, settlement, Rail::LnOutgoing, rng);
    }
}

/// Corrections by hand: one in favour of the first user, half of it taken back later, and one that names nobody.
fn correct(books: &Books<'_>, treasury: &mut Treasury, rng: &mut Rng) {
    let [_, july, august, september, _] = MONTHS;
    let amount = 40 + 2 * rng.below(100);
    let first = books.users.first().filter(|_| books.billed.iter().any(|event| event.user() == 0));
    for (direction, amount_sats, at, user, note) in [
        ("in", amount, july + 9 * DAY, first, "goodwill for an outage"),
        ("out", amount / 2, august + 3 * DAY, first, "half of it was claimed twice"),
        ("in", 1, september + 2 * DAY, None, "rounding of a migration \u{2014} see minutes"),
    ] {
        treasury.post(Settlement {
            kind: "adjustment",
            direction,
            amount_sats,
            settled_at: at + rng.range(10 * HOUR, 11 * HOUR),
            operation_id: rng.hex::<32>(),
            user_address: user.map(|user| user.key.clone()),
            note: Some(note.to_owned()),
            ..Settlement::default()
        });
    }
    if first.is_some() {
        treasury.adjusted.insert(0, amount - amount / 2);
    }
}

/// Returns each project's rebates of the months before, at the beginning of a month.
fn rebate(books: &Books<'_>, months: &Months, treasury: &mut Treasury, rng: &mut Rng) {
    for (month, start) in MONTHS.iter().enumerate().filter(|(_, start)| **start > START && **start < AS_OF) {
        for (project, rebates) in books.projects.iter().zip(&months.rebate) {
            let amount = rebates.get(month - 1).copied().unwrap_or(0);
            let at = start + 4 * HOUR + rng.range(0, HOUR);
            pay_project(books, treasury, project, ("escrow.rebate", amount, at), rng);
        }
    }
}

/// The last project takes half of its unused escrow back.
fn refund(books: &Books<'_>, months: &Months, treasury: &mut Treasury, rng: &mut Rng) {
    let Some((project, used)) = books.projects.iter().zip(&months.gross).next_back() else { return };
    let deposits = treasury.settlements.iter().filter_map(|posting| match posting {
        Posting::Other(settlement) if settlement.kind == "escrow.deposit" => Some(settlement),
        _ => None,
    });
    let own = deposits.filter(|settlement| settlement.project_key.as_ref() == Some(&project.key));
    let deposited: u64 = own.map(|settlement| settlement.amount_sats).sum();
    let at = AS_OF - 36 * HOUR;
    let amount = deposited.saturating_sub(used.iter().sum()) / 2;
    pay_project(books, treasury, project, ("escrow.refund", amount, at), rng);
}

fn pay_project(
    books: &Books<'_>,
    treasury: &mut Treasury,
    project: &Project,
    (kind, amount_sats, settled_at): (&'static str, u64, Millis),
    rng: &mut Rng,
) {
    if amount_sats == 0 {
        return;
    }
    let settlement = Settlement {
        kind,
        direction: "out",
        amount_sats,
        settled_at,
        operation_id: rng.hex::<32>(),
        project_key: Some(project.key.clone()),
        destination: Some(project.destination.clone()),
        gateway_pubkey: Some(books.gateway_pubkey.clone()),
        ..Settlement::default()
    };
    push_leg(treasury, settlement, Rail::LnOutgoing, rng);
}

/// Gives a settlement its Lightning leg: preimage, hash and gateway entries. Returns the preimage.
fn push_leg(treasury: &mut Treasury, mut settlement: Settlement, rail: Rail, rng: &mut Rng) -> [u8; 32] {
    let amounts = (settlement.amount_sats, settlement.fee_sats.unwrap_or(0));
    let flight = Flight::new(rail, settlement.settled_at, amounts, bytes_of(&settlement.operation_id), rng);
    let preimage = flight.preimage;
    settlement.operation_id = faster_hex::hex_string(&flight.operation_id);
    settlement.payment_hash = Some(sha256(&preimage).to_hex());
    settlement.preimage = Some(faster_hex::hex_string(&preimage));
    treasury.legs.push(flight);
    treasury.post(settlement);
    preimage
}

impl Treasury {
    fn post(&mut self, settlement: Settlement) {
        self.settlements.push(Posting::Other(Box::new(settlement)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sim::billing::bill;
    use crate::sim::cast::{projects, users};
    use crate::sim::chain::BlockTimes;
    use crate::sim::drops::windows;
    use crate::sim::history::{Stage, bind_payouts};
    use crate::sim::watch::Unwatched;

    #[test]
    fn payouts_of_many_users_fit_into_events_and_into_their_week() {
        // As many users as a million events have, who do little.
        let keys = KeyMaker::new(5);
        let mint = Mint { keys: Mint::LABELS.map(|label| keys.ed25519(label)) };
        let (projects, users) = (projects(5, 10_000), users(5, 1_300_000, &keys));
        let windows = windows(5, &BlockTimes::plan(5));
        let stage = Stage { seed: 5, users: &users, projects: &projects, windows: &windows, mint: &mint };
        let Ok(billing) = bill(&stage, 12_000, &Unwatched);
        let (destinations, _) = bind_payouts(&stage, &billing.billed);
        let gateway_pubkey = compressed();
        let books = Books {
            seed: 5,
            users: &users,
            projects: &projects,
            windows: &windows,
            billed: &billing.billed,
            destinations: &destinations,
            mint: &mint,
            keys: &keys,
            gateway_pubkey: gateway_pubkey.clone(),
        };
        let treasury = settle(&books);
        let boundaries: BTreeSet<Millis> = treasury.batches.iter().map(|(_, boundary)| *boundary).collect();
        assert!(treasury.batches.len() > boundaries.len(), "no week had two distributions");
        // An event's content has 128 KiB: in base64, with room for a proof.
        assert!(treasury.distributions.iter().all(|one| one.canonical.len() * 4 / 3 + 8_192 < 128 * 1_024));
        let ids: BTreeSet<EnvelopeId> = treasury.batches.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), treasury.batches.len());
        let (users, destinations) = (users.as_slice(), destinations.as_slice());
        let payees = Payees { users, destinations, batches: &treasury.batches, gateway_pubkey: &gateway_pubkey };
        let mut paid = BTreeSet::new();
        for posting in treasury.settlements.iter().filter(|posting| posting.kind() == "distribution.settled") {
            let settlement = posting.settlement(&payees);
            assert!(settlement.settled_at < AS_OF);
            let id = settlement.distribution_id.unwrap();
            let batch = treasury.distributions.iter().find(|one| one.id.to_string() == id).unwrap();
            let user = settlement.user_address.unwrap();
            assert!(String::from_utf8_lossy(&batch.canonical).contains(&format!("\"{user}\"")));
            assert!(paid.insert((id, user)));
        }
        let named: usize = treasury.distributions.iter().map(|one| recipients(&one.canonical)).sum();
        assert_eq!(named, paid.len());
    }

    fn compressed() -> String {
        format!("02{}", "11".repeat(32))
    }

    fn recipients(canonical: &[u8]) -> usize {
        let body: serde_json::Value = serde_json::from_slice(canonical).unwrap();
        body["recipients"].as_array().unwrap().len()
    }
}
