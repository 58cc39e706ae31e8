//! The side records of a log: what is new of them, and which of them hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::{LogStore, agree, too_large};
use crate::domain::Digest32;
use crate::store::index::Table;
use crate::store::log::{Body, Entry, Wanted, damaged_payload};
use crate::store::record::{self, Location};
use crate::store::replay::Group;
use crate::store::side::{self, Kept};
use crate::store::told::Told;
use crate::store::{SideRecord, StoreError};

/// Sightings, receipts and cursors that are held at a time while they are walked.
const TOGETHER: usize = 4_096;

/// Who is shown side records.
type Visit<'v> = dyn FnMut(SideRecord) -> ControlFlow<()> + 'v;

/// A side record to append.
struct News {
    key: Digest32,
    replaces: bool,
    id: Digest32,
    json: Vec<u8>,
}

impl News {
    fn of(kept: &Kept) -> Result<Self, StoreError> {
        let json = kept.to_json()?;
        too_large(json.len())?;
        let id = record::side_id(&json);
        Ok(Self { key: kept.key(&id), replaces: kept.replaces(), id, json })
    }
}

impl LogStore {
    /// Appends what is not there yet.
    pub(super) fn append_side(&mut self, records: &[SideRecord]) -> Result<(), StoreError> {
        self.writable()?;
        let mut sighted = std::mem::take(&mut self.sighted);
        let seen = sighted.news(records, || self.sightings());
        self.sighted = sighted;
        let seen = seen?;
        let mut news = seen.iter().map(News::of).collect::<Result<Vec<_>, _>>()?;
        news.append(&mut self.newer(records)?);
        self.append_news(&news)?;
        self.sighted.told(&seen);
        Ok(())
    }

    fn append_news(&mut self, news: &[News]) -> Result<(), StoreError> {
        if news.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry<'_>> =
            news.iter().map(|news| Entry { id: news.id, body: Body::Side(&news.json) }).collect();
        self.acknowledge(&entries, |locations| {
            let mut group = Group::default();
            for (news, at) in news.iter().zip(locations) {
                group.side(news.key, news.replaces, news.id, *at);
            }
            group
        })
    }

    /// The receipts and cursors that would change something.
    fn newer(&self, records: &[SideRecord]) -> Result<Vec<News>, StoreError> {
        let latest: BTreeMap<Digest32, &SideRecord> =
            records.iter().filter(|record| side::replaces(record)).map(|record| (side::key(record), record)).collect();
        let keys: Vec<[u8; 32]> = latest.keys().map(|key| key.0).collect();
        let mut news = Vec::new();
        for (record, found) in latest.into_values().zip(self.index.find(Table::Side, &keys)?) {
            let one = News::of(&Kept::One(Box::new(record.clone())))?;
            let is_held = match found {
                Some(at) => self.log.read(at)?.0.id == one.id,
                None => false,
            };
            if !is_held {
                news.push(one);
            }
        }
        Ok(news)
    }

    /// What the log tells of who gave what.
    fn sightings(&self) -> Result<Told, StoreError> {
        let mut sightings = Told::default();
        self.walk_side(&mut |record| {
            if let SideRecord::Sighting(sighting) = record {
                sightings.add(sighting.evidence, &sighting.source);
            }
            ControlFlow::Continue(())
        })?;
        Ok(sightings)
    }

    /// Visits every side record that holds.
    pub(super) fn walk_side(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.readable()?;
        // A log that holds evidence twice, because an index lost it, was told twice who gave it.
        let mut twice = self.mark.is_some_and(|mark| mark.records != mark.evidence).then(BTreeSet::new);
        let visit: &mut Visit<'_> = &mut |record| {
            let is_told = twice.as_mut().is_some_and(|told| !told.insert(side::key(&record)));
            if is_told { ControlFlow::Continue(()) } else { visit(record) }
        };
        let (mut seen, mut waiting, mut records) = (0, Vec::new(), 0);
        let mut flow = ControlFlow::Continue(());
        self.log.walk(None, Wanted::Side, &mut |head, at, payload| {
            let kept = Kept::from_json(payload).ok_or_else(|| damaged_payload(&self.log, at.place))?;
            records += kept.len();
            waiting.push((kept.key(&head.id), at, kept));
            if records >= TOGETHER {
                flow = self.visit_side(&mut waiting, &mut seen, visit)?;
                records = 0;
            }
            Ok(flow)
        })?;
        if flow.is_continue() {
            flow = self.visit_side(&mut waiting, &mut seen, visit)?;
        }
        agree(flow.is_break() || seen == self.mark.map_or(0, |mark| mark.side))
    }

    /// Visits those that hold: the log keeps superseded receipts and cursors too, and the index names the one that counts.
    fn visit_side(
        &self,
        waiting: &mut Vec<(Digest32, Location, Kept)>,
        seen: &mut u64,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let keys: Vec<[u8; 32]> = waiting.iter().map(|(key, ..)| key.0).collect();
        for ((_, at, kept), named) in waiting.drain(..).zip(self.index.find(Table::Side, &keys)?) {
            if named != Some(at) {
                continue;
            }
            *seen += 1;
            if kept.records().try_for_each(&mut *visit).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Appends a record for each sighting, as logs once had it.
    #[cfg(test)]
    pub(in crate::store) fn append_one_by_one(&mut self, records: &[SideRecord]) -> Result<(), StoreError> {
        let news = records.iter().map(|record| News::of(&Kept::One(Box::new(record.clone()))));
        self.append_news(&news.collect::<Result<Vec<_>, _>>()?)
    }
}
