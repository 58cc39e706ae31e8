//! What users did: billable events within every published limit, and the envelopes that go with them.

use std::collections::{BTreeMap, BTreeSet};

use super::cast::{DROP_PRICE, DROP_PROJECT, PAYMENT_PRICE, PLAIN_PRICE, Project, User};
use super::drops::{Window, window_of};
use super::envelope::{Artifact, Envelope, Mint};
use super::fees::{Split, split};
use super::json::Object;
use super::rng::Rng;
use super::time::{AS_OF, DAY, DAYS, HOUR, MINUTE, MONTHS, Millis, START, iso_millis, month_of};

/// Fewest billable events of a world.
pub const EVENTS_MIN: u32 = 10;

/// A billable event on its way to an envelope.
#[derive(Debug, Clone)]
struct Planned {
    at: Millis,
    user: usize,
    project: usize,
    price: usize,
    is_agent: bool,
    payment: u32,
}

/// A billed event, as later parts of the world need it.
#[derive(Debug, Clone)]
pub(super) struct Billed {
    pub(super) id: String,
    pub(super) at: Millis,
    pub(super) user: usize,
    pub(super) project: usize,
    pub(super) is_agent: bool,
    pub(super) split: Split,
    pub(super) window: Option<usize>,
}

/// Who takes part and by which rules.
pub(super) struct Stage<'a> {
    pub(super) seed: u64,
    pub(super) users: &'a [User],
    pub(super) projects: &'a [Project],
    pub(super) windows: &'a [Window],
    pub(super) mint: &'a Mint,
}

/// Everything billed, in time order, with its envelopes (events and payments).
pub(super) fn bill(stage: &Stage<'_>, events: u32) -> (Vec<Billed>, Vec<Envelope>) {
    let mut planned = plan(stage, events.max(EVENTS_MIN));
    planned.sort_by_key(|event| event.at);
    keep_class_a_caps(&mut planned, stage);
    keep_site_shares(&mut planned, stage);
    let mut rng = Rng::new(stage.seed, "billing");
    let mut billed = Vec::with_capacity(planned.len());
    let mut envelopes = Vec::with_capacity(planned.len() * 2);
    for event in planned {
        let (record, envelope) = bill_one(stage, &event, &mut rng);
        if event.price == PAYMENT_PRICE {
            envelopes.push(pay(stage, &event, &record, &mut rng));
        }
        envelopes.push(envelope);
        billed.push(record);
    }
    (billed, envelopes)
}

/// Nothing happens between 23:00 and 06:00 UTC, so no event falls on a week's or month's edge.
fn plan(stage: &Stage<'_>, count: u32) -> Vec<Planned> {
    let mut rng = Rng::new(stage.seed, "plan");
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let late = (count / 10).clamp(1, 4);
    let users = stage.users.len();
    let mut planned = Vec::with_capacity(count);
    for index in 0..count {
        let user = if index < users { index } else { rng.index(users) };
        let mut at = START + rng.range(0, DAYS - 1) * DAY + rng.range(6 * HOUR, 23 * HOUR - 1);
        let mut price = *rng.pick_weighted(&[(0, 30), (1, 20), (2, 20), (3, 15), (4, 8), (5, 7)]);
        let mut project = home(stage, user, at, &mut rng);
        if index + late >= count {
            at = AS_OF - rng.range(70, 145) * MINUTE; // too young to be anchored for good
        } else if let Some(window) = stage.windows.get(index.wrapping_sub(users) / 3).filter(|_| index >= users) {
            at = window.opens + rng.range(0, 8) * DAY + rng.range(7 * HOUR, 22 * HOUR);
            (project, price) = (DROP_PROJECT, DROP_PRICE);
        }
        let is_agent = matches!(price, 1 | 2) && project != DROP_PROJECT && rng.chance(25);
        let payment = if price == PAYMENT_PRICE { u32::try_from(rng.range(2_000, 400_000)).unwrap_or(0) } else { 0 };
        planned.push(Planned { at, user, project, price, is_agent, payment });
    }
    planned
}

/// Most users keep to one site a month; every fourth goes wherever they like.
fn home(stage: &Stage<'_>, user: usize, at: Millis, rng: &mut Rng) -> usize {
    let anywhere = rng.index(stage.projects.len());
    if user.is_multiple_of(4) { anywhere } else { (user + month_of(at)) % stage.projects.len() }
}

/// FORMATS 11: at most five class A events a day and thirty a month for one user.
fn keep_class_a_caps(planned: &mut [Planned], stage: &Stage<'_>) {
    let mut days: BTreeMap<(usize, i64), u32> = BTreeMap::new();
    let mut months: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for event in planned {
        if stage.projects[event.project].prices[event.price].class != 'A' {
            continue;
        }
        let day = days.entry((event.user, event.at.div_euclid(DAY))).or_default();
        let month = months.entry((event.user, month_of(event.at))).or_default();
        if *day >= 5 || *month >= 30 {
            event.price = PLAIN_PRICE;
        } else {
            *day += 1;
            *month += 1;
        }
    }
}

/// FORMATS 11: no site gives more than 60 % of a user's month, unless the user has only that site.
fn keep_site_shares(planned: &mut [Planned], stage: &Stage<'_>) {
    let mut months: BTreeMap<(usize, usize), BTreeMap<usize, u64>> = BTreeMap::new();
    let mut droppers = BTreeSet::new();
    for event in planned.iter() {
        let month = (event.user, month_of(event.at));
        *months.entry(month).or_default().entry(event.project).or_default() += price_of(stage, event).user;
        if (event.project, event.price) == (DROP_PROJECT, DROP_PRICE) {
            droppers.insert(month);
        }
    }
    for event in planned {
        let month = (event.user, month_of(event.at));
        let Some(sites) = months.get(&month).filter(|sites| sites.len() > 1) else { continue };
        let total: u64 = sites.values().sum();
        if sites.values().any(|site| site * 100 > total * 60) {
            let first = sites.keys().next().copied().unwrap_or(event.project);
            event.project = if droppers.contains(&month) { DROP_PROJECT } else { first };
        }
    }
}

fn price_of(stage: &Stage<'_>, event: &Planned) -> Split {
    split(&stage.projects[event.project].prices[event.price], event.is_agent, event.payment)
}

fn bill_one(stage: &Stage<'_>, event: &Planned, rng: &mut Rng) -> (Billed, Envelope) {
    let project = &stage.projects[event.project];
    let price = &project.prices[event.price];
    let split = price_of(stage, event);
    let droppable = (event.project, event.price, event.is_agent) == (DROP_PROJECT, DROP_PRICE, false);
    let window = window_of(stage.windows, event.at).filter(|_| droppable);
    let site = Object::new().text("domain", project.domain).text("display_name", project.name);
    let mut members = Object::new().plain_text("class", price.class).text("subtype", price.subtype);
    members = stage.users[event.user]
        .named(members.raw("site", site.compact()))
        .text("project_key", &project.key)
        .plain("gross_fee_sats", split.gross)
        .plain("platform_fee_sats", split.platform)
        .plain("user_earned_sats", split.user)
        .plain("site_rebate_sats", split.rebate)
        .text("occurred_at", iso_millis(event.at));
    let mut v = 2;
    if event.is_agent {
        v = 3;
        members = members.plain("is_agent", true);
    }
    if let Some(window) = window {
        v = 4;
        members = members.raw("drop", stage.windows[window].reference().compact());
    }
    if event.price == PAYMENT_PRICE {
        let context = Object::new()
            .text("kind", "B")
            .text("subtype", price.subtype)
            .plain("payment_amount_sats", event.payment)
            .text("payment_currency", "sat");
        members = members.raw("context", context.compact());
    }
    members = members.text("idempotency_key", format!("idem-{}", rng.hex::<8>()));
    let envelope = stage.mint.sign(Artifact::Event, v, event.at, &members);
    let billed = Billed {
        id: envelope.id.to_string(),
        at: event.at,
        user: event.user,
        project: event.project,
        is_agent: event.is_agent,
        split,
        window,
    };
    (billed, envelope)
}

fn pay(stage: &Stage<'_>, event: &Planned, billed: &Billed, rng: &mut Rng) -> Envelope {
    let at = event.at - rng.range(200, 1_900);
    let members = Object::new().text("status", "authorized").plain("sats_charged", event.payment);
    let members = stage.users[event.user]
        .named(members)
        .text("user_envelope_id", &billed.id)
        .text("description", "order \u{2116} / paid")
        .text("occurred_at", iso_millis(at));
    stage.mint.sign(Artifact::Payment, 1, at, &members)
}

/// A payout destination in force from a time on.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) from: Millis,
    pub(super) binding_id: String,
    pub(super) address: String,
}

/// Payout bindings by user, oldest first: the first 20 minutes after the first event, for some a second in August.
pub(super) fn bind_payouts(stage: &Stage<'_>, billed: &[Billed]) -> (Vec<Vec<Destination>>, Vec<Envelope>) {
    let mut envelopes = Vec::new();
    let mut by_user = Vec::with_capacity(stage.users.len());
    let [_, _, august, ..] = MONTHS;
    for (index, user) in stage.users.iter().enumerate() {
        let Some(first) = first_event(billed, index) else {
            by_user.push(Vec::new());
            continue;
        };
        let mut times = vec![first + 20 * MINUTE];
        let later = august + 11 * DAY + 9 * HOUR + i64::try_from(index).unwrap_or(0) * MINUTE;
        if index % 7 == 3 && later > first + DAY {
            times.push(later);
        }
        let mut mine = Vec::with_capacity(times.len());
        for (at, address) in times.into_iter().zip(&user.destinations) {
            let members = user.named(Object::new()).text("destination", address).text("created_at", iso_millis(at));
            let envelope = stage.mint.sign(Artifact::PayoutBinding, 1, at, &members);
            mine.push(Destination { from: at, binding_id: envelope.id.to_string(), address: address.clone() });
            envelopes.push(envelope);
        }
        by_user.push(mine);
    }
    (by_user, envelopes)
}

/// Custody transitions of every third user: each starts where the one before ended and names it.
///
/// None goes from a federation to `bip322`: that would call for a graduation, which nobody ships yet (FORMATS 8).
pub(super) fn rebind(stage: &Stage<'_>, billed: &[Billed]) -> Vec<Envelope> {
    let mut rng = Rng::new(stage.seed, "rebinds");
    let mut envelopes = Vec::new();
    for (index, user) in stage.users.iter().enumerate().step_by(3) {
        let Some(first) = first_event(billed, index) else { continue };
        let mut state = if user.is_did { "fedimint_threshold" } else { "bip322" };
        let mut at = first + rng.range(1, 9) * HOUR;
        let mut previous: Option<String> = None;
        for _ in 0..=rng.below(3) {
            let next = if state == "fedimint_client" { "fedimint_threshold" } else { "fedimint_client" };
            let mut members = user.named(Object::new()).text("from", state).text("to", next);
            members = members.text("occurred_at", iso_millis(at));
            if let Some(previous) = &previous {
                members = members.text("prev", previous);
            }
            let envelope = stage.mint.sign(Artifact::Rebind, 1, at, &members);
            previous = Some(envelope.id.to_string());
            envelopes.push(envelope);
            state = next;
            at += rng.range(3 * 24, 9 * 24) * HOUR + rng.range(0, 59 * MINUTE);
            if at > AS_OF - DAY {
                break;
            }
        }
    }
    envelopes
}

/// Trust attestations by every sixth user about the next one.
pub(super) fn trust(stage: &Stage<'_>, billed: &[Billed]) -> Vec<Envelope> {
    let mut envelopes = Vec::new();
    for (index, user) in stage.users.iter().enumerate().step_by(6) {
        let (Some(first), Some(subject)) = (first_event(billed, index), stage.users.get(index + 1)) else { continue };
        let at = (first + 2 * HOUR).min(AS_OF - 3 * HOUR);
        let members = user
            .named(Object::new())
            .text("subject", &subject.key)
            .text("verdict", "good")
            .text("occurred_at", iso_millis(at));
        envelopes.push(stage.mint.sign(Artifact::Trust, 1, at, &members));
    }
    envelopes
}

fn first_event(billed: &[Billed], user: usize) -> Option<Millis> {
    billed.iter().find(|event| event.user == user).map(|event| event.at)
}
