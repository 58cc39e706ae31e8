//! Every record and every member of an index held against the ledgers, both ways, by commands that only read.

use std::collections::BTreeMap;

use redis::Value;

use super::difference::{Difference, What};
use super::error::{TargetError, shown};
use super::link::Link;
use super::strangers::{Known, strangers};
use super::watch::Watch;
use crate::target::{Content, Index, Kind, Record};

/// Records, or members, that are asked for at once: what an answer holds is held here.
const ASKED: usize = 2_000;
/// Sorted sets that are asked for at once.
const SETS: usize = 500;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Records of the ledgers, each held against the store.
    pub records: u64,
    /// Sorted sets, each held against the store.
    pub indexes: u64,
    /// Their members.
    pub members: u64,
    /// Keys of the store that are named like ours.
    pub keys_seen: u64,
    /// Sorted.
    pub differences: Vec<Difference>,
}

impl Compared {
    /// How many differences are of that sort.
    pub fn count(&self, what: What) -> u64 {
        self.differences.iter().filter(|difference| difference.what == what).fold(0, |count, _| count + 1)
    }

    fn report(&mut self, kind: Kind, key: &[u8], what: What, detail: String) {
        self.differences.push(Difference::of_key(kind, key, what, detail));
    }
}

/// Compares a store with what it has to hold. Writes nothing.
///
/// # Errors
/// As [`TargetError`] says.
pub fn compare(link: &mut Link, content: &Content<'_>, watch: &Watch<'_>) -> Result<Compared, TargetError> {
    (watch.stage)("compare", content.units());
    let (compared, known) = (Compared::default(), Known::default());
    let mut work = Comparison { link, content, watch, compared, known };
    work.records()?;
    work.indexes()?;
    let Comparison { link, mut compared, known, .. } = work;
    let (seen, unexpected) = strangers(link, content.layout(), &known.sorted(), watch)?;
    compared.keys_seen = seen;
    for (kind, key) in unexpected {
        compared.report(kind, &key, What::Unexpected, String::new());
    }
    compared.differences.sort();
    Ok(compared)
}

/// A comparison that is on.
struct Comparison<'c> {
    link: &'c mut Link,
    content: &'c Content<'c>,
    watch: &'c Watch<'c>,
    compared: Compared,
    known: Known,
}

impl Comparison<'_> {
    fn check(&self) -> Result<(), TargetError> {
        self.watch.check(self.compared.records + self.compared.members)
    }

    fn records(&mut self) -> Result<(), TargetError> {
        let (mut records, mut asked) = (self.content.records(), Vec::<Record>::new());
        loop {
            // While the server answers, the next batch is made.
            let next: Vec<Record> = records.by_ref().take(ASKED).collect();
            let mut question = redis::cmd("MGET");
            for record in &next {
                self.known.note(record.key.as_bytes());
                question.arg(&record.key);
            }
            let packed = question.get_packed_command();
            if !asked.is_empty() {
                self.hold(&asked)?;
                self.check()?;
            }
            if next.is_empty() {
                return Ok(());
            }
            self.link.send(&packed)?;
            asked = next;
        }
    }

    fn hold(&mut self, asked: &[Record]) -> Result<(), TargetError> {
        let Value::Array(found) = self.link.answer()? else { return Err(self.link.nonsense("MGET")) };
        if found.len() != asked.len() {
            return Err(self.link.nonsense("MGET"));
        }
        for (record, found) in asked.iter().zip(found) {
            self.compared.records += 1;
            match found {
                Value::BulkString(value) if value == record.value => {}
                Value::BulkString(value) => {
                    let detail = parted(&record.value, &value);
                    self.compared.report(record.kind, record.key.as_bytes(), What::Different, detail);
                }
                // Nothing, or a key of another type.
                _ => self.absent(record.kind, &record.key)?,
            }
        }
        Ok(())
    }

    fn absent(&mut self, kind: Kind, key: &str) -> Result<(), TargetError> {
        let compared = &mut self.compared;
        match self.link.ask(redis::cmd("TYPE").arg(key))? {
            Value::SimpleString(word) if word == "none" => {
                compared.report(kind, key.as_bytes(), What::Missing, String::new());
            }
            Value::SimpleString(word) => {
                let detail = format!("it is a {} in the store", shown(word.as_bytes()));
                compared.report(kind, key.as_bytes(), What::Different, detail);
            }
            _ => return Err(self.link.nonsense("TYPE")),
        }
        Ok(())
    }

    fn indexes(&mut self) -> Result<(), TargetError> {
        let content = self.content;
        let mut all = content.indexes().peekable();
        while all.peek().is_some() {
            let (mut few, mut members) = (Vec::new(), 0);
            while let Some(index) =
                all.next_if(|index| few.is_empty() || few.len() < SETS && members + index.len() <= ASKED)
            {
                members += index.len();
                few.push(index);
            }
            let keys: Vec<String> =
                few.iter().map(|index| content.layout().key(index.kind, index.name, None)).collect();
            for key in &keys {
                self.known.note(key.as_bytes());
            }
            if members > ASKED {
                self.long(&few[0], &keys[0])?;
            } else {
                self.short(&few, &keys)?;
            }
            for index in &few {
                self.compared.indexes += 1;
                self.compared.members += u64::try_from(index.len()).unwrap_or(u64::MAX);
            }
            self.check()?;
        }
        Ok(())
    }

    /// Sorted sets of which many fit into one question; one member more than there should be is asked for.
    fn short(&mut self, few: &[Index<'_>], keys: &[String]) -> Result<(), TargetError> {
        let mut packed = Vec::new();
        for (index, key) in few.iter().zip(keys) {
            range(key, 0, index.len()).write_packed_command(&mut packed);
        }
        self.link.send(&packed)?;
        let mut doubtful = Vec::new();
        for (index, key) in few.iter().zip(keys) {
            // What is no sorted set is looked at by itself.
            let is_equal = match self.link.answer() {
                Ok(Value::Array(found)) => is_page(index.members(), &found),
                Ok(_) => return Err(self.link.nonsense("ZRANGE")),
                Err(TargetError::Unfit { .. }) => false,
                Err(error) => return Err(error),
            };
            if !is_equal {
                doubtful.push((index, key));
            }
        }
        doubtful.into_iter().try_for_each(|(index, key)| self.members(index, key))
    }

    /// A sorted set with more members than one answer should hold.
    fn long(&mut self, index: &Index<'_>, key: &str) -> Result<(), TargetError> {
        let mut own = index.members();
        for from in (0..=index.len()).step_by(ASKED) {
            let found = match self.link.ask(&range(key, from, from + ASKED - 1)) {
                Ok(Value::Array(found)) => found,
                Ok(_) => return Err(self.link.nonsense("ZRANGE")),
                Err(TargetError::Unfit { .. }) => return self.members(index, key),
                Err(error) => return Err(error),
            };
            if !is_page(own.by_ref().take(ASKED), &found) {
                return self.members(index, key);
            }
            self.check()?;
        }
        Ok(())
    }

    /// Names what differs in one sorted set: all of it is held, on both sides.
    fn members(&mut self, index: &Index<'_>, key: &str) -> Result<(), TargetError> {
        let link = &mut *self.link;
        match link.ask(redis::cmd("TYPE").arg(key))? {
            Value::SimpleString(word) if word == "zset" => {}
            Value::SimpleString(_) => return self.absent(index.kind, key),
            _ => return Err(link.nonsense("TYPE")),
        }
        let mut own: BTreeMap<Vec<u8>, String> =
            index.members().map(|(score, member)| (member.into_bytes(), score.to_string())).collect();
        let differences = &mut self.compared.differences;
        let mut from = 0;
        loop {
            let Value::Array(found) = link.ask(&range(key, from, from + ASKED - 1))? else {
                return Err(link.nonsense("ZRANGE"));
            };
            for pair in found.chunks(2) {
                let [Value::BulkString(member), Value::BulkString(at)] = pair else {
                    return Err(link.nonsense("ZRANGE"));
                };
                let difference = |what, detail| Difference::of_member(index.kind, key, member, what, detail);
                let at = String::from_utf8_lossy(at);
                match own.remove(member) {
                    Some(score) if score == at => {}
                    Some(score) => {
                        let detail = format!("score {score} in the ledgers, {} in the store", shown(at.as_bytes()));
                        differences.push(difference(What::Different, detail));
                    }
                    None => differences.push(difference(What::Unexpected, String::new())),
                }
            }
            if found.len() < 2 * ASKED {
                break;
            }
            from += ASKED;
        }
        for member in own.keys() {
            differences.push(Difference::of_member(index.kind, key, member, What::Missing, String::new()));
        }
        Ok(())
    }
}

/// What to say of two values that differ: where they part.
fn parted(own: &[u8], found: &[u8]) -> String {
    let at = own.iter().zip(found).take_while(|(one, two)| one == two).count();
    let around = |bytes: &[u8]| {
        let from = at.saturating_sub(16);
        shown(bytes.get(from..bytes.len().min(at + 24)).unwrap_or_default())
    };
    format!("at byte {at}: ...{} in the ledgers, ...{} in the store", around(own), around(found))
}

fn range(key: &str, from: usize, until: usize) -> redis::Cmd {
    let mut range = redis::cmd("ZRANGE");
    range.arg(key).arg(from).arg(until).arg("WITHSCORES");
    range
}

/// Members and their scores, one after the other, as the server has them.
fn is_page(own: impl Iterator<Item = (i64, String)>, found: &[Value]) -> bool {
    let mut found = found.iter();
    for (score, member) in own {
        let (Some(Value::BulkString(name)), Some(Value::BulkString(at))) = (found.next(), found.next()) else {
            return false;
        };
        if *name != member.as_bytes() || *at != score.to_string().as_bytes() {
            return false;
        }
    }
    found.next().is_none()
}
