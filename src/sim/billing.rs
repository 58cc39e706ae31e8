//! What is billed, in a form that ten million of fit into memory: what was drawn is kept, what follows from it is written
//! anew whenever somebody wants to see it.

use super::drops::{Window, window_of};
use super::envelope::{Artifact, Envelope, Unsigned};
use super::fees::Split;
use super::history::Stage;
use super::json::Object;
use super::plan::{Planned, plan};
use super::rng::Rng;
use super::time::{MINUTE, Millis, iso_millis, seconds};
use super::watch::{Pace, Watch};
use crate::domain::EnvelopeId;

/// A billed event, as later parts of the world need it.
#[derive(Debug, Clone)]
pub(super) struct Billed {
    event: Planned,
    /// Makes its idempotency key.
    nonce: u64,
    gross: u32,
    platform: u32,
    earned: u32,
    window: Option<u8>,
    /// The number in its label, for events with members that a ledger has no use for.
    label: Option<u16>,
    /// By how many milliseconds its payment was earlier.
    paid_before: Option<u16>,
    has_declined: bool,
}

impl Billed {
    pub(super) const fn at(&self) -> Millis {
        self.event.at
    }

    /// The index of its user.
    pub(super) fn user(&self) -> usize {
        self.event.user()
    }

    /// The index of its project.
    pub(super) fn project(&self) -> usize {
        self.event.project()
    }

    pub(super) const fn is_agent(&self) -> bool {
        self.event.is_agent
    }

    /// The index of its drop window.
    pub(super) fn window(&self) -> Option<usize> {
        self.window.map(usize::from)
    }

    /// Its amounts.
    pub(super) fn split(&self) -> Split {
        let [gross, platform, user] = [self.gross, self.platform, self.earned].map(u64::from);
        Split { gross, platform, user, rebate: gross - platform - user }
    }
}

/// Where an envelope comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The billed event of that index.
    Event(u32),
    /// Its payment.
    Payment(u32),
    /// The attempt that was declined before.
    Declined(u32),
    /// An envelope that is held as it is.
    Held(u32),
}

/// An envelope by what it takes to sort and to rebuild it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The time it claims, in Unix seconds.
    pub(super) at: i64,
    pub(super) id: EnvelopeId,
    pub(super) origin: Origin,
}

/// Everything billed, in time order.
pub(super) struct Billing {
    pub(super) billed: Vec<Billed>,
    /// The envelopes that go with it, in no order.
    pub(super) entries: Vec<Entry>,
    /// The events of each drop window.
    pub(super) in_windows: Vec<Vec<EnvelopeId>>,
}

/// An index of the world: no world has four thousand million of anything.
pub(super) fn index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Plans and bills so many events.
///
/// # Errors
/// When the watch says stop.
pub(super) fn bill<W: Watch>(stage: &Stage<'_>, events: u32, watch: &W) -> Result<Billing, W::Stop> {
    let planned = plan(stage, events, watch)?;
    let mut rng = Rng::new(stage.seed, "billing");
    let mut pace = Pace::new(watch, "bill", planned.len());
    let mut billing = Billing {
        billed: Vec::with_capacity(planned.len()),
        entries: Vec::with_capacity(planned.len() + planned.len() / 2),
        in_windows: vec![Vec::new(); stage.windows.len()],
    };
    for event in planned {
        pace.step()?;
        billing.add(stage, event, &mut rng);
    }
    Ok(billing)
}

impl Billing {
    fn add(&mut self, stage: &Stage<'_>, event: Planned, rng: &mut Rng) {
        let billed = draw(stage, event, rng);
        let at = index(self.billed.len());
        let written = billed.event_envelope(stage);
        let mut add = |unsigned: &Unsigned, origin| {
            self.entries.push(Entry { at: seconds(unsigned.at), id: unsigned.id, origin });
        };
        if billed.has_declined {
            add(&billed.declined(stage), Origin::Declined(at));
        }
        if billed.paid_before.is_some() {
            add(&billed.payment(stage, written.id), Origin::Payment(at));
        }
        add(&written, Origin::Event(at));
        if let Some(members) = billed.window().and_then(|window| self.in_windows.get_mut(window)) {
            members.push(written.id);
        }
        self.billed.push(billed);
    }
}

fn draw(stage: &Stage<'_>, event: Planned, rng: &mut Rng) -> Billed {
    let split = event.split(stage);
    let window = window_of(stage.windows, event.at).filter(|_| event.is_droppable());
    let label = rng.chance(10).then(|| u16::try_from(rng.below(1_000)).unwrap_or(0));
    let nonce = rng.next();
    let has_declined = event.is_payment() && rng.chance(10);
    let paid_before = event.is_payment().then(|| u16::try_from(rng.range(200, 1_900)).unwrap_or(0));
    // One event costs far less than 2^32 satoshi, by the prices of this world.
    let narrow = |sats: u64| u32::try_from(sats).unwrap_or(u32::MAX);
    Billed {
        nonce,
        gross: narrow(split.gross),
        platform: narrow(split.platform),
        earned: narrow(split.user),
        window: window.and_then(|window| u8::try_from(window).ok()),
        label,
        paid_before,
        has_declined,
        event,
    }
}

impl Billed {
    fn event_envelope(&self, stage: &Stage<'_>) -> Unsigned {
        let (project, price, split) = (&stage.projects[self.project()], self.event.price(stage), self.split());
        let site = Object::new().text("domain", &project.domain).text("display_name", &project.name);
        let mut members = Object::new().plain_text("class", price.class).text("subtype", price.subtype);
        members = stage.users[self.user()]
            .named_at(self.at(), members.raw("site", site.compact()))
            .text("project_key", &project.key)
            .plain("gross_fee_sats", split.gross)
            .plain("platform_fee_sats", split.platform)
            .plain("user_earned_sats", split.user)
            .plain("site_rebate_sats", split.rebate)
            .text("occurred_at", iso_millis(self.at()));
        let mut v = 2;
        if self.is_agent() {
            v = 3;
            members = members.plain("is_agent", true);
        }
        if let Some(window) = self.window().and_then(|window| stage.windows.get(window)) {
            v = 4;
            members = members.raw("drop", Window::reference(window).compact());
        }
        if self.event.is_payment() {
            let context = Object::new()
                .plain_text("kind", price.class)
                .text("subtype", price.subtype)
                .plain("payment_amount_sats", self.event.payment)
                .text("payment_currency", "sat");
            members = members.raw("context", context.compact());
        }
        if let Some(label) = self.label {
            // Members that a ledger has no use for.
            members = members.text("action_label", format!("no. {label}")).raw("metadata", "{\"via\":\"app\"}");
        }
        members = members.text("idempotency_key", format!("idem-{:016x}", self.nonce));
        Unsigned::new(Artifact::Event, v, self.at(), &members)
    }

    fn payment(&self, stage: &Stage<'_>, event: EnvelopeId) -> Unsigned {
        let at = self.at() - i64::from(self.paid_before.unwrap_or(0));
        let members = Object::new().text("status", "authorized").plain("sats_charged", self.event.payment);
        let members = stage.users[self.user()]
            .named(members)
            .text("user_envelope_id", event.to_string())
            .text("description", "order \u{2116} / paid")
            .text("occurred_at", iso_millis(at));
        Unsigned::new(Artifact::Payment, 1, at, &members)
    }

    /// An attempt that was declined shortly before: it charges nothing and bills nothing.
    fn declined(&self, stage: &Stage<'_>) -> Unsigned {
        let at = self.at() - 3 * MINUTE;
        let status = if self.event.payment.is_multiple_of(2) { "failed" } else { "cancelled" };
        let members = stage.users[self.user()].named(Object::new().text("status", status));
        Unsigned::new(Artifact::Payment, 1, at, &members.text("occurred_at", iso_millis(at)))
    }
}

/// The envelope of that origin, written anew; `held` has those that can't be.
pub(super) fn envelope(stage: &Stage<'_>, billed: &[Billed], held: &[Envelope], origin: Origin) -> Option<Envelope> {
    let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
    let unsigned = match origin {
        Origin::Held(index) => return held.get(at(index)).cloned(),
        Origin::Event(index) => billed.get(at(index))?.event_envelope(stage),
        Origin::Declined(index) => billed.get(at(index))?.declined(stage),
        Origin::Payment(index) => {
            let billed = billed.get(at(index))?;
            billed.payment(stage, billed.event_envelope(stage).id)
        }
    };
    Some(stage.mint.seal(unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::postings::{Flight, Payout};
    use crate::sim::publish::Item;

    #[test]
    fn records_of_large_worlds_stay_narrow() {
        // Ten million events are held as so many of the first, a third more of the next two, and a tenth of the others.
        for (bytes, most) in [
            (size_of::<Billed>(), 56),
            (size_of::<Entry>(), 48),
            (size_of::<Item>(), 56),
            (size_of::<Payout>(), 104),
            (size_of::<Flight>(), 200),
        ] {
            assert!(bytes <= most, "{bytes} instead of {most}");
        }
    }
}
