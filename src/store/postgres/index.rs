//! The index in shared tables, with the evidence beside it. Each commit is one transaction: rows and watermark, or neither.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use postgres::Transaction;

use super::address::Address;
use super::link::{Failed, Link};
use super::{stage, token};
use crate::domain::sha256;
use crate::store::StoreError;
use crate::store::index::{Change, Index, Mark, Table};
use crate::store::record::{Fields, Location};

/// The rows of one run folder.
pub(in crate::store) struct PostgresIndex {
    /// Reading needs the connection as writing does.
    link: Mutex<Link>,
    run: i64,
    /// Who writes: whoever opened the folder last. An earlier process that still lives is refused at its next commit.
    owner: i64,
}

impl PostgresIndex {
    /// Connects, and takes the rows that the folder's file names, or new ones.
    pub(in crate::store) fn open(address: &Arc<Address>, path: &Path) -> Result<Self, StoreError> {
        let known = token::read(path)?;
        let mut link = Link::open(address)?;
        let schema = link.schema().to_owned();
        let (run, owner) = link.within(&mut |transaction| {
            let owner = drawn(transaction)?;
            let run = known.map_or_else(|| drawn(transaction), Ok)?;
            let taken = format!("UPDATE {schema}.run SET owner = $2 WHERE run = $1");
            if transaction.execute(&taken, &[&run, &owner])? == 0 {
                let made = format!("INSERT INTO {schema}.run (run, owner) VALUES ($1, $2)");
                transaction.execute(&made, &[&run, &owner])?;
            }
            Ok((run, owner))
        })?;
        if known.is_none() {
            token::write(path, run)?;
        }
        Ok(Self { link: Mutex::new(link), run, owner })
    }

    fn within<T>(
        &self,
        work: &mut dyn FnMut(&mut Transaction<'_>, &str) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let schema = link.schema().to_owned();
        link.within(&mut |transaction| work(transaction, &schema))
    }
}

/// A number that nobody else has: the server's own randomness, which every kin has under this name.
fn drawn(transaction: &mut Transaction<'_>) -> Result<i64, postgres::Error> {
    let text: String = transaction.query_one("SELECT gen_random_uuid()::text", &[])?.get(0);
    let digest = sha256(text.as_bytes());
    Ok((Fields(digest.as_bytes()).u64() >> 1).cast_signed())
}

fn unreadable() -> StoreError {
    StoreError::Index("a row can't be read".to_owned())
}

impl Index for PostgresIndex {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.within(&mut |transaction, schema| {
            let sql = format!("SELECT mark FROM {schema}.run WHERE run = $1");
            let row = transaction.query_opt(&sql, &[&self.run])?.ok_or_else(unreadable)?;
            let bytes: Option<&[u8]> = row.get(0);
            Ok(bytes.map(|bytes| Mark::from_bytes(bytes).ok_or_else(unreadable)).transpose()?)
        })
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        let found = self.within(&mut |transaction, schema| {
            let sql = format!("SELECT id, place FROM {schema}.{} WHERE run = $1 AND id = ANY($2)", name(table));
            let mut found: BTreeMap<[u8; 32], Location> = BTreeMap::new();
            for row in transaction.query(&sql, &[&self.run, &wanted])? {
                let (id, place): (&[u8], &[u8]) = (row.get(0), row.get(1));
                let (id, place) = (id.try_into().ok(), place.try_into().ok());
                let (Some(id), Some(place)) = (id, place) else { return Err(unreadable().into()) };
                found.insert(id, Location::from_bytes(place));
            }
            Ok(found)
        })?;
        Ok(keys.iter().map(|key| found.get(key).copied()).collect())
    }

    fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        let mark = change.mark.to_bytes();
        self.within(&mut |transaction, schema| {
            // The owner's row is locked first: of two writers, one waits and is then refused.
            let sql = format!("UPDATE {schema}.run SET mark = $3 WHERE run = $1 AND owner = $2");
            if transaction.execute(&sql, &[&self.run, &self.owner, &mark.as_slice()])? != 1 {
                return Err(StoreError::Superseded.into());
            }
            Ok(stage::write(transaction, schema, (self.run, change))?)
        })
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        self.within(&mut |transaction, schema| {
            let mut count = |table| {
                let sql = format!("SELECT count(*) FROM {schema}.{} WHERE run = $1", name(table));
                let held: i64 = transaction.query_one(&sql, &[&self.run])?.get(0);
                Ok::<_, postgres::Error>(held.unsigned_abs())
            };
            Ok((count(Table::Evidence)?, count(Table::Side)?))
        })
    }

    fn keeps_bytes(&self) -> bool {
        true
    }

    fn run(&self) -> Option<i64> {
        Some(self.run)
    }
}

fn name(table: Table) -> &'static str {
    match table {
        Table::Evidence => "evidence",
        Table::Side => "side",
    }
}
