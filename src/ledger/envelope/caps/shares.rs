//! What the sites of one window contribute to a user's earnings.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::Dated;

/// Earnings of a window by site, in satoshi.
#[derive(Default)]
pub(super) struct Shares<'a> {
    pub(super) total: u128,
    /// With the number of events.
    pub(super) by_site: BTreeMap<&'a str, (u128, u64)>,
    /// The same by size.
    pub(super) ordered: BTreeSet<(u128, &'a str)>,
}

impl<'a> Shares<'a> {
    /// Of a window that is known whole.
    pub(super) fn of(events: &[Dated<'a>]) -> Self {
        let mut by_site: BTreeMap<&str, (u128, u64)> = BTreeMap::new();
        for event in events {
            let (sats, count) = by_site.entry(event.billing.site).or_default();
            (*sats, *count) = (*sats + event.sats(), *count + 1);
        }
        let total = by_site.values().map(|(sats, _)| sats).sum();
        let ordered = by_site.iter().map(|(site, (sats, _))| (*sats, *site)).collect();
        Self { total, by_site, ordered }
    }

    /// An event enters a window that rolls, or leaves it.
    pub(super) fn change(&mut self, event: &Dated<'a>, is_new: bool) {
        let (sats, site) = (event.sats(), event.billing.site);
        let (held, events) = self.by_site.get(site).copied().unwrap_or_default();
        self.ordered.remove(&(held, site));
        // Only what was added before is taken away.
        let (held, events) =
            if is_new { (held + sats, events + 1) } else { (held.saturating_sub(sats), events.saturating_sub(1)) };
        self.total = if is_new { self.total + sats } else { self.total.saturating_sub(sats) };
        if events == 0 {
            self.by_site.remove(site);
        } else {
            self.by_site.insert(site, (held, events));
            self.ordered.insert((held, site));
        }
    }
}
