//! beancount's language: <https://beancount.github.io/docs/beancount_language_syntax.html>, written for `bean-check`.

use std::io::{self, Write};

use super::ask::JournalAsk;
use super::booking::Booking;
use super::chart::{Chart, Held};
use super::day::Day;
use super::hledger::comments;

/// Comments, options, the commodity, and every account from the day of its first entry.
pub(super) fn head(out: &mut dyn Write, ask: &JournalAsk<'_>, chart: &Chart, by_day: bool) -> io::Result<()> {
    comments(out, ask, chart, by_day)?;
    writeln!(out, "\noption \"title\" \"treasury journal of reledger\"")?;
    writeln!(out, "option \"operating_currency\" \"MSAT\"\n")?;
    if let Some(first) = chart.held.iter().map(|held| held.opened).min() {
        writeln!(out, "{first} commodity MSAT\n")?;
    }
    for held in &chart.held {
        writeln!(out, "{} open {} MSAT\n  native: \"{}\"", held.opened, held.called.name, held.called.native)?;
    }
    Ok(())
}

pub(super) fn transaction(out: &mut dyn Write, booking: &Booking, chart: &Chart) -> io::Result<()> {
    writeln!(out, "\n{} * \"{}\" ^{}", booking.day, booking.kind, booking.fact)?;
    writeln!(out, "  code: \"{}\"", booking.code())?;
    writeln!(out, "  tier: \"{}\"", booking.tier.name())?;
    writeln!(out, "  rule: \"{}\"", booking.rule)?;
    match &booking.time {
        Some(time) => writeln!(out, "  at: \"{time}\"")?,
        None => writeln!(out, "  entries: {}", booking.entries)?,
    }
    if !booking.evidence.is_empty() {
        writeln!(out, "  evidence: \"{}\"", booking.evidence)?;
    }
    for (place, delta) in &booking.lines {
        writeln!(out, "  {}  {delta} MSAT", chart.at(*place)?.called.name)?;
    }
    Ok(())
}

/// What the accounts hold when the day is over: beancount checks a balance before anything else of its day.
pub(super) fn assertions<'h>(
    out: &mut dyn Write,
    day: Day,
    title: &str,
    held: impl Iterator<Item = &'h Held>,
) -> io::Result<()> {
    writeln!(out, "\n; {title}")?;
    for held in held {
        writeln!(out, "{} balance {}  {} ~ 0 MSAT", day.next(), held.called.name, held.balance)?;
    }
    Ok(())
}
