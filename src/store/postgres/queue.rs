//! The work queue: slices of evidence that any process may verify, each leased to one at a time.
//!
//! A lease is an attempt number and an instant. Whoever finds a slice whose instant has passed takes it under the next
//! number, and a result is taken only from the number that stands: whoever came too late has worked for nothing, and has
//! changed nothing. Instants are the server's; no two clocks are compared.

use std::sync::Arc;

use postgres::Row;

use super::address::Address;
use super::link::{Link, uuid};
use super::parcel::Parcel;
use crate::domain::{Digest32, RawEvidence};
use crate::store::StoreError;

/// What is to be verified: the evidence of one run, by one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The run's number in the tables.
    pub run: i64,
    /// Stands for everything that the knowledge depends on: it counts for no other work.
    pub work: i64,
    /// The version of the program that wants it.
    pub tool: String,
    /// Its build, or empty.
    pub build: String,
    /// The keys to verify with, in the form of whoever reads them.
    pub keys: Vec<u8>,
}

/// Some of a run's evidence, which the tables hold in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Its place among the slices of a run.
    pub number: u32,
    /// How many pieces of evidence it has.
    pub items: u32,
    /// The Merkle root over their ids, in its own order.
    pub root: Digest32,
}

/// The right to answer for a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: i64,
    /// The work.
    pub work: i64,
    /// The number of the slice.
    pub slice: u32,
    /// How many pieces of evidence it has.
    pub items: u32,
    /// The fence: 1 for the first that held it.
    pub attempt: i64,
}

/// A connection to the queue of a shared store.
pub struct Queue {
    link: Link,
    /// Ours alone, so that a lease whose grant was lost on its way is known again.
    name: String,
}

impl Queue {
    /// How long a slice may take before others take it too: a thousand times what one takes.
    pub const LEASE_SECONDS: i64 = 60;

    /// Connects; `role` starts the name under which slices are taken.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::Unusable`], [`StoreError::Server`]; so do all others.
    pub fn open(address: &Arc<Address>, role: &str) -> Result<Self, StoreError> {
        let mut link = Link::open(address)?;
        let drawn = link.within(&mut |transaction| Ok(uuid(transaction)?))?;
        Ok(Self { link, name: format!("{role} {drawn}") })
    }

    /// The server, without a password.
    pub fn place(&self) -> String {
        self.link.place()
    }

    fn sql(&self, text: &str) -> String {
        text.replace("SCHEMA.", &format!("{}.", self.link.schema()))
    }

    /// Offers slices of a work, or more of them. What stands of it already stays; what was offered for the run before is
    /// forgotten.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn offer(&mut self, work: &Work, slices: &[Slice]) -> Result<(), StoreError> {
        let forget =
            ["slice", "work"].map(|it| self.sql(&format!("DELETE FROM SCHEMA.{it} WHERE run = $1 AND work <> $2")));
        let offer = self.sql(
            "INSERT INTO SCHEMA.work (run, work, tool, build, keys, done) VALUES ($1, $2, $3, $4, $5, false) \
             ON CONFLICT (run, work) DO UPDATE SET done = false",
        );
        let add = self.sql(
            "INSERT INTO SCHEMA.slice (run, work, number, items, attempt) SELECT $1, $2, number, items, 0 \
             FROM unnest($3::bigint[], $4::bigint[]) AS offered (number, items) ON CONFLICT DO NOTHING",
        );
        let numbers: Vec<i64> = slices.iter().map(|slice| i64::from(slice.number)).collect();
        let items: Vec<i64> = slices.iter().map(|slice| i64::from(slice.items)).collect();
        self.link.within(&mut |transaction| {
            for sql in &forget {
                transaction.execute(sql, &[&work.run, &work.work])?;
            }
            transaction.execute(&offer, &[&work.run, &work.work, &work.tool, &work.build, &work.keys])?;
            transaction.execute(&add, &[&work.run, &work.work, &numbers, &items])?;
            Ok(())
        })
    }

    /// All work that is on, by run.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn works(&mut self) -> Result<Vec<Work>, StoreError> {
        let sql = self.sql("SELECT run, work, tool, build, keys FROM SCHEMA.work WHERE NOT done ORDER BY run, work");
        let of = |row: &Row| Work {
            run: row.get(0),
            work: row.get(1),
            tool: row.get(2),
            build: row.get(3),
            keys: row.get(4),
        };
        self.link.within(&mut |transaction| Ok(transaction.query(&sql, &[])?.iter().map(of).collect()))
    }

    /// Takes the first slice that nobody holds, or whose holder's time is over. One at a time: a slice that we hold already is
    /// one whose grant we did not hear of, and is the one that is taken.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn lease(&mut self, work: &Work) -> Result<Option<Lease>, StoreError> {
        let sql = self.sql(&format!(
            "UPDATE SCHEMA.slice SET attempt = attempt + 1, worker = $3, expires = now() + interval '{} seconds' \
             WHERE run = $1 AND work = $2 AND number = (SELECT number FROM SCHEMA.slice WHERE run = $1 AND work = $2 \
             AND result IS NULL AND (expires IS NULL OR expires < now() OR worker = $3) ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED) \
             RETURNING number, items, attempt",
            Self::LEASE_SECONDS
        ));
        let name = self.name.clone();
        self.link.within(&mut |transaction| {
            let row = transaction.query_opt(&sql, &[&work.run, &work.work, &name])?;
            Ok(row.map(|row| lease_of(work, &row).ok_or_else(unreadable)).transpose()?)
        })
    }

    /// The evidence of a slice, in its order; `None` where the tables hold nothing that reads. Nothing of it is checked.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(&mut self, lease: &Lease) -> Result<Option<Vec<RawEvidence>>, StoreError> {
        let sql = self.sql(&format!(
            "SELECT bytes FROM SCHEMA.evidence WHERE run = $1 AND number = $2 AND octet_length(bytes) <= {}",
            Parcel::ROW_BYTES
        ));
        let number = i64::from(lease.slice);
        let row = self.link.within(&mut |transaction| Ok(transaction.query_opt(&sql, &[&lease.run, &number])?))?;
        Ok(row.and_then(|row| Parcel::opened(row.get(0))))
    }

    /// Writes the result, if the lease still holds; false when another attempt has taken the slice, and nothing is written.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn finish(&mut self, lease: &Lease, result: &[u8]) -> Result<bool, StoreError> {
        // Asked again after a broken connection, the answer is the same: equal results are one.
        let sql = self.sql(
            "UPDATE SCHEMA.slice SET result = $5 WHERE run = $1 AND work = $2 AND number = $3 AND attempt = $4 \
             AND (result IS NULL OR result = $5)",
        );
        let number = i64::from(lease.slice);
        let taken = self.link.within(&mut |transaction| {
            Ok(transaction.execute(&sql, &[&lease.run, &lease.work, &number, &lease.attempt, &result])?)
        })?;
        Ok(taken == 1)
    }

    /// Gives a slice back before its time, undone.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn give_back(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let sql = self.sql(
            "UPDATE SCHEMA.slice SET expires = NULL, worker = NULL WHERE run = $1 AND work = $2 AND number = $3 \
             AND attempt = $4 AND result IS NULL",
        );
        let number = i64::from(lease.slice);
        self.link.within(&mut |transaction| {
            transaction.execute(&sql, &[&lease.run, &lease.work, &number, &lease.attempt])?;
            Ok(())
        })
    }

    /// How many slices have no result yet.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_slices(&mut self, work: &Work) -> Result<u64, StoreError> {
        let sql = self.sql("SELECT count(*) FROM SCHEMA.slice WHERE run = $1 AND work = $2 AND result IS NULL");
        let count: i64 =
            self.link.within(&mut |transaction| Ok(transaction.query_one(&sql, &[&work.run, &work.work])?.get(0)))?;
        Ok(count.unsigned_abs())
    }

    /// Forgets the result of a slice that can't be used, and what it was made from, so that nobody uses either again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn forget(&mut self, work: &Work, number: u32) -> Result<(), StoreError> {
        let result = self.sql("DELETE FROM SCHEMA.slice WHERE run = $1 AND work = $2 AND number = $3");
        let evidence = self.sql("DELETE FROM SCHEMA.evidence WHERE run = $1 AND number = $2");
        let number = i64::from(number);
        self.link.within(&mut |transaction| {
            transaction.execute(&result, &[&work.run, &work.work, &number])?;
            transaction.execute(&evidence, &[&work.run, &number])?;
            Ok(())
        })
    }

    /// The result of a slice, and how many attempts it took.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn result(&mut self, work: &Work, number: u32) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
        let sql = self.sql(
            "SELECT result, attempt FROM SCHEMA.slice WHERE run = $1 AND work = $2 AND number = $3 AND result IS NOT NULL",
        );
        let number = i64::from(number);
        self.link.within(&mut |transaction| {
            let row = transaction.query_opt(&sql, &[&work.run, &work.work, &number])?;
            Ok(row.map(|row| (row.get(0), row.get(1))))
        })
    }

    /// Says that the results were merged: nobody need look at the work again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn close(&mut self, work: &Work) -> Result<(), StoreError> {
        let sql = self.sql("UPDATE SCHEMA.work SET done = true WHERE run = $1 AND work = $2");
        self.link.within(&mut |transaction| {
            transaction.execute(&sql, &[&work.run, &work.work])?;
            Ok(())
        })
    }
}

fn unreadable() -> StoreError {
    StoreError::Unusable { what: "a row of the shared store has another form than we write".to_owned() }
}

fn lease_of(work: &Work, row: &Row) -> Option<Lease> {
    let (number, items): (i64, i64) = (row.get(0), row.get(1));
    let (slice, items) = (u32::try_from(number).ok()?, u32::try_from(items).ok()?);
    Some(Lease { run: work.run, work: work.work, slice, items, attempt: row.get(2) })
}

/// A digest as a row holds it.
pub(super) fn digest_of(bytes: &[u8]) -> Option<Digest32> {
    Some(Digest32(bytes.try_into().ok()?))
}
