//! The index in redb: one file, each commit a transaction that is durable on return.

use std::path::Path;

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use super::{Change, Index, Mark, Table};
use crate::store::StoreError;
use crate::store::record::Location;

type Locations = TableDefinition<'static, &'static [u8; 32], &'static [u8; 16]>;

const EVIDENCE: Locations = TableDefinition::new("evidence");
const SIDE: Locations = TableDefinition::new("side");
const MARK: TableDefinition<'static, u8, &'static [u8]> = TableDefinition::new("mark");
/// Keys of [`MARK`]: the watermark, and how far the log was acknowledged.
const COVERED: u8 = 0;
const ACKNOWLEDGED: u8 = 1;
/// INV-12: the engine's own default is one gigabyte.
const CACHE_BYTES: usize = 64 << 20;

/// An open database.
pub(in crate::store) struct RedbIndex(Database);

impl RedbIndex {
    /// Opens or creates the file.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(failed)?;
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(EVIDENCE).map_err(failed)?;
        transaction.open_table(SIDE).map_err(failed)?;
        transaction.open_table(MARK).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self(database))
    }

    fn begin(&self) -> Result<ReadTransaction, StoreError> {
        self.0.begin_read().map_err(failed)
    }

    fn mark_at(&self, key: u8) -> Result<Option<Mark>, StoreError> {
        let table = self.begin()?.open_table(MARK).map_err(failed)?;
        match table.get(key).map_err(failed)? {
            None => Ok(None),
            Some(bytes) => Mark::from_bytes(bytes.value())
                .map(Some)
                .ok_or_else(|| StoreError::Index("the watermark can't be read".to_owned())),
        }
    }
}

impl Index for RedbIndex {
    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.mark_at(COVERED)
    }

    fn acknowledged(&self) -> Result<Option<Mark>, StoreError> {
        self.mark_at(ACKNOWLEDGED)
    }

    fn acknowledge(&mut self, mark: &Mark) -> Result<(), StoreError> {
        let transaction = self.0.begin_write().map_err(failed)?;
        let bytes = mark.to_bytes();
        transaction.open_table(MARK).map_err(failed)?.insert(ACKNOWLEDGED, bytes.as_slice()).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn find(&self, table: Table, keys: &[[u8; 32]]) -> Result<Vec<Option<Location>>, StoreError> {
        let table = self.begin()?.open_table(definition(table)).map_err(failed)?;
        let find = |key| Ok(table.get(key).map_err(failed)?.map(|found| Location::from_bytes(found.value())));
        keys.iter().map(find).collect()
    }

    fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        let transaction = self.0.begin_write().map_err(failed)?;
        for (table, entries) in [(Table::Evidence, &change.evidence), (Table::Side, &change.side)] {
            let mut table = transaction.open_table(definition(table)).map_err(failed)?;
            for (key, location) in entries {
                table.insert(key, &location.to_bytes()).map_err(failed)?;
            }
        }
        transaction
            .open_table(MARK)
            .map_err(failed)?
            .insert(COVERED, change.mark.to_bytes().as_slice())
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn held(&self) -> Result<(u64, u64), StoreError> {
        let transaction = self.begin()?;
        let count = |table| transaction.open_table(definition(table)).map_err(failed)?.len().map_err(failed);
        Ok((count(Table::Evidence)?, count(Table::Side)?))
    }
}

fn definition(table: Table) -> Locations {
    match table {
        Table::Evidence => EVIDENCE,
        Table::Side => SIDE,
    }
}

fn failed<E: Into<redb::Error>>(error: E) -> StoreError {
    match error.into() {
        redb::Error::Io(source) => StoreError::Io { action: "use", file: "index.redb".to_owned(), source },
        other => StoreError::Index(other.to_string()),
    }
}
