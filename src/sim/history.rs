//! What users did: billed events and the envelopes that go with them.

use std::collections::BTreeMap;

use super::cast::{DROP_PROJECT, Project, User};
use super::custody::Custody;
use super::drops::{Window, window_of};
use super::envelope::{Artifact, Envelope, Mint};
use super::fees::Split;
use super::json::Object;
use super::plan::{Planned, plan};
use super::prices::{DROP_PRICE, PAYMENT_PRICES};
use super::rng::Rng;
use super::time::{AS_OF, DAY, HOUR, MINUTE, MONTHS, Millis, iso_millis};

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
    let planned = plan(stage, events);
    let mut rng = Rng::new(stage.seed, "billing");
    let mut billed = Vec::with_capacity(planned.len());
    let mut envelopes = Vec::with_capacity(planned.len() * 2);
    for event in planned {
        let (record, envelope) = bill_one(stage, &event, &mut rng);
        if PAYMENT_PRICES.contains(&event.price) {
            envelopes.extend(rng.chance(10).then(|| declined(stage, &event)));
            envelopes.push(pay(stage, &event, &record, &mut rng));
        }
        envelopes.push(envelope);
        billed.push(record);
    }
    (billed, envelopes)
}

fn bill_one(stage: &Stage<'_>, event: &Planned, rng: &mut Rng) -> (Billed, Envelope) {
    let project = &stage.projects[event.project];
    let price = event.price(stage);
    let split = event.split(stage);
    let droppable = (event.project, event.price) == (DROP_PROJECT, DROP_PRICE);
    let window = window_of(stage.windows, event.at).filter(|_| droppable);
    let site = Object::new().text("domain", &project.domain).text("display_name", &project.name);
    let mut members = Object::new().plain_text("class", price.class).text("subtype", price.subtype);
    members = stage.users[event.user]
        .named_at(event.at, members.raw("site", site.compact()))
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
    if PAYMENT_PRICES.contains(&event.price) {
        let context = Object::new()
            .plain_text("kind", price.class)
            .text("subtype", price.subtype)
            .plain("payment_amount_sats", event.payment)
            .text("payment_currency", "sat");
        members = members.raw("context", context.compact());
    }
    if rng.chance(10) {
        // Members that a ledger has no use for.
        members =
            members.text("action_label", format!("no. {}", rng.below(1_000))).raw("metadata", "{\"via\":\"app\"}");
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

/// An attempt that was declined shortly before: it charges nothing and bills nothing.
fn declined(stage: &Stage<'_>, event: &Planned) -> Envelope {
    let at = event.at - 3 * MINUTE;
    let members = Object::new().text("status", if event.payment.is_multiple_of(2) { "failed" } else { "cancelled" });
    let members = stage.users[event.user].named(members).text("occurred_at", iso_millis(at));
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
    let firsts = first_events(billed);
    let [_, _, august, ..] = MONTHS;
    for (index, user) in stage.users.iter().enumerate() {
        let Some(first) = firsts.get(&index).copied() else {
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
/// Only who graduated goes from a federation to `bip322`, and names the graduation (FORMATS 8.4).
pub(super) fn rebind(stage: &Stage<'_>, billed: &[Billed], custody: &Custody) -> Vec<Envelope> {
    let mut rng = Rng::new(stage.seed, "rebinds");
    let firsts = first_events(billed);
    let mut envelopes = Vec::new();
    for (index, user) in stage.users.iter().enumerate().step_by(3) {
        let Some(first) = firsts.get(&index).copied() else { continue };
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
        let graduation = custody.steps.iter().find(|step| step.graduate == Some(index));
        if let Some(step) = graduation.filter(|_| state != "bip322") {
            let at = at.max(step.at + HOUR);
            if at < AS_OF - DAY {
                let members = user
                    .named(Object::new())
                    .text("from", state)
                    .text("to", "bip322")
                    .text("occurred_at", iso_millis(at))
                    .text("prev", previous.unwrap_or_default())
                    .text("graduation_id", step.id_hex());
                envelopes.push(stage.mint.sign(Artifact::Rebind, 1, at, &members));
            }
        }
    }
    envelopes
}

/// Trust attestations by every sixth user about the next one.
pub(super) fn trust(stage: &Stage<'_>, billed: &[Billed]) -> Vec<Envelope> {
    let mut envelopes = Vec::new();
    let firsts = first_events(billed);
    for (index, user) in stage.users.iter().enumerate().step_by(6) {
        let (Some(first), Some(subject)) = (firsts.get(&index).copied(), stage.users.get(index + 1)) else { continue };
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

/// When each user's first event was.
fn first_events(billed: &[Billed]) -> BTreeMap<usize, Millis> {
    let mut first = BTreeMap::new();
    for event in billed {
        first.entry(event.user).or_insert(event.at);
    }
    first
}
