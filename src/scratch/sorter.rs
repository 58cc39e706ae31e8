//! Rows in any order become a table: gathered, sorted part by part, and merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::Key;
use super::place::Scratch;
use super::run::{HEAD, Run, WRITE_AT_ONCE, append, read_at_once, row, unpacked};
use super::table::{Table, Writer};
use crate::domain::Packed;

/// Gathers rows. Memory is bounded by the place that was given; what is more lies in its file.
#[derive(Debug)]
pub struct Sorter<K, V> {
    scratch: Scratch,
    gathered: Vec<u8>,
    /// The first bytes of each gathered row's key, and where the row begins.
    rows: Vec<(u64, usize)>,
    file: Option<BufWriter<File>>,
    /// Sorted parts in the file.
    parts: Vec<Range<u64>>,
    row: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Default for Sorter<K, V> {
    fn default() -> Self {
        Self::in_place(Scratch::default())
    }
}

impl<K, V> Sorter<K, V> {
    /// Puts what is too much for memory there.
    pub fn in_place(scratch: Scratch) -> Self {
        Self { scratch, gathered: Vec::new(), rows: Vec::new(), file: None, parts: Vec::new(), row: PhantomData }
    }
}

impl<K: Key, T: Packed> Sorter<K, Vec<T>> {
    /// Shows every key with its lists as one, in the order in which they came.
    pub fn each_list(self, visit: impl FnMut(K, Vec<T>)) {
        self.each(|held, mut other| held.append(&mut other), visit);
    }
}

impl<K: Key, V: Packed> Sorter<K, V> {
    /// Takes a row. A key may come more than once.
    pub fn push(&mut self, key: &K, value: &V) {
        let first = key.bytes().first_chunk().copied().unwrap_or_default();
        self.rows.push((u64::from_be_bytes(first), self.gathered.len()));
        append(&mut self.gathered, key.bytes(), |out| value.pack(out));
        if self.gathered.len() + size_of_val(self.rows.as_slice()) >= self.scratch.gathered_max() {
            self.put_aside();
        }
    }

    /// Rows in order of key; of one key in the order in which they came.
    fn sorted(&mut self) -> impl Iterator<Item = &[u8]> {
        let gathered = &self.gathered;
        let key = |at: &usize| gathered.get(*at..*at + 32);
        self.rows.par_sort_unstable_by(|(one, here), (other, there)| {
            one.cmp(other).then_with(|| key(here).cmp(&key(there))).then(here.cmp(there))
        });
        self.rows.iter().filter_map(|(_, at)| {
            let bytes = gathered.get(*at..)?;
            bytes.get(..HEAD + row(bytes)?.1.len())
        })
    }

    /// Writes what is gathered behind what was written before.
    fn put_aside(&mut self) {
        let begin = self.parts.last().map_or(0, |part| part.end);
        let part = begin..begin + self.gathered.len() as u64;
        let scratch = self.scratch.clone();
        let file =
            self.file.take().or_else(|| scratch.file().map(|file| BufWriter::with_capacity(WRITE_AT_ONCE, file)));
        if let Some(mut file) = file {
            let mut sorted = self.sorted();
            let written = sorted.try_for_each(|row| file.write_all(row));
            drop(sorted);
            scratch.attempt("write", written);
            self.file = Some(file);
        }
        self.parts.push(part);
        self.rows.clear();
        self.gathered.clear();
    }

    /// All rows in order of key. Values of one key become one: `merge` is given the one that came first, and another.
    pub fn finish(self, merge: impl FnMut(&mut V, V)) -> Table<K, V> {
        let mut writer = Writer::new(self.scratch.clone());
        self.each_row(merge, |key, value| {
            match value {
                Value::Packed(bytes) => writer.put_packed(key, bytes),
                Value::Merged(value) => writer.put(key, &value),
            }
            Some(())
        });
        writer.finish()
    }

    /// Shows every row in order of key, merged as [`Self::finish`] does: for whoever looks at them once.
    pub fn each(self, merge: impl FnMut(&mut V, V), mut visit: impl FnMut(K, V)) {
        let scratch = self.scratch.clone();
        self.each_row(merge, |key, value| {
            visit(K::of(*key), value.unpacked(&scratch)?);
            Some(())
        });
    }

    /// As [`Self::each`], until `visit` has had enough: what is one of its key, as most are, is shown as it was packed.
    fn each_row(mut self, merge: impl FnMut(&mut V, V), visit: impl FnMut(&[u8; 32], Value<'_, V>) -> Option<()>) {
        if self.parts.is_empty() {
            self.each_gathered(merge, visit);
        } else {
            self.put_aside();
            self.rows = Vec::new();
            self.gathered = Vec::new();
            self.each_of_parts(merge, visit);
        }
    }

    fn each_gathered(
        &mut self,
        mut merge: impl FnMut(&mut V, V),
        mut visit: impl FnMut(&[u8; 32], Value<'_, V>) -> Option<()>,
    ) -> Option<()> {
        let scratch = self.scratch.clone();
        let mut rows = self.sorted().filter_map(row).peekable();
        while let Some((key, value)) = rows.next() {
            let mut value = Value::Packed(value);
            while let Some((_, other)) = rows.next_if(|(next, _)| *next == key) {
                let mut merged = value.unpacked(&scratch)?;
                merge(&mut merged, unpacked(&scratch, other)?);
                value = Value::Merged(merged);
            }
            visit(key, value)?;
        }
        Some(())
    }

    fn each_of_parts(
        &mut self,
        mut merge: impl FnMut(&mut V, V),
        mut visit: impl FnMut(&[u8; 32], Value<'_, V>) -> Option<()>,
    ) -> Option<()> {
        let bytes = self.file.take().and_then(|file| self.scratch.written(file)).map(Arc::new)?;
        let read = read_at_once(self.parts.len());
        let over = |part: Range<u64>| Run::over(Arc::clone(&bytes), self.scratch.clone(), part, read);
        let mut runs: Vec<Run> = self.parts.iter().cloned().map(over).collect();
        // Of one key the earlier part comes first, so that values are merged in the order in which they came.
        let mut heads: BinaryHeap<Reverse<([u8; 32], usize)>> = BinaryHeap::with_capacity(runs.len());
        heads.extend(runs.iter_mut().enumerate().filter_map(|(number, run)| Some(Reverse((run.key()?, number)))));
        // The present row: its value as it was packed, and what it became by others.
        let (mut held, mut packed, mut merged) = (None, Vec::new(), None);
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((key, number)) = *head;
            let Some(run) = runs.get_mut(number) else { break };
            if held == Some(key) {
                let mut value = Value::of(&packed, merged.take()).unpacked(&self.scratch)?;
                merge(&mut value, run.value()?);
                merged = Some(value);
            } else {
                if let Some(key) = held.replace(key) {
                    visit(&key, Value::of(&packed, merged.take()))?;
                }
                packed.clear();
                packed.extend_from_slice(run.packed()?);
            }
            run.advance();
            match run.key() {
                Some(next) => *head = Reverse((next, number)),
                None => drop(PeekMut::pop(head)),
            }
        }
        visit(&held?, Value::of(&packed, merged))
    }
}

/// The value of a row: as it was packed, or merged of several.
enum Value<'p, V> {
    Packed(&'p [u8]),
    Merged(V),
}

impl<'p, V: Packed> Value<'p, V> {
    fn of(packed: &'p [u8], merged: Option<V>) -> Self {
        merged.map_or(Self::Packed(packed), Self::Merged)
    }

    fn unpacked(self, scratch: &Scratch) -> Option<V> {
        match self {
            Self::Packed(bytes) => unpacked(scratch, bytes),
            Self::Merged(value) => Some(value),
        }
    }
}
