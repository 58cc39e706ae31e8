//! The copy of a folder's log in shared tables: whole slices, in the order of the log, written by one process at a time.

use std::path::Path;
use std::sync::Arc;

use postgres::Transaction;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;

use super::address::Address;
use super::link::{Failed, Link, uuid};
use super::queue::{Slice, digest_of};
use super::token;
use crate::domain::sha256;
use crate::store::StoreError;
use crate::store::record::Fields;

/// The rows of one run folder.
pub struct SharedCopy {
    link: Link,
    run: i64,
    /// Who writes: whoever opened the folder last. An earlier process that still lives is refused at its next write.
    owner: i64,
}

impl SharedCopy {
    /// Connects, and takes the rows that the folder's file names, or new ones. The caller holds the folder's lock.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::Unusable`], [`StoreError::Server`]; [`StoreError::Io`] for the folder.
    pub fn open(address: &Arc<Address>, state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join("shared.json");
        let known = token::read(&path)?;
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
            token::write(&path, run)?;
        }
        Ok(Self { link, run, owner })
    }

    /// The number of this run among those that share the tables.
    pub fn run(&self) -> i64 {
        self.run
    }

    /// The slices that the tables hold, from the first to the last before one that is missing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn slices(&mut self) -> Result<Vec<Slice>, StoreError> {
        let sql =
            format!("SELECT number, items, root FROM {}.evidence WHERE run = $1 ORDER BY number", self.link.schema());
        self.link.within(&mut |transaction| {
            let rows = transaction.query(&sql, &[&self.run])?;
            let slices = rows.iter().zip(0_u32..).map_while(|(row, number)| {
                let (items, root) = (row.get::<_, i64>(1), digest_of(row.get(2))?);
                let slice = Slice { number, items: u32::try_from(items).ok()?, root };
                (row.get::<_, i64>(0) == i64::from(number)).then_some(slice)
            });
            Ok(slices.collect())
        })
    }

    /// Puts these slices in place of all from that number on, in one transaction. Done twice, as over a connection that broke
    /// after the commit, it comes to the same.
    ///
    /// # Errors
    /// As [`Self::open`]; [`StoreError::Superseded`], and nothing is written.
    pub fn put(&mut self, from: u32, slices: &[(Slice, Vec<u8>)]) -> Result<(), StoreError> {
        let schema = self.link.schema().to_owned();
        let Self { link, run, owner } = self;
        link.within(&mut |transaction| {
            // The owner's row is locked first: of two writers, one waits and is then refused.
            let own = format!("SELECT 1 FROM {schema}.run WHERE run = $1 AND owner = $2 FOR UPDATE");
            if transaction.query_opt(&own, &[run, owner])?.is_none() {
                return Err(Failed::Store(StoreError::Superseded));
            }
            let gone = format!("DELETE FROM {schema}.evidence WHERE run = $1 AND number >= $2");
            transaction.execute(&gone, &[run, &i64::from(from)])?;
            let copy = format!("COPY {schema}.evidence (run, number, items, root, bytes) FROM STDIN (FORMAT binary)");
            let types = [Type::INT8, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA];
            let mut rows = BinaryCopyInWriter::new(transaction.copy_in(&copy)?, &types);
            for (slice, bytes) in slices {
                let (number, items) = (i64::from(slice.number), i64::from(slice.items));
                rows.write(&[run, &number, &items, &slice.root.as_bytes().as_slice(), bytes])?;
            }
            rows.finish()?;
            Ok(())
        })
    }
}

/// A number that nobody else has.
fn drawn(transaction: &mut Transaction<'_>) -> Result<i64, postgres::Error> {
    let digest = sha256(uuid(transaction)?.as_bytes());
    Ok((Fields(digest.as_bytes()).u64() >> 1).cast_signed())
}
