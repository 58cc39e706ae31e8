//! Leaves and totals of the envelope ledger.

use std::collections::BTreeMap;

use crate::evidence::OcMeBody;
use crate::ledger::canonical::Leaf;
use crate::ledger::view::{LeafKind, LedgerView, NamedLeaf};

use super::roll::{EnvelopeEntry, EnvelopeLedger};
use super::standing::{Exclusion, Standing};

impl EnvelopeLedger {
    /// The root over the leaves. Totals of excluded events stand beside those of counted ones.
    pub fn view(&self) -> LedgerView {
        LedgerView { totals: self.totals(), ..LedgerView::of("envelope", self.leaves()) }
    }

    /// The ledger's leaves in order of envelope id.
    pub(in crate::ledger) fn leaves(&self) -> impl Iterator<Item = Vec<u8>> {
        self.entries.values().map(|entry| self.leaf(entry))
    }

    /// As [`Self::leaves`], named by id.
    pub(in crate::ledger) fn named_leaves(&self) -> impl Iterator<Item = NamedLeaf> {
        self.entries.values().map(|entry| NamedLeaf::new(LeafKind::Envelope, &entry.id, self.leaf(entry)))
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

    fn totals(&self) -> BTreeMap<String, i128> {
        let mut totals = BTreeMap::new();
        let mut add = |name: &str, amount: i128| {
            // Amounts are below 2.1e15, so no count of entries that fits a machine overflows 128 bits.
            *totals.entry(name.to_owned()).or_insert(0_i128) += amount;
        };
        for name in [
            "counted",
            "excluded",
            "events",
            "gross_sats",
            "platform_sats",
            "user_sats",
            "rebate_sats",
            "maturing_sats",
            // What leaked keys cost stands in every report, also when it is nothing.
            "key_compromised",
            "key_compromised_events",
            "key_compromised_user_sats",
        ] {
            add(name, 0);
        }
        for entry in self.entries.values() {
            let prefix = match entry.standing {
                Standing::Counted => "",
                Standing::Excluded(Exclusion::AfterAsOf) => "after_as_of_",
                Standing::Excluded(Exclusion::KeyCompromised) => "key_compromised_",
            };
            add(if entry.counts() { "counted" } else { "excluded" }, 1);
            if entry.standing == Standing::Excluded(Exclusion::KeyCompromised) {
                add("key_compromised", 1);
            }
            let OcMeBody::Event(event) = &*entry.body else { continue };
            add(&format!("{prefix}events"), 1);
            for (name, sats) in [
                ("gross_sats", event.gross),
                ("platform_sats", event.platform),
                ("user_sats", event.user_earned),
                ("rebate_sats", event.rebate),
            ] {
                add(&format!("{prefix}{name}"), i128::from(sats.get()));
            }
            if entry.counts() {
                add(&format!("class_{}_events", event.class.name().to_ascii_lowercase()), 1);
                if self.vested_at(event).is_none() {
                    add("maturing_sats", i128::from(event.user_earned.get()));
                }
            }
        }
        totals
    }
}
