//! What the sites of one window contribute to a user's earnings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::{CapWindow, Caps};

use super::walk::{Dated, Found, MONTH_DAYS};
use super::{Cap, Measured};

/// Earnings of a window by site, in satoshi.
#[derive(Default)]
struct Shares<'n> {
    total: u128,
    /// With the number of events.
    by_site: BTreeMap<&'n str, (u128, u64)>,
    /// The same by size.
    ordered: BTreeSet<(u128, &'n str)>,
}

impl<'n> Shares<'n> {
    /// An event enters a window that is ordered when it is whole.
    fn add(&mut self, event: &Dated<'n>) {
        let (sats, count) = self.by_site.entry(event.site).or_default();
        (*sats, *count) = (*sats + event.sats, *count + 1);
        self.total += event.sats;
    }

    /// The window is whole.
    fn order(&mut self) {
        self.ordered = self.by_site.iter().map(|(site, (sats, _))| (*sats, *site)).collect();
    }

    /// An event enters a window that rolls, or leaves it.
    fn change(&mut self, event: &Dated<'n>, is_new: bool) {
        let Dated { sats, site, .. } = *event;
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

/// One user's sites. A calendar month is judged whole, a rolling one at each of its events.
pub(super) struct OfSites<'n, 'c> {
    caps: &'c Caps,
    shares: Shares<'n>,
    /// The events of a month that rolls.
    month: VecDeque<Dated<'n>>,
    last: Option<Dated<'n>>,
}

impl<'n, 'c> OfSites<'n, 'c> {
    pub(super) fn new(caps: &'c Caps) -> Self {
        Self { caps, shares: Shares::default(), month: VecDeque::new(), last: None }
    }

    pub(super) fn add(&mut self, event: &Dated<'n>, found: &mut Found<'_, '_>) {
        match self.caps.window {
            CapWindow::Utc => {
                if self.last.is_some_and(|last| last.month() != event.month()) {
                    self.close(found);
                    self.shares = Shares::default();
                }
                self.shares.add(event);
            }
            CapWindow::Rolling => {
                // Events of one instant are in each other's window.
                if self.last.is_some_and(|last| last.at != event.at) {
                    self.close(found);
                }
                let begin = event.begin(MONTH_DAYS, CapWindow::Rolling);
                while let Some(old) = self.month.front().filter(|old| old.at < begin) {
                    self.shares.change(old, false);
                    self.month.pop_front();
                }
                self.shares.change(event, true);
                self.month.push_back(*event);
            }
        }
        self.last = Some(*event);
    }

    pub(super) fn finish(mut self, found: &mut Found<'_, '_>) {
        self.close(found);
    }

    /// Measures the shares of the window that ends at the last event, from the largest down to the first within the limit.
    fn close(&mut self, found: &mut Found<'_, '_>) {
        let Some(last) = self.last.filter(|_| self.shares.by_site.len() >= 2) else { return };
        if self.caps.window == CapWindow::Utc {
            self.shares.order();
        }
        let limit = self.caps.at(last.at.seconds()).site_share_percent;
        for (sats, site) in self.shares.ordered.iter().rev() {
            let is_breach = sats * 100 > self.shares.total * u128::from(limit);
            let measured = Measured { value: *sats, of: Some(self.shares.total), until: last.at };
            found.measure(Cap::SiteShare, last.month(), Some(site), u64::from(limit), measured, is_breach);
            if !is_breach {
                break;
            }
        }
    }
}
