//! One user's events in order of time, each with the day and the month that end at it. A calendar month is such a window
//! too: it begins with the month of the event.

use std::collections::BTreeMap;

use crate::domain::{CapLimits, CapWindow, Caps, UnixMicros, UserKey};
use crate::evidence::EventClass;

use super::super::accounts::Billing;
use super::shares::Shares;
use super::{Cap, CapBreach, CapReading, Measured};

const MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 24 * 3600 * MICROS;
/// A rolling month (FORMATS 11 leaves it open).
const MONTH_DAYS: i64 = 30;

/// Year, month and day; the day is 0 for a month.
type Period = (i64, u8, u8);

/// A billing with its UTC date.
#[derive(Clone, Copy)]
pub(super) struct Dated<'a> {
    pub(super) billing: Billing<'a>,
    date: Period,
}

impl Dated<'_> {
    fn month(&self) -> Period {
        (self.date.0, self.date.1, 0)
    }

    pub(super) fn sats(&self) -> u128 {
        u128::from(self.billing.sats)
    }
}

fn dated(billings: Vec<Billing<'_>>) -> Vec<Dated<'_>> {
    let (mut day, mut date) = (None, (0, 0, 0));
    let dated = billings.into_iter().map(|billing| {
        // A date is worked out once for all events of its day.
        let of_it = billing.at.0.div_euclid(DAY_MICROS);
        if day.replace(of_it) != Some(of_it) {
            date = billing.at.seconds().civil_date();
        }
        Dated { billing, date }
    });
    dated.collect()
}

/// A calendar window is its period, a rolling one ends at an instant.
type Window = (Period, Option<UnixMicros>);

fn shown((year, month, day): Period) -> String {
    if day == 0 { format!("{year:04}-{month:02}") } else { format!("{year:04}-{month:02}-{day:02}") }
}

/// Judges one user, whose billings are in order of time, and of id where times are equal; gives back the highest measures.
pub(super) fn user(
    user: &UserKey,
    billings: Vec<Billing<'_>>,
    caps: &Caps,
    reading: &mut CapReading,
) -> BTreeMap<Cap, Measured> {
    let events = dated(billings);
    calendar(user, &events, reading);
    let rolls = caps.window == CapWindow::Rolling;
    let (breaches, open, worst) = Default::default();
    let mut found = Found { user, reading, breaches, rolls, open, worst };
    class_a(&events, caps, &mut found);
    shares(&events, caps, &mut found);
    found.finish()
}

/// Days, months, and months with one site.
fn calendar(user: &UserKey, events: &[Dated<'_>], reading: &mut CapReading) {
    reading.user_days += events.chunk_by(|one, next| one.date == next.date).count() as u64;
    let mut single = 0;
    for month in months(events) {
        reading.user_months += 1;
        single += u64::from(month.iter().all(|event| event.billing.site == month[0].billing.site));
    }
    if single > 0 {
        reading.single_site.insert(user.clone(), single);
    }
}

fn months<'e, 'a>(events: &'e [Dated<'a>]) -> impl Iterator<Item = &'e [Dated<'a>]> {
    events.chunk_by(|one, next| one.month() == next.month())
}

/// What one user's walk comes to.
struct Found<'r, 'u> {
    user: &'u UserKey,
    reading: &'r mut CapReading,
    breaches: BTreeMap<(Cap, Period, Option<String>), CapBreach>,
    rolls: bool,
    /// The window of each limit that is being judged, and whether it is above. All measures of a window come one after the
    /// other.
    open: BTreeMap<Cap, (Window, bool)>,
    worst: BTreeMap<Cap, Measured>,
}

impl Found<'_, '_> {
    fn count(&mut self, cap: Cap, closed: Option<(Window, bool)>) {
        if let Some((_, is_above)) = closed {
            *self.reading.looked_at.entry(cap).or_default() += 1;
            *self.reading.above.entry(cap).or_default() += u64::from(is_above);
        }
    }

    fn finish(mut self) -> BTreeMap<Cap, Measured> {
        for (cap, last) in std::mem::take(&mut self.open) {
            self.count(cap, Some(last));
        }
        self.reading.breaches.extend(self.breaches.into_values());
        self.worst
    }

    /// Takes a measure; of several in one period the highest is kept, of equal ones the first.
    fn measure(&mut self, cap: Cap, period: Period, site: Option<&str>, limit: u64, found: Measured, is_breach: bool) {
        let end = self.rolls.then_some(found.until);
        match self.open.get_mut(&cap) {
            Some((window, is_above)) if *window == (period, end) => *is_above |= is_breach,
            _ => {
                let closed = self.open.insert(cap, ((period, end), is_breach));
                self.count(cap, closed);
            }
        }
        let worst = self.worst.entry(cap).or_insert(found);
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
fn begin(event: &Dated<'_>, days: i64, window: CapWindow) -> i64 {
    let at = event.billing.at;
    let today = at.0.div_euclid(DAY_MICROS);
    match window {
        // What is exactly a day old is outside, as midnight is of yesterday.
        CapWindow::Rolling => at.0.saturating_sub(days * DAY_MICROS).saturating_add(1),
        CapWindow::Utc if days == 1 => today.saturating_mul(DAY_MICROS),
        CapWindow::Utc => today.saturating_sub(i64::from(event.date.2) - 1).saturating_mul(DAY_MICROS),
    }
}

fn class_a(events: &[Dated<'_>], caps: &Caps, found: &mut Found<'_, '_>) {
    let events: Vec<Dated<'_>> = events.iter().filter(|event| event.billing.class == EventClass::A).copied().collect();
    let (mut day_from, mut month_from, mut month_sats) = (0, 0, 0_u128);
    for (place, event) in events.iter().enumerate() {
        let at = event.billing.at;
        let limits = caps.at(at.seconds());
        let (day_begin, month_begin) = (begin(event, 1, caps.window), begin(event, MONTH_DAYS, caps.window));
        month_sats += event.sats();
        let is_before = |place: usize, begin: i64| events.get(place).is_some_and(|old| old.billing.at.0 < begin);
        while is_before(day_from, day_begin) {
            day_from += 1;
        }
        while is_before(month_from, month_begin) {
            month_sats -= events.get(month_from).map_or(0, Dated::sats);
            month_from += 1;
        }
        let measured = |value: u128| Measured { value, of: None, until: at };
        let counted = |from: usize| (place + 1 - from) as u128;
        let (in_day, in_month) = (counted(day_from), counted(month_from));
        let CapLimits { class_a_per_day, class_a_per_month, review_sats_per_month, .. } = *limits;
        let (per_day, per_month) = (u64::from(class_a_per_day), u64::from(class_a_per_month));
        let over = |count: u128, limit: u64| count > u128::from(limit);
        found.measure(Cap::ClassADay, event.date, None, per_day, measured(in_day), over(in_day, per_day));
        let month = event.month();
        found.measure(Cap::ClassAMonth, month, None, per_month, measured(in_month), over(in_month, per_month));
        let is_due = month_sats >= u128::from(review_sats_per_month);
        found.measure(Cap::Review, month, None, review_sats_per_month, measured(month_sats), is_due);
    }
}

/// A calendar month is judged whole, a rolling one at each of its events.
fn shares(events: &[Dated<'_>], caps: &Caps, found: &mut Found<'_, '_>) {
    if caps.window == CapWindow::Utc {
        for month in months(events) {
            if let Some(last) = month.last() {
                judge(&Shares::of(month), last, caps, found);
            }
        }
        return;
    }
    let (mut shares, mut from) = (Shares::default(), 0);
    for (place, event) in events.iter().enumerate() {
        let begin = begin(event, MONTH_DAYS, caps.window);
        while let Some(old) = events.get(from).filter(|old| old.billing.at.0 < begin) {
            shares.change(old, false);
            from += 1;
        }
        shares.change(event, true);
        // Events of one instant are in each other's window.
        if events.get(place + 1).is_none_or(|next| next.billing.at != event.billing.at) {
            judge(&shares, event, caps, found);
        }
    }
}

/// Measures the shares of a window that ends at an event, from the largest down to the first within the limit.
fn judge(shares: &Shares<'_>, last: &Dated<'_>, caps: &Caps, found: &mut Found<'_, '_>) {
    if shares.by_site.len() < 2 {
        return;
    }
    let until = last.billing.at;
    let limit = caps.at(until.seconds()).site_share_percent;
    for (sats, site) in shares.ordered.iter().rev() {
        let is_breach = sats * 100 > shares.total * u128::from(limit);
        let measured = Measured { value: *sats, of: Some(shares.total), until };
        found.measure(Cap::SiteShare, last.month(), Some(site), u64::from(limit), measured, is_breach);
        if !is_breach {
            break;
        }
    }
}
