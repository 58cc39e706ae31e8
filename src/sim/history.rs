//! What users did beside billed events: payout destinations, custody transitions, trust.

use std::collections::BTreeMap;

use super::billing::Billed;
use super::cast::{Project, User};
use super::custody::Custody;
use super::drops::Window;
use super::envelope::{Artifact, Envelope, Mint};
use super::json::Object;
use super::rng::Rng;
use super::time::{AS_OF, DAY, HOUR, MINUTE, MONTHS, Millis, iso_millis};

/// Who takes part and by which rules.
pub(super) struct Stage<'a> {
    pub(super) seed: u64,
    pub(super) users: &'a [User],
    pub(super) projects: &'a [Project],
    pub(super) windows: &'a [Window],
    pub(super) mint: &'a Mint,
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
        if at > AS_OF - DAY {
            continue;
        }
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
        first.entry(event.user()).or_insert(event.at());
    }
    first
}
