//! Leaves and totals of the envelope ledger.

use std::collections::BTreeMap;

use crate::evidence::{EventClass, OcMeBody};
use crate::ledger::canonical::Leaf;
use crate::ledger::view::{LeafKind, LedgerView, NamedLeaf};

use super::entry::EnvelopeEntry;
use super::roll::EnvelopeLedger;
use super::standing::{Exclusion, Standing};

const COMPROMISED: Standing = Standing::Excluded(Exclusion::KeyCompromised);

impl EnvelopeLedger {
    /// The root over the leaves. Totals of excluded events stand beside those of counted ones.
    pub fn view(&self) -> LedgerView {
        let mut tally = Tally::default();
        let entries = self.entries().inspect(|entry| tally.add(self, entry));
        let leaves = LedgerView::of_parts("envelope", entries, |entry| self.leaf(entry));
        LedgerView { totals: tally.named(), ..leaves }
    }

    /// The ledger's leaves in order of envelope id.
    pub(in crate::ledger) fn leaves(&self) -> impl Iterator<Item = Vec<u8>> {
        self.entries().map(|entry| self.leaf(&entry))
    }

    /// As [`Self::leaves`], named by id.
    pub(in crate::ledger) fn named_leaves(&self) -> impl Iterator<Item = NamedLeaf> {
        self.entries().map(|entry| NamedLeaf::new(LeafKind::Envelope, &entry.id, self.leaf(&entry)))
    }

    fn leaf(&self, entry: &EnvelopeEntry) -> Vec<u8> {
        let leaf = Leaf::new(entry.kind.name())
            .text("id", entry.id)
            .text("kid", &entry.kid)
            .text("standing", entry.standing.name())
            .int_or_null("claimed_micros", entry.claimed.map(|at| at.0))
            .int_or_null("anchor_height", entry.anchor_height.map(|height| height.0));
        match &*entry.body {
            OcMeBody::Event(event) => leaf
                .int("v", event.v)
                .text("class", event.class.name())
                .text("subtype", &event.subtype)
                .text("site", &event.site)
                .text("user", &event.user)
                .text_or_null("project", event.project.as_ref())
                .int("gross_sats", event.gross.get())
                .int("platform_sats", event.platform.get())
                .int("user_sats", event.user_earned.get())
                .int("rebate_sats", event.rebate.get())
                .flag("is_agent", event.is_agent)
                .text_or_null("window", event.drop.as_ref().map(|drop| &drop.window))
                .int_or_null("vested_at", self.vested_at(event).map(|at| at.0))
                .text_or_null("idempotency_key", event.idempotency_key.as_ref()),
            OcMeBody::Payment(payment) => leaf
                .text("status", &payment.status)
                .int_or_null("sats_charged", payment.sats_charged.map(crate::domain::Sats::get))
                .text_or_null("event", payment.user_envelope_id)
                .text_or_null("user", payment.user.as_ref()),
            OcMeBody::PayoutBinding(binding) => {
                leaf.text("user", &binding.user).text("destination", &binding.destination)
            }
            OcMeBody::Distribution(distribution) => leaf
                .int_or_null("total_sats", distribution.total.map(crate::domain::Sats::get))
                .pairs("recipients", distribution.recipients.iter().map(|share| (&share.user, share.amount))),
            OcMeBody::Drop(drop) => leaf
                .text("window", &drop.window)
                .int("event_count", drop.event_count)
                .int("gross_sats", drop.gross.get())
                .int("user_sats", drop.user_share.get())
                .int_or_null("sealed_height", drop.sealed_height.map(|height| height.0))
                .text_or_null("events_root", drop.events_root)
                .text_or_null("root_rule", self.root_rules.get(&entry.id)),
            OcMeBody::Activity(activity) => leaf
                .text("user", &activity.user)
                .int("event_count", activity.event_count)
                .int("lifetime_sats", activity.lifetime.get()),
            OcMeBody::Trust | OcMeBody::Rebind(_) => leaf,
        }
        .bytes()
    }
}

/// Sums over entries. Amounts are below 2.1e15, so no count of entries that fits a machine overflows 128 bits.
#[derive(Default)]
struct Tally {
    counted: i128,
    excluded: i128,
    compromised: i128,
    maturing_sats: i128,
    by_class: BTreeMap<EventClass, i128>,
    by_standing: BTreeMap<Standing, EventSums>,
}

/// Sums over billable events of one standing.
#[derive(Default)]
struct EventSums {
    events: i128,
    gross: i128,
    platform: i128,
    user: i128,
    rebate: i128,
}

impl Tally {
    fn add(&mut self, ledger: &EnvelopeLedger, entry: &EnvelopeEntry) {
        let of_standing = if entry.counts() { &mut self.counted } else { &mut self.excluded };
        *of_standing += 1;
        self.compromised += i128::from(entry.standing == COMPROMISED);
        let OcMeBody::Event(event) = &*entry.body else { return };
        let sums = self.by_standing.entry(entry.standing).or_default();
        sums.events += 1;
        sums.gross += i128::from(event.gross.get());
        sums.platform += i128::from(event.platform.get());
        sums.user += i128::from(event.user_earned.get());
        sums.rebate += i128::from(event.rebate.get());
        if entry.counts() {
            *self.by_class.entry(event.class).or_default() += 1;
            if ledger.vested_at(event).is_none() {
                self.maturing_sats += i128::from(event.user_earned.get());
            }
        }
    }

    /// What leaked keys cost stands in every report, also when it is nothing.
    fn named(mut self) -> BTreeMap<String, i128> {
        let lost = self.by_standing.get(&COMPROMISED).map_or((0, 0), |sums| (sums.events, sums.user));
        let mut totals: BTreeMap<String, i128> = [
            ("counted", self.counted),
            ("excluded", self.excluded),
            ("maturing_sats", self.maturing_sats),
            ("key_compromised", self.compromised),
            ("key_compromised_events", lost.0),
            ("key_compromised_user_sats", lost.1),
        ]
        .map(|(name, amount)| (name.to_owned(), amount))
        .into();
        self.by_standing.entry(Standing::Counted).or_default();
        for (standing, sums) in self.by_standing {
            let prefix = match standing {
                Standing::Counted => "",
                Standing::Excluded(Exclusion::AfterAsOf) => "after_as_of_",
                Standing::Excluded(Exclusion::KeyCompromised) => "key_compromised_",
            };
            let EventSums { events, gross, platform, user, rebate } = sums;
            totals.extend(
                [
                    ("events", events),
                    ("gross_sats", gross),
                    ("platform_sats", platform),
                    ("user_sats", user),
                    ("rebate_sats", rebate),
                ]
                .map(|(name, amount)| (format!("{prefix}{name}"), amount)),
            );
        }
        let class = |class: EventClass| format!("class_{}_events", class.name().to_ascii_lowercase());
        totals.extend(self.by_class.into_iter().map(|(of, events)| (class(of), events)));
        totals
    }
}
