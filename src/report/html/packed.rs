//! Divergences as the page carries them: rows in chunks, and columns for filtering and sorting. Both are compressed (RFC 1951)
//! and in base64, of which nothing is markup; the page's script opens what it shows.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::{Value, json};

use crate::domain::{Code, Divergence, Severity, State, inert};
use crate::report::canonical::push_canonical;

/// Rows in a chunk.
pub(super) const CHUNK_ROWS: usize = 1_000;

/// Writes chunks as they fill, and the columns at the end.
pub(super) struct Packer {
    codes: BTreeMap<Code, u8>,
    rows: String,
    held: usize,
    chunks: usize,
    columns: Columns,
}

#[derive(Default)]
struct Columns {
    stake: Vec<u8>,
    time: Vec<u8>,
    code: Vec<u8>,
    mark: Vec<u8>,
    print: Vec<u8>,
}

impl Packer {
    /// For a report with these codes.
    pub(super) fn new(codes: impl IntoIterator<Item = Code>) -> Self {
        let codes = codes.into_iter().zip(0_u8..).collect();
        Self { codes, rows: String::new(), held: 0, chunks: 0, columns: Columns::default() }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, divergence: &Divergence, out: &mut dyn Write) -> io::Result<()> {
        self.rows.push(if self.held == 0 { '[' } else { ',' });
        push_canonical(&row(divergence), &mut self.rows);
        self.columns.add(divergence, self.codes.get(&divergence.code).copied().unwrap_or_default());
        self.held += 1;
        if self.held == CHUNK_ROWS { self.flush(out) } else { Ok(()) }
    }

    /// Writes what is left, the names of the codes, and the columns.
    pub(super) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.held > 0 {
            self.flush(out)?;
        }
        let mut named: Vec<(u8, &str)> = self.codes.iter().map(|(code, place)| (*place, code.name())).collect();
        named.sort_unstable();
        let names: Vec<&str> = named.into_iter().map(|(_, name)| name).collect();
        writeln!(out, "<script type=\"application/json\" id=\"codes\">{}</script>", json!(names))?;
        let Columns { stake, time, code, mark, print } = self.columns;
        let columns = [stake, time, code, mark, print].concat();
        script("packed-index", &columns, out)
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.rows.push(']');
        script(&format!("packed-{}", self.chunks), self.rows.as_bytes(), out)?;
        self.rows.clear();
        self.held = 0;
        self.chunks += 1;
        Ok(())
    }
}

fn script(id: &str, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    // The fastest level: ids and digests, which are most of a row, do not compress further.
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    let packed = STANDARD.encode(encoder.finish()?);
    writeln!(out, "<script type=\"application/octet-stream\" id=\"{id}\">{packed}</script>")
}

impl Columns {
    fn add(&mut self, divergence: &Divergence, code: u8) {
        self.stake.extend(sortable(divergence.at_stake.map(|stake| stake.0)).to_le_bytes());
        let time = divergence.at.map_or(0, |at| u32::try_from(at.0).unwrap_or_default());
        self.time.extend(time.to_le_bytes());
        self.code.push(code);
        self.mark.push(place(&Severity::ALL, &divergence.severity) << 2 | place(&State::ALL, &divergence.state));
        self.print.extend(divergence.fingerprint.as_bytes().iter().take(3));
    }
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).and_then(|place| u8::try_from(place).ok()).unwrap_or_default()
}

/// A number that orders stakes; the exact one stands in the row. No stake is less than any.
#[expect(clippy::cast_precision_loss, reason = "it only orders")]
fn sortable(stake: Option<i128>) -> f64 {
    stake.map_or(-1.0, |stake| stake.max(0) as f64)
}

/// A row as the script reads it; every text inert already.
fn row(divergence: &Divergence) -> Value {
    json!([
        divergence.fingerprint.to_hex(),
        divergence.code.name(),
        divergence.severity.name(),
        divergence.state.name(),
        divergence.step.number(),
        divergence.at.map(|at| at.0),
        divergence.at_stake.map(|stake| stake.0.to_string()),
        divergence.subject.0.iter().map(|(name, value)| [inert(name), inert(value)]).collect::<Vec<_>>(),
        inert(&divergence.expected),
        inert(&divergence.observed),
        inert(&divergence.explanation),
        divergence.evidence.iter().map(|one| [one.id.to_string(), inert(&one.role)]).collect::<Vec<_>>(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stakes_are_ordered_as_doubles_are() {
        let read = |stake| f64::from_le_bytes(sortable(stake).to_le_bytes());
        assert!(read(None) < 0.0);
        for stake in [0_i128, 1, 2, 3, 1_000, 123_456_789, (1 << 53) + 1, 2_100_000_000_000_000_000] {
            #[expect(clippy::cast_precision_loss, reason = "the double that is meant to come out")]
            let double = stake as f64;
            assert!((read(Some(stake)) - double).abs() <= double * 1e-15, "{stake}");
        }
    }
}
