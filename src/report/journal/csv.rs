//! CSV by RFC 4180, one row a posting, safe to open in a spreadsheet.

use std::io::{self, Write};

use super::booking::Booking;
use super::chart::Chart;
use crate::report::csv::{row, text};

/// The columns.
const COLUMNS: [&str; 14] = [
    "transaction",
    "date",
    "time",
    "kind",
    "rule",
    "fact",
    "account",
    "native",
    "holder",
    "debit_msat",
    "credit_msat",
    "tier",
    "entries",
    "evidence",
];

pub(super) fn head(out: &mut dyn Write) -> io::Result<()> {
    row(out, &COLUMNS.map(str::to_owned))
}

pub(super) fn transaction(out: &mut dyn Write, booking: &Booking, chart: &Chart) -> io::Result<()> {
    for (place, delta) in &booking.lines {
        let called = &chart.at(*place)?.called;
        let amount = delta.0.unsigned_abs().to_string();
        let (debit, credit) = if delta.0 < 0 { (String::new(), amount) } else { (amount, String::new()) };
        row(
            out,
            &[
                booking.number.to_string(),
                booking.day.to_string(),
                text(booking.time.as_deref().unwrap_or_default()),
                text(booking.kind),
                text(&booking.rule),
                text(&booking.fact),
                text(&called.name),
                text(&called.native),
                text(&called.holder),
                debit,
                credit,
                booking.tier.name().to_owned(),
                booking.entries.to_string(),
                text(&booking.evidence),
            ],
        )?;
    }
    Ok(())
}
