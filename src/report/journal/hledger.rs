//! hledger's journal format: <https://hledger.org/hledger.html#journal>, written for `check --strict`.

use std::io::{self, Write};

use super::ask::JournalAsk;
use super::booking::Booking;
use super::chart::{Chart, Held};
use super::day::Day;

/// Comments, the commodity, and every account with its type.
pub(super) fn head(out: &mut dyn Write, ask: &JournalAsk<'_>, chart: &Chart, by_day: bool) -> io::Result<()> {
    comments(out, ask, chart, by_day)?;
    // The point is the decimal mark: without one the directive is refused.
    writeln!(out, "\ncommodity 1000. MSAT\n")?;
    for held in &chart.held {
        let kind = if held.is_asset { "A" } else { "L" };
        writeln!(out, "account {}  ; type: {kind}, native: {}", held.called.name, held.called.native)?;
    }
    Ok(())
}

/// What both plain-text journals say of themselves first.
pub(super) fn comments(out: &mut dyn Write, ask: &JournalAsk<'_>, chart: &Chart, by_day: bool) -> io::Result<()> {
    writeln!(out, "; treasury journal of reledger, format reledger/journal/1, dialect {}", ask.dialect.name())?;
    writeln!(out, "; as of {}", ask.as_of)?;
    writeln!(out, "; evidence root {}", ask.evidence_root)?;
    writeln!(out, "; amounts in millisatoshi (MSAT): debits positive, credits negative")?;
    writeln!(out, "; users {}", if ask.names.reveals() { "in clear" } else { "by pseudonym" })?;
    let how = if by_day { "summed by day, kind and account" } else { "one transaction each" };
    writeln!(out, "; {} entries on {} accounts, {how}", chart.entries, chart.held.len())
}

pub(super) fn transaction(out: &mut dyn Write, booking: &Booking, chart: &Chart) -> io::Result<()> {
    writeln!(out, "\n{} * ({}) {}", booking.day, booking.code(), booking.kind)?;
    write!(out, "    ; fact: {}, tier: {}, rule: {}", booking.fact, booking.tier.name(), booking.rule)?;
    match &booking.time {
        Some(time) => writeln!(out, ", at: {time}")?,
        None => writeln!(out, ", entries: {}", booking.entries)?,
    }
    if !booking.evidence.is_empty() {
        writeln!(out, "    ; evidence: {}", booking.evidence)?;
    }
    for (place, delta) in &booking.lines {
        writeln!(out, "    {}  {delta} MSAT", chart.at(*place)?.called.name)?;
    }
    Ok(())
}

/// A transaction that moves nothing and asserts what the accounts hold after all that stands above it.
pub(super) fn assertions<'h>(
    out: &mut dyn Write,
    day: Day,
    title: &str,
    held: impl Iterator<Item = &'h Held>,
) -> io::Result<()> {
    writeln!(out, "\n{day} * {title}")?;
    for held in held {
        writeln!(out, "    {}  0 MSAT = {} MSAT", held.called.name, held.balance)?;
    }
    Ok(())
}
