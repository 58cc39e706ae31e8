//! Through the journal once, day by day, and out at the other end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::ask::{Dialect, JournalAsk, JournalWritten};
use super::booking::{Booking, Group, GroupKey, way};
use super::chart::Chart;
use super::day::Day;
use super::{beancount, csv, hledger};
use crate::domain::MsatDelta;
use crate::ledger::{Entry, Fact};

/// Writes the journal in the dialect. `entries` gives it in its order, each time anew: it is read twice, first for its
/// accounts. Memory grows with accounts, not with entries. The same journal and ask give the same bytes.
///
/// After every day each account that moved is asserted, at the end every account; CSV has no assertions.
///
/// # Errors
/// What the writer says; `InvalidData` when a sum leaves 128 bits, or when the second reading is not the first.
pub fn write_journal<I>(
    out: &mut impl Write,
    ask: &JournalAsk<'_>,
    entries: impl Fn() -> I,
) -> io::Result<JournalWritten>
where
    I: IntoIterator<Item = Entry>,
{
    let chart = Chart::of(entries(), ask);
    let by_day = ask.detail.is_by_day(chart.entries);
    match ask.dialect {
        Dialect::Hledger => hledger::head(out, ask, &chart, by_day)?,
        Dialect::Beancount => beancount::head(out, ask, &chart, by_day)?,
        Dialect::Csv => csv::head(out)?,
    }
    let written = JournalWritten {
        entries: chart.entries,
        accounts: chart.held.len() as u64,
        by_day,
        ..JournalWritten::default()
    };
    let mut walk = Walk {
        out,
        ask,
        chart,
        written,
        day: None,
        moved: BTreeSet::new(),
        groups: BTreeMap::new(),
        vesting: Vec::new(),
    };
    for entry in entries() {
        walk.entry(&entry)?;
    }
    walk.finish()
}

/// Of all facts a vesting alone is ordered by its user.
fn is_vesting(entry: &Entry) -> bool {
    matches!(entry.key.fact, Fact::Vesting(..))
}

struct Walk<'a> {
    out: &'a mut dyn Write,
    ask: &'a JournalAsk<'a>,
    chart: Chart,
    written: JournalWritten,
    /// The day that is open.
    day: Option<Day>,
    /// Accounts that moved on it.
    moved: BTreeSet<usize>,
    /// Its sums, where days are summed.
    groups: BTreeMap<GroupKey, Group>,
    /// Vestings of one instant, which come in the order of users that may be hidden, and leave in that of accounts as shown.
    vesting: Vec<Booking>,
}

impl Walk<'_> {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let day = Day::of(entry.key.at);
        if self.day != Some(day) {
            self.close_day()?;
            self.day = Some(day);
        }
        let mut lines: Vec<(usize, MsatDelta)> = Vec::with_capacity(entry.postings.len());
        for posting in &entry.postings {
            let place = self.chart.post(&posting.account, posting.delta)?;
            self.moved.insert(place);
            lines.push((place, posting.delta));
        }
        lines.sort_unstable();
        if self.written.by_day {
            let group = self.groups.entry((entry.key.rank, entry.kind, way(entry)?)).or_default();
            return group.add(entry, &lines, self.ask.names);
        }
        let booking = Booking::of(entry, lines, self.ask.names)?;
        if self.vesting.last().is_some_and(|last| !is_vesting(entry) || last.time != booking.time) {
            self.vest()?;
        }
        if is_vesting(entry) {
            self.vesting.push(booking);
            return Ok(());
        }
        self.transaction(booking)
    }

    fn vest(&mut self) -> io::Result<()> {
        let mut vesting = std::mem::take(&mut self.vesting);
        vesting.sort_by(|a, b| a.lines.cmp(&b.lines));
        vesting.into_iter().try_for_each(|booking| self.transaction(booking))
    }

    fn transaction(&mut self, booking: Booking) -> io::Result<()> {
        self.written.transactions = self.written.transactions.saturating_add(1);
        let booking = &Booking { number: self.written.transactions, ..booking };
        match self.ask.dialect {
            Dialect::Hledger => hledger::transaction(self.out, booking, &self.chart),
            Dialect::Beancount => beancount::transaction(self.out, booking, &self.chart),
            Dialect::Csv => csv::transaction(self.out, booking, &self.chart),
        }
    }

    /// What was summed, then what each account that moved holds.
    fn close_day(&mut self) -> io::Result<()> {
        let Some(day) = self.day.take() else { return Ok(()) };
        for (key, group) in std::mem::take(&mut self.groups) {
            self.transaction(group.booking(key, day))?;
        }
        self.vest()?;
        let moved = std::mem::take(&mut self.moved);
        self.assert(day, "balances after this day", moved.into_iter().collect())
    }

    fn finish(mut self) -> io::Result<JournalWritten> {
        let last = self.day;
        self.close_day()?;
        if let Some(day) = last {
            self.assert(day, "balances at the end", (0..self.chart.held.len()).collect())?;
        }
        self.out.flush()?;
        Ok(self.written)
    }

    fn assert(&mut self, day: Day, title: &str, places: Vec<usize>) -> io::Result<()> {
        let count = places.len() as u64;
        let held = places.into_iter().filter_map(|place| self.chart.held.get(place));
        match self.ask.dialect {
            Dialect::Hledger => hledger::assertions(self.out, day, title, held)?,
            Dialect::Beancount => beancount::assertions(self.out, day, title, held)?,
            Dialect::Csv => return Ok(()),
        }
        self.written.assertions = self.written.assertions.saturating_add(count);
        Ok(())
    }
}
