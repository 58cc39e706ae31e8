//! One user's events in order of time, each with the day and the month that end at it. A calendar month is such a window
//! too: it begins with the month of the event.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{CapLimits, CapWindow, Caps, UnixMicros, UserKey};
use crate::evidence::{BillableEvent, EventClass};

use super::{Cap, CapBreach, CapReading, Measured};

const MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 24 * 3600 * MICROS;
/// A rolling month (FORMATS 11 leaves it open).
const MONTH_DAYS: i64 = 30;

/// Year, month and day; the day is 0 for a month.
type Period = (i64, u8, u8);

fn month_of(at: UnixMicros) -> Period {
    let (year, month, _) = at.seconds().civil_date();
    (year, month, 0)
}

fn shown((year, month, day): Period) -> String {
    if day == 0 { format!("{year:04}-{month:02}") } else { format!("{year:04}-{month:02}-{day:02}") }
}

/// Judges one user, whose events are in order of time.
pub(super) fn user(user: &UserKey, events: &[&BillableEvent], caps: &Caps, reading: &mut CapReading) {
    calendar(user, events, reading);
    let rolls = caps.window == CapWindow::Rolling;
    let mut found = Found { user, reading, rolls, breaches: BTreeMap::new(), windows: BTreeMap::new() };
    class_a(events, caps, &mut found);
    shares(events, caps, &mut found);
    let Found { breaches, windows, .. } = found;
    for ((cap, ..), is_above) in windows {
        *reading.looked_at.entry(cap).or_default() += 1;
        *reading.above.entry(cap).or_default() += u64::from(is_above);
    }
    reading.breaches.extend(breaches.into_values());
}

/// Days, months, and months with one site.
fn calendar(user: &UserKey, events: &[&BillableEvent], reading: &mut CapReading) {
    let days: BTreeSet<i64> = events.iter().map(|event| event.occurred_at.0.div_euclid(DAY_MICROS)).collect();
    let mut sites: BTreeMap<Period, BTreeSet<&str>> = BTreeMap::new();
    for event in events {
        sites.entry(month_of(event.occurred_at)).or_default().insert(&event.site);
    }
    let single = sites.values().filter(|sites| sites.len() == 1).count() as u64;
    reading.user_days += days.len() as u64;
    reading.user_months += sites.len() as u64;
    if single > 0 {
        reading.single_site.insert(user.clone(), single);
    }
}

/// What one user's walk comes to.
struct Found<'r, 'u> {
    user: &'u UserKey,
    reading: &'r mut CapReading,
    breaches: BTreeMap<(Cap, Period, Option<String>), CapBreach>,
    rolls: bool,
    /// Every window that was judged, and whether it is above: a calendar one is its period, a rolling one ends at an instant.
    windows: BTreeMap<(Cap, Period, Option<UnixMicros>), bool>,
}

impl Found<'_, '_> {
    /// Takes a measure; of several in one period the highest is kept, of equal ones the first.
    fn measure(&mut self, cap: Cap, period: Period, site: Option<&str>, limit: u64, found: Measured, is_breach: bool) {
        let end = self.rolls.then_some(found.until);
        *self.windows.entry((cap, period, end)).or_default() |= is_breach;
        let worst = self.reading.worst.entry(cap).or_insert(found);
        if found.rank() > worst.rank() {
            *worst = found;
        }
        if !is_breach {
            return;
        }
        let made = || CapBreach {
            cap,
            user: self.user.clone(),
            period: shown(period),
            site: site.map(str::to_owned),
            limit,
            found,
        };
        let kept = self.breaches.entry((cap, period, site.map(str::to_owned))).or_insert_with(made);
        if found.rank() > kept.found.rank() {
            *kept = made();
        }
    }
}

/// The first instant of the day or month that ends at an event.
fn begin(at: UnixMicros, days: i64, window: CapWindow) -> i64 {
    match window {
        // What is exactly a day old is outside, as midnight is of yesterday.
        CapWindow::Rolling => at.0.saturating_sub(days * DAY_MICROS).saturating_add(1),
        CapWindow::Utc if days == 1 => at.0.div_euclid(DAY_MICROS).saturating_mul(DAY_MICROS),
        CapWindow::Utc => {
            let (_, _, day) = at.seconds().civil_date();
            let days = at.0.div_euclid(DAY_MICROS).saturating_sub(i64::from(day) - 1);
            days.saturating_mul(DAY_MICROS)
        }
    }
}

fn class_a(events: &[&BillableEvent], caps: &Caps, found: &mut Found<'_, '_>) {
    let events: Vec<&BillableEvent> = events.iter().filter(|event| event.class == EventClass::A).copied().collect();
    let (mut day_from, mut month_from, mut month_sats) = (0, 0, 0_u128);
    for (place, event) in events.iter().enumerate() {
        let at = event.occurred_at;
        let limits = caps.at(at.seconds());
        let (day_begin, month_begin) = (begin(at, 1, caps.window), begin(at, MONTH_DAYS, caps.window));
        month_sats += u128::from(event.user_earned.get());
        let is_before = |place: usize, begin: i64| events.get(place).is_some_and(|old| old.occurred_at.0 < begin);
        while is_before(day_from, day_begin) {
            day_from += 1;
        }
        while is_before(month_from, month_begin) {
            month_sats -= events.get(month_from).map_or(0, |old| u128::from(old.user_earned.get()));
            month_from += 1;
        }
        let measured = |value: u128| Measured { value, of: None, until: at };
        let counted = |from: usize| (place + 1 - from) as u128;
        let (year, month, day) = at.seconds().civil_date();
        let (in_day, in_month) = (counted(day_from), counted(month_from));
        let CapLimits { class_a_per_day, class_a_per_month, review_sats_per_month, .. } = *limits;
        let (per_day, per_month) = (u64::from(class_a_per_day), u64::from(class_a_per_month));
        let over = |count: u128, limit: u64| count > u128::from(limit);
        let date = (year, month, day);
        found.measure(Cap::ClassADay, date, None, per_day, measured(in_day), over(in_day, per_day));
        let month = (year, month, 0);
        found.measure(Cap::ClassAMonth, month, None, per_month, measured(in_month), over(in_month, per_month));
        let is_due = month_sats >= u128::from(review_sats_per_month);
        found.measure(Cap::Review, month, None, review_sats_per_month, measured(month_sats), is_due);
    }
}

/// Earnings of a window by site, with the largest at hand.
#[derive(Default)]
struct Shares<'a> {
    total: u128,
    by_site: BTreeMap<&'a str, (u128, u64)>,
    ordered: BTreeSet<(u128, &'a str)>,
}

impl<'a> Shares<'a> {
    fn change(&mut self, event: &'a BillableEvent, is_new: bool) {
        let sats = u128::from(event.user_earned.get());
        let (held, events) = self.by_site.get(event.site.as_str()).copied().unwrap_or_default();
        self.ordered.remove(&(held, event.site.as_str()));
        // Only what was added before is taken away.
        let (held, events) =
            if is_new { (held + sats, events + 1) } else { (held.saturating_sub(sats), events.saturating_sub(1)) };
        self.total = if is_new { self.total + sats } else { self.total.saturating_sub(sats) };
        if events == 0 {
            self.by_site.remove(event.site.as_str());
        } else {
            self.by_site.insert(&event.site, (held, events));
            self.ordered.insert((held, &event.site));
        }
    }
}

/// A calendar month is judged whole, a rolling one at each of its events.
fn shares(events: &[&BillableEvent], caps: &Caps, found: &mut Found<'_, '_>) {
    let (mut shares, mut from) = (Shares::default(), 0);
    for (place, event) in events.iter().enumerate() {
        let at = event.occurred_at;
        let begin = begin(at, MONTH_DAYS, caps.window);
        while let Some(old) = events.get(from).filter(|old| old.occurred_at.0 < begin) {
            shares.change(old, false);
            from += 1;
        }
        shares.change(event, true);
        let next = events.get(place + 1).map(|next| next.occurred_at);
        let ends_here = match caps.window {
            CapWindow::Utc => next.is_none_or(|next| month_of(next) != month_of(at)),
            // Events of one instant are in each other's window.
            CapWindow::Rolling => next != Some(at),
        };
        if !ends_here || shares.by_site.len() < 2 {
            continue;
        }
        let limit = caps.at(at.seconds()).site_share_percent;
        for (sats, site) in shares.ordered.iter().rev() {
            let is_breach = sats * 100 > shares.total * u128::from(limit);
            let measured = Measured { value: *sats, of: Some(shares.total), until: at };
            found.measure(Cap::SiteShare, month_of(at), Some(site), u64::from(limit), measured, is_breach);
            if !is_breach {
                break;
            }
        }
    }
}
