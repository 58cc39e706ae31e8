//! Every record and every member of an index held against the ledgers, both ways, by commands that only read.

use std::collections::BTreeMap;

use redis::Value;

use super::content::{Content, Index, Record};
use super::difference::{Difference, What};
use super::error::{TargetError, shown};
use super::layout::Kind;
use super::link::Link;
use super::strangers::{Known, strangers};
use super::watch::Watch;

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
    let (mut compared, mut known) = (Compared::default(), Known::default());
    (watch.stage)("compare", content.units());
    records(link, content, &mut compared, &mut known, watch)?;
    indexes(link, content, &mut compared, &mut known, watch)?;
    let (seen, unexpected) = strangers(link, content.layout(), &known.sorted(), watch)?;
    compared.keys_seen = seen;
    for (kind, key) in unexpected {
        compared.report(kind, &key, What::Unexpected, String::new());
    }
    compared.differences.sort();
    Ok(compared)
}

fn records(
    link: &mut Link,
    content: &Content<'_>,
    compared: &mut Compared,
    known: &mut Known,
    watch: &Watch<'_>,
) -> Result<(), TargetError> {
    let (mut records, mut asked) = (content.records(), Vec::<Record>::new());
    loop {
        // While the server answers, the next batch is made.
        let next: Vec<Record> = records.by_ref().take(ASKED).collect();
        let mut question = redis::cmd("MGET");
        for record in &next {
            known.note(record.key.as_bytes());
            question.arg(&record.key);
        }
        let packed = question.get_packed_command();
        if !asked.is_empty() {
            hold(link, &asked, compared)?;
            watch.check(compared.records + compared.members)?;
        }
        if next.is_empty() {
            return Ok(());
        }
        link.send(&packed)?;
        asked = next;
    }
}

fn hold(link: &mut Link, asked: &[Record], compared: &mut Compared) -> Result<(), TargetError> {
    let Value::Array(found) = link.answer()? else { return Err(link.nonsense("MGET")) };
    if found.len() != asked.len() {
        return Err(link.nonsense("MGET"));
    }
    for (record, found) in asked.iter().zip(found) {
        compared.records += 1;
        match found {
            Value::BulkString(value) if value == record.value => {}
            Value::BulkString(value) => {
                let detail = parted(&record.value, &value);
                compared.report(record.kind, record.key.as_bytes(), What::Different, detail);
            }
            // Nothing, or a key of another type.
            _ => absent(link, record.kind, &record.key, compared)?,
        }
    }
    Ok(())
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

fn absent(link: &mut Link, kind: Kind, key: &str, compared: &mut Compared) -> Result<(), TargetError> {
    match link.ask(redis::cmd("TYPE").arg(key))? {
        Value::SimpleString(word) if word == "none" => {
            compared.report(kind, key.as_bytes(), What::Missing, String::new());
        }
        Value::SimpleString(word) => {
            let detail = format!("it is a {} in the store", shown(word.as_bytes()));
            compared.report(kind, key.as_bytes(), What::Different, detail);
        }
        _ => return Err(link.nonsense("TYPE")),
    }
    Ok(())
}

fn indexes(
    link: &mut Link,
    content: &Content<'_>,
    compared: &mut Compared,
    known: &mut Known,
    watch: &Watch<'_>,
) -> Result<(), TargetError> {
    let mut all = content.indexes().peekable();
    while all.peek().is_some() {
        let (mut few, mut members) = (Vec::new(), 0);
        while let Some(index) =
            all.next_if(|index| few.is_empty() || few.len() < SETS && members + index.len() <= ASKED)
        {
            members += index.len();
            few.push(index);
        }
        let keys: Vec<String> = few.iter().map(|index| content.layout().key(index.kind, index.name, None)).collect();
        for key in &keys {
            known.note(key.as_bytes());
        }
        if members > ASKED {
            long(link, &few[0], &keys[0], compared, watch)?;
        } else {
            short(link, &few, &keys, compared)?;
        }
        for index in &few {
            compared.indexes += 1;
            compared.members += u64::try_from(index.len()).unwrap_or(u64::MAX);
        }
        watch.check(compared.records + compared.members)?;
    }
    Ok(())
}

fn range(key: &str, from: usize, until: usize) -> redis::Cmd {
    let mut range = redis::cmd("ZRANGE");
    range.arg(key).arg(from).arg(until).arg("WITHSCORES");
    range
}

/// Sorted sets of which many fit into one question; one member more than there should be is asked for.
fn short(link: &mut Link, few: &[Index<'_>], keys: &[String], compared: &mut Compared) -> Result<(), TargetError> {
    let mut packed = Vec::new();
    for (index, key) in few.iter().zip(keys) {
        range(key, 0, index.len()).write_packed_command(&mut packed);
    }
    link.send(&packed)?;
    let mut doubtful = Vec::new();
    for (index, key) in few.iter().zip(keys) {
        // What is no sorted set is looked at by itself.
        let is_equal = match link.answer() {
            Ok(Value::Array(found)) => is_page(index.members(), &found),
            Ok(_) => return Err(link.nonsense("ZRANGE")),
            Err(TargetError::Unfit { .. }) => false,
            Err(error) => return Err(error),
        };
        if !is_equal {
            doubtful.push((index, key));
        }
    }
    doubtful.into_iter().try_for_each(|(index, key)| members(link, index, key, compared))
}

/// A sorted set with more members than one answer should hold.
fn long(
    link: &mut Link,
    index: &Index<'_>,
    key: &str,
    compared: &mut Compared,
    watch: &Watch<'_>,
) -> Result<(), TargetError> {
    let mut own = index.members();
    for from in (0..=index.len()).step_by(ASKED) {
        let found = match link.ask(&range(key, from, from + ASKED - 1)) {
            Ok(Value::Array(found)) => found,
            Ok(_) => return Err(link.nonsense("ZRANGE")),
            Err(TargetError::Unfit { .. }) => return members(link, index, key, compared),
            Err(error) => return Err(error),
        };
        if !is_page(own.by_ref().take(ASKED), &found) {
            return members(link, index, key, compared);
        }
        watch.check(compared.records + compared.members)?;
    }
    Ok(())
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

/// Names what differs in one sorted set: all of it is held, on both sides.
fn members(link: &mut Link, index: &Index<'_>, key: &str, compared: &mut Compared) -> Result<(), TargetError> {
    match link.ask(redis::cmd("TYPE").arg(key))? {
        Value::SimpleString(word) if word == "zset" => {}
        Value::SimpleString(_) => return absent(link, index.kind, key, compared),
        _ => return Err(link.nonsense("TYPE")),
    }
    let mut own: BTreeMap<Vec<u8>, String> =
        index.members().map(|(score, member)| (member.into_bytes(), score.to_string())).collect();
    let mut from = 0;
    loop {
        let Value::Array(found) = link.ask(&range(key, from, from + ASKED - 1))? else {
            return Err(link.nonsense("ZRANGE"));
        };
        for pair in found.chunks(2) {
            let [Value::BulkString(member), Value::BulkString(at)] = pair else { return Err(link.nonsense("ZRANGE")) };
            let difference = |what, detail| Difference::of_member(index.kind, key, member, what, detail);
            let at = String::from_utf8_lossy(at);
            match own.remove(member) {
                Some(score) if score == at => {}
                Some(score) => {
                    let detail = format!("score {score} in the ledgers, {} in the store", shown(at.as_bytes()));
                    compared.differences.push(difference(What::Different, detail));
                }
                None => compared.differences.push(difference(What::Unexpected, String::new())),
            }
        }
        if found.len() < 2 * ASKED {
            break;
        }
        from += ASKED;
    }
    for member in own.keys() {
        compared.differences.push(Difference::of_member(index.kind, key, member, What::Missing, String::new()));
    }
    Ok(())
}
