//! One user's events in order of time, each with the day and the month that end at it. A calendar month is such a window
//! too: it begins with the month of the event. What is in memory is one month, and not a user's whole time.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{CapLimits, CapWindow, Caps, UnixMicros, UserKey};
use crate::evidence::EventClass;

use super::super::accounts::Billing;
use super::shares::OfSites;
use super::{Cap, CapBreach, CapReading, Measured};

const MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 24 * 3600 * MICROS;
/// A rolling month (FORMATS 11 leaves it open).
pub(super) const MONTH_DAYS: i64 = 30;

/// Year, month and day; the day is 0 for a month.
type Period = (i64, u8, u8);

/// A billing with its UTC date.
#[derive(Clone, Copy)]
pub(super) struct Dated<'n> {
    pub(super) at: UnixMicros,
    pub(super) sats: u128,
    pub(super) site: &'n str,
    date: Period,
}

impl Dated<'_> {
    pub(super) fn month(&self) -> Period {
        (self.date.0, self.date.1, 0)
    }

    /// The first instant of the day or month that ends at it.
    pub(super) fn begin(&self, days: i64, window: CapWindow) -> UnixMicros {
        let today = self.at.0.div_euclid(DAY_MICROS);
        UnixMicros(match window {
            // What is exactly a day old is outside, as midnight is of yesterday.
            CapWindow::Rolling => self.at.0.saturating_sub(days * DAY_MICROS).saturating_add(1),
            CapWindow::Utc if days == 1 => today.saturating_mul(DAY_MICROS),
            CapWindow::Utc => today.saturating_sub(i64::from(self.date.2) - 1).saturating_mul(DAY_MICROS),
        })
    }
}

/// A calendar window is its period, a rolling one ends at an instant.
type Window = (Period, Option<UnixMicros>);

fn shown((year, month, day): Period) -> String {
    if day == 0 { format!("{year:04}-{month:02}") } else { format!("{year:04}-{month:02}-{day:02}") }
}

/// Judges one user, whose billings come in order of time, and of id where times are equal; gives back the highest measures.
pub(super) fn user<'n>(
    user: &UserKey,
    billings: impl Iterator<Item = Billing<'n>>,
    caps: &Caps,
    reading: &mut CapReading,
) -> BTreeMap<Cap, Measured> {
    let rolls = caps.window == CapWindow::Rolling;
    let (breaches, open, worst) = Default::default();
    let mut found = Found { user, reading, breaches, rolls, open, worst };
    let (mut calendar, mut class_a, mut sites) = (Calendar::default(), ClassA::default(), OfSites::new(caps));
    for billing in billings {
        let event = calendar.dated(&billing);
        if billing.class == EventClass::A {
            class_a.add(&event, caps, &mut found);
        }
        sites.add(&event, &mut found);
    }
    sites.finish(&mut found);
    calendar.finish(user, found.reading);
    found.finish()
}

/// Days, months, and months with one site.
#[derive(Default)]
struct Calendar<'n> {
    /// The number of the last event's day, and its date.
    day: Option<(i64, Period)>,
    /// Its month, and the site of all events in it.
    month: Option<(Period, Option<&'n str>)>,
    days: u64,
    months: u64,
    single: u64,
}

impl<'n> Calendar<'n> {
    fn dated(&mut self, billing: &Billing<'n>) -> Dated<'n> {
        let Billing { at, site, .. } = *billing;
        // A date is worked out once for all events of its day.
        let number = at.0.div_euclid(DAY_MICROS);
        let date = match self.day {
            Some((same, date)) if same == number => date,
            _ => {
                self.days += 1;
                let date = at.seconds().civil_date();
                self.day = Some((number, date));
                date
            }
        };
        let event = Dated { at, sats: billing.sats.into(), site, date };
        match &mut self.month {
            Some((month, of_all)) if *month == event.month() => *of_all = of_all.filter(|of_all| *of_all == site),
            _ => self.close(Some((event.month(), Some(site)))),
        }
        event
    }

    fn close(&mut self, next: Option<(Period, Option<&'n str>)>) {
        if let Some((_, of_all)) = std::mem::replace(&mut self.month, next) {
            self.months += 1;
            self.single += u64::from(of_all.is_some());
        }
    }

    fn finish(mut self, user: &UserKey, reading: &mut CapReading) {
        self.close(None);
        reading.user_days += self.days;
        reading.user_months += self.months;
        if self.single > 0 {
            reading.single_site.insert(user.clone(), self.single);
        }
    }
}

/// What one user's walk comes to.
pub(super) struct Found<'r, 'u> {
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
    pub(super) fn measure(
        &mut self,
        cap: Cap,
        period: Period,
        site: Option<&str>,
        limit: u64,
        found: Measured,
        is_breach: bool,
    ) {
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

/// Class A events of the month that ends at the last of them.
#[derive(Default)]
struct ClassA {
    /// With what they earned, in satoshi.
    month: VecDeque<(UnixMicros, u128)>,
    /// Where the day begins among them.
    day_from: usize,
    sats: u128,
}

impl ClassA {
    /// Judges the windows that end at an event.
    fn add(&mut self, event: &Dated<'_>, caps: &Caps, found: &mut Found<'_, '_>) {
        let at = event.at;
        let (day_begin, month_begin) = (event.begin(1, caps.window), event.begin(MONTH_DAYS, caps.window));
        self.month.push_back((at, event.sats));
        self.sats += event.sats;
        while let Some((_, sats)) = self.month.front().filter(|(old, _)| *old < month_begin) {
            self.sats -= sats;
            self.month.pop_front();
            self.day_from = self.day_from.saturating_sub(1);
        }
        while self.month.get(self.day_from).is_some_and(|(old, _)| *old < day_begin) {
            self.day_from += 1;
        }
        let measured = |value: u128| Measured { value, of: None, until: at };
        let (in_day, in_month) = ((self.month.len() - self.day_from) as u128, self.month.len() as u128);
        let CapLimits { class_a_per_day, class_a_per_month, review_sats_per_month, .. } = *caps.at(at.seconds());
        let (per_day, per_month) = (u64::from(class_a_per_day), u64::from(class_a_per_month));
        let over = |count: u128, limit: u64| count > u128::from(limit);
        found.measure(Cap::ClassADay, event.date, None, per_day, measured(in_day), over(in_day, per_day));
        let month = event.month();
        found.measure(Cap::ClassAMonth, month, None, per_month, measured(in_month), over(in_month, per_month));
        let is_due = self.sats >= u128::from(review_sats_per_month);
        found.measure(Cap::Review, month, None, review_sats_per_month, measured(self.sats), is_due);
    }
}
