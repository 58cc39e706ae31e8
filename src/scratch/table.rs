//! Rows in order of key, once all of them are known.

use std::fmt::{self, Debug, Formatter};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::place::{Bytes, Scratch};
use super::run::{READ_AT_ONCE, Run, WRITE_AT_ONCE, append, rows, unpacked};
use super::{Key, Sorter};
use crate::domain::Packed;

/// Bytes of rows between two keys that are kept in memory, of a table that is not large.
const BLOCK: u64 = 8 * 1024;
/// Keys that are kept, at most: of a table with more every other one is let go, and blocks are twice as long from there on.
const BLOCKS_MAX: usize = if cfg!(debug_assertions) { 64 } else { 1 << 16 };

/// Keys with their values, ascending by key: walked, and looked up. Copies share the rows.
#[derive(Clone)]
pub struct Table<K, V> {
    scratch: Scratch,
    bytes: Arc<Bytes>,
    end: u64,
    blocks: Arc<[Block<K>]>,
    rows: usize,
    value: PhantomData<fn() -> V>,
}

/// Rows that are read at once to find one of them.
#[derive(Debug, Clone, Copy)]
struct Block<K> {
    /// Its first row's.
    key: K,
    /// Rows before it.
    rows: usize,
    /// Bytes before it.
    begin: u64,
}

impl<K: Key, V: Packed> Default for Table<K, V> {
    fn default() -> Self {
        Writer::new(Scratch::default()).finish()
    }
}

impl<K: Key, V: Packed> Table<K, V> {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Gathers other rows in the place where these lie.
    pub fn sorter<L, W>(&self) -> Sorter<L, W> {
        Sorter::in_place(self.scratch.clone())
    }

    #[cfg(test)]
    pub(super) fn as_values<W>(&self) -> Table<K, W> {
        let (scratch, bytes, blocks) = (self.scratch.clone(), Arc::clone(&self.bytes), Arc::clone(&self.blocks));
        Table { scratch, bytes, end: self.end, blocks, rows: self.rows, value: PhantomData }
    }

    /// The first failure of the place where the rows lie: what was told since may lack some.
    ///
    /// # Errors
    /// [`super::ScratchError`].
    pub fn check(&self) -> Result<(), super::ScratchError> {
        self.scratch.check()
    }

    /// All rows, from the first.
    pub(super) fn whole(&self) -> Run {
        Run::over(Arc::clone(&self.bytes), self.scratch.clone(), 0..self.end, READ_AT_ONCE)
    }

    /// Keys and values, ascending; each value is made anew for whoever asks.
    pub fn iter(&self) -> Rows<K, V> {
        Rows::of(self.whole())
    }

    /// Values in order of their keys.
    pub fn values(&self) -> impl Iterator<Item = V> + use<K, V> {
        self.iter().map(|(_, value)| value)
    }

    /// Keys, ascending.
    pub fn keys(&self) -> impl Iterator<Item = K> + use<K, V> {
        let mut run = self.whole();
        std::iter::from_fn(move || {
            let key = run.key()?;
            run.advance();
            Some(K::of(key))
        })
    }

    /// The bytes of the last block that begins where `before` still holds.
    fn block(&self, before: impl Fn(&Block<K>) -> bool) -> Option<(&Block<K>, Vec<u8>)> {
        let after = self.blocks.partition_point(before);
        let block = self.blocks.get(after.checked_sub(1)?)?;
        let end = self.blocks.get(after).map_or(self.end, |next| next.begin);
        let mut bytes = vec![0; usize::try_from(end - block.begin).ok()?];
        let read = self.bytes.read(block.begin, &mut bytes);
        self.scratch.attempt("read", read)?;
        Some((block, bytes))
    }

    /// Calls `found` with the packed value of a key.
    fn find<T>(&self, key: &K, found: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let (_, bytes) = self.block(|block| block.key <= *key)?;
        let mut rows = rows(&bytes).skip_while(|(held, _)| *held < key.bytes());
        rows.next().filter(|(held, _)| *held == key.bytes()).and_then(|(_, value)| found(value))
    }

    /// The row of that number, as walks count them from 0.
    pub fn nth(&self, number: usize) -> Option<(K, V)> {
        let (block, bytes) = self.block(|block| block.rows <= number)?;
        let (key, value) = rows(&bytes).nth(number - block.rows)?;
        Some((K::of(*key), unpacked(&self.scratch, value)?))
    }

    /// The rows of these numbers, as walks count them from 0.
    pub fn part(&self, numbers: Range<usize>) -> impl Iterator<Item = (K, V)> + use<K, V> {
        let until = self.blocks.partition_point(|block| block.rows < numbers.end);
        let end = self.blocks.get(until).map_or(self.end, |block| block.begin);
        let before = self.blocks.partition_point(|block| block.rows <= numbers.start);
        let first = before.checked_sub(1).and_then(|at| self.blocks.get(at));
        let (begin, passed) = first.map_or((end, 0), |block| (block.begin.min(end), numbers.start - block.rows));
        let mut run = Run::over(Arc::clone(&self.bytes), self.scratch.clone(), begin..end, READ_AT_ONCE);
        for _ in 0..passed {
            if run.key().is_none() {
                break;
            }
            run.advance();
        }
        Rows::of(run).take(numbers.len())
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        self.find(key, |value| unpacked(&self.scratch, value))
    }

    /// The same keys in the same order, each value changed by `change`.
    #[must_use]
    pub fn altered(&self, mut change: impl FnMut(&mut V)) -> Self {
        let mut writer = Writer::new(self.scratch.clone());
        for (key, mut value) in self {
            change(&mut value);
            writer.put(key.bytes(), &value);
        }
        writer.finish()
    }

    /// True when the key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key, |_| Some(())).is_some()
    }
}

impl<K: Key, V: Packed> FromIterator<(K, V)> for Table<K, V> {
    /// In memory; of equal keys the first stands.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut sorter = Sorter::default();
        rows.into_iter().for_each(|(key, value)| sorter.push(&key, &value));
        sorter.finish(|_, _| ())
    }
}

impl<K: Key + Debug, V: Packed + Debug> Debug for Table<K, V> {
    /// What it tells, wherever that lies.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Key, V: Packed + PartialEq> PartialEq for Table<K, V> {
    /// Equal when they tell the same rows, wherever those lie.
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.iter().eq(other.iter())
    }
}

impl<K: Key, V: Packed> IntoIterator for &Table<K, V> {
    type Item = (K, V);
    type IntoIter = Rows<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A walk over a [`Table`].
#[derive(Debug)]
pub struct Rows<K, V> {
    run: Run,
    row: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Rows<K, V> {
    pub(super) fn of(run: Run) -> Self {
        Self { run, row: PhantomData }
    }
}

impl<K: Key, V: Packed> Iterator for Rows<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let key = self.run.key()?;
        let value = self.run.value()?;
        self.run.advance();
        Some((K::of(key), value))
    }
}

/// Writes rows in order of key.
pub(super) struct Writer<K, V> {
    scratch: Scratch,
    file: Option<BufWriter<File>>,
    /// What is not in the file.
    waiting: Vec<u8>,
    end: u64,
    blocks: Vec<Block<K>>,
    /// Bytes of a block, at least.
    block: u64,
    rows: usize,
    value: PhantomData<fn() -> V>,
}

impl<K: Key, V: Packed> Writer<K, V> {
    pub(super) fn new(scratch: Scratch) -> Self {
        let (waiting, blocks, value) = (Vec::new(), Vec::new(), PhantomData);
        Self { scratch, file: None, waiting, end: 0, blocks, block: BLOCK, rows: 0, value }
    }

    pub(super) fn put(&mut self, key: &[u8; 32], value: &V) {
        self.put_row(key, |out| value.pack(out));
    }

    /// As [`Self::put`], of a value that is packed already.
    pub(super) fn put_packed(&mut self, key: &[u8; 32], value: &[u8]) {
        self.put_row(key, |out| out.extend_from_slice(value));
    }

    fn put_row(&mut self, key: &[u8; 32], value: impl FnOnce(&mut Vec<u8>)) {
        if self.blocks.last().is_none_or(|block| self.end - block.begin >= self.block) {
            if self.blocks.len() >= BLOCKS_MAX {
                self.thin_out();
            }
            self.blocks.push(Block { key: K::of(*key), rows: self.rows, begin: self.end });
        }
        let before = self.waiting.len();
        append(&mut self.waiting, key, value);
        self.end += (self.waiting.len() - before) as u64;
        self.rows += 1;
        if self.waiting.len() >= self.scratch.gathered_max() || self.file.is_some() {
            self.flush();
        }
    }

    fn thin_out(&mut self) {
        let mut place = 0_usize;
        self.blocks.retain(|_| {
            place += 1;
            !place.is_multiple_of(2)
        });
        self.block *= 2;
    }

    fn flush(&mut self) {
        if self.file.is_none() {
            self.file = self.scratch.file().map(|file| BufWriter::with_capacity(WRITE_AT_ONCE, file));
        }
        if let Some(file) = &mut self.file {
            let written = file.write_all(&self.waiting);
            self.scratch.attempt("write", written);
        }
        self.waiting.clear();
    }

    pub(super) fn finish(mut self) -> Table<K, V> {
        let written = self.file.take().and_then(|file| self.scratch.written(file));
        self.waiting.shrink_to_fit();
        Table {
            bytes: Arc::new(written.unwrap_or(Bytes::Memory(self.waiting))),
            scratch: self.scratch,
            end: self.end,
            blocks: self.blocks.into(),
            rows: self.rows,
            value: PhantomData,
        }
    }
}
