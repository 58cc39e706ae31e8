//! Rows on their way in: a COPY into a table of this connection alone, then one statement that takes what is new.

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use postgres::{Error, Transaction};

use crate::store::index::Change;
use crate::store::record::parse_evidence;

const EVIDENCE: &str = "id bytea, place bytea, media text, about bytea, bytes bytea";
const SIDE: &str = "id bytea, place bytea";

/// Writes the rows of a change. Rows that stand already stay as they are; a side record's place moves on.
pub(super) fn write(
    transaction: &mut Transaction<'_>,
    schema: &str,
    (run, change): (i64, &Change),
) -> Result<(), Error> {
    for (table, columns) in [("reledger_evidence", EVIDENCE), ("reledger_side", SIDE)] {
        transaction.batch_execute(&format!("CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({columns})"))?;
    }
    if !change.evidence.is_empty() {
        evidence(transaction, change)?;
        let sql = format!(
            "INSERT INTO {schema}.evidence (run, id, place, media, about, bytes) \
             SELECT {run}, id, place, media, about, bytes FROM reledger_evidence ON CONFLICT DO NOTHING"
        );
        transaction.batch_execute(&sql)?;
    }
    if !change.side.is_empty() {
        side(transaction, change)?;
        let sql = format!(
            "INSERT INTO {schema}.side (run, id, place) SELECT {run}, id, place FROM reledger_side \
             ON CONFLICT (run, id) DO UPDATE SET place = excluded.place"
        );
        transaction.batch_execute(&sql)?;
    }
    Ok(())
}

fn evidence(transaction: &mut Transaction<'_>, change: &Change) -> Result<(), Error> {
    transaction.batch_execute("TRUNCATE reledger_evidence")?;
    let types = [Type::BYTEA, Type::BYTEA, Type::TEXT, Type::BYTEA, Type::BYTEA];
    let copy = transaction.copy_in("COPY reledger_evidence FROM STDIN (FORMAT binary)")?;
    let mut rows = BinaryCopyInWriter::new(copy, &types);
    for (id, location) in &change.evidence {
        let place = location.to_bytes();
        let payload = change.bytes.get(id).map(Vec::as_slice).unwrap_or_default();
        // Our own log wrote it, so it reads; should it not, a worker sees bytes that are not those of their id.
        let (media, about, bytes) =
            parse_evidence(payload).map_or(("", "", payload), |(media, about, bytes)| (media.name(), about, bytes));
        let row: [&(dyn ToSql + Sync); 5] = [&id.as_slice(), &place.as_slice(), &media, &about.as_bytes(), &bytes];
        rows.write(&row)?;
    }
    rows.finish().map(drop)
}

fn side(transaction: &mut Transaction<'_>, change: &Change) -> Result<(), Error> {
    transaction.batch_execute("TRUNCATE reledger_side")?;
    let copy = transaction.copy_in("COPY reledger_side FROM STDIN (FORMAT binary)")?;
    let mut rows = BinaryCopyInWriter::new(copy, &[Type::BYTEA, Type::BYTEA]);
    for (key, location) in &change.side {
        rows.write(&[&key.as_slice(), &location.to_bytes().as_slice()])?;
    }
    rows.finish().map(drop)
}
